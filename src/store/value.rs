//! Values that go into a statement and rows that come out of it, for any engine.

use crate::clock::Timestamp;
use crate::error::Fault;

/// A parameter, borrowed from where it lives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// A whole number, an amount, a time in milliseconds, or 0/1 for a fact without a time.
    Int(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(fact: bool) -> Self {
        Value::Int(i64::from(fact))
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(at: Timestamp) -> Self {
        Value::Int(at.millis())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a [u8; 32]> for Value<'a> {
    fn from(bytes: &'a [u8; 32]) -> Self {
        Value::Blob(bytes)
    }
}

impl<'a, T> From<Option<T>> for Value<'a>
where
    Value<'a>: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Value::from)
    }
}

/// An owned value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// One row. Columns are read by their place in the statement's list; a value of another type than asked for is a fault.
#[derive(Clone, Debug)]
pub struct Row(pub(super) Vec<Cell>);

impl Row {
    /// A whole number.
    pub fn int(&self, column: usize) -> Result<i64, Fault> {
        self.int_or_null(column)?.ok_or_else(|| self.wrong(column, "a number"))
    }

    /// A whole number or NULL.
    pub fn int_or_null(&self, column: usize) -> Result<Option<i64>, Fault> {
        match self.0.get(column) {
            Some(Cell::Int(number)) => Ok(Some(*number)),
            Some(Cell::Null) => Ok(None),
            _ => Err(self.wrong(column, "a number")),
        }
    }

    /// Text.
    pub fn text(&self, column: usize) -> Result<String, Fault> {
        self.text_or_null(column)?.ok_or_else(|| self.wrong(column, "text"))
    }

    /// Text or NULL.
    pub fn text_or_null(&self, column: usize) -> Result<Option<String>, Fault> {
        match self.0.get(column) {
            Some(Cell::Text(text)) => Ok(Some(text.clone())),
            Some(Cell::Null) => Ok(None),
            _ => Err(self.wrong(column, "text")),
        }
    }

    /// A time.
    pub fn time(&self, column: usize) -> Result<Timestamp, Fault> {
        self.int(column).map(Timestamp::from_millis)
    }

    /// A time or NULL.
    pub fn time_or_null(&self, column: usize) -> Result<Option<Timestamp>, Fault> {
        Ok(self.int_or_null(column)?.map(Timestamp::from_millis))
    }

    /// A SHA-256 digest.
    pub fn hash(&self, column: usize) -> Result<[u8; 32], Fault> {
        match self.0.get(column) {
            Some(Cell::Blob(bytes)) => bytes.as_slice().try_into().map_err(|_| self.wrong(column, "32 bytes")),
            _ => Err(self.wrong(column, "32 bytes")),
        }
    }

    fn wrong(&self, column: usize, expected: &str) -> Fault {
        Fault::bare(format!("column {column} of a row is not {expected}"))
    }
}
