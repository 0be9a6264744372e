//! Values that go into a statement and rows that come out of it, for any engine.

use std::cell::Cell;

use crate::clock::Timestamp;
use crate::error::Fault;

use super::fault::DbResult;

/// One value of a statement's parameter or of a row's column, borrowed from where it lives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    /// A whole number, an amount, a time in milliseconds, or yes and no as 1 and 0.
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

/// What a statement takes as a parameter.
pub trait Param {
    /// The value that is bound.
    fn value(&self) -> Value<'_>;
}

impl Param for Value<'_> {
    fn value(&self) -> Value<'_> {
        *self
    }
}

impl Param for i64 {
    fn value(&self) -> Value<'_> {
        Value::Int(*self)
    }
}

impl Param for bool {
    fn value(&self) -> Value<'_> {
        Value::Int(i64::from(*self))
    }
}

impl Param for Timestamp {
    fn value(&self) -> Value<'_> {
        Value::Int(self.millis())
    }
}

impl Param for str {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Param for String {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl<const N: usize> Param for [u8; N] {
    fn value(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl Param for [u8] {
    fn value(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl<T: Param> Param for Option<T> {
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, Param::value)
    }
}

impl<T: Param + ?Sized> Param for &T {
    fn value(&self) -> Value<'_> {
        (**self).value()
    }
}

/// The row that a statement is at, as its engine shows it.
pub trait Columns {
    /// The name of the column at this position; `None` behind the last.
    fn name(&self, position: usize) -> Option<&str>;

    /// The value of the column at this position.
    fn value(&self, position: usize) -> DbResult<Value<'_>>;
}

/// One row. Columns are read by name; a value of another type than the one asked for is a fault.
pub struct Row<'a> {
    columns: &'a dyn Columns,
    next: Cell<usize>,
}

impl<'a> Row<'a> {
    /// The row that an engine is at.
    pub fn new(columns: &'a dyn Columns) -> Row<'a> {
        Row { columns, next: Cell::new(0) }
    }

    /// A whole number.
    pub fn int(&self, column: &str) -> DbResult<i64> {
        self.int_or_null(column)?.ok_or_else(|| wrong(column, "a number"))
    }

    /// A whole number or NULL.
    pub fn int_or_null(&self, column: &str) -> DbResult<Option<i64>> {
        match self.value(column)? {
            Value::Int(number) => Ok(Some(number)),
            Value::Null => Ok(None),
            _ => Err(wrong(column, "a number")),
        }
    }

    /// Yes or no, stored as 1 or 0.
    pub fn flag(&self, column: &str) -> DbResult<bool> {
        Ok(self.int(column)? == 1)
    }

    /// Text.
    pub fn text(&self, column: &str) -> DbResult<String> {
        self.text_or_null(column)?.ok_or_else(|| wrong(column, "text"))
    }

    /// Text or NULL.
    pub fn text_or_null(&self, column: &str) -> DbResult<Option<String>> {
        match self.value(column)? {
            Value::Text(text) => Ok(Some(text.to_owned())),
            Value::Null => Ok(None),
            _ => Err(wrong(column, "text")),
        }
    }

    /// One of a few words, as `parse` reads it.
    pub fn word<T>(&self, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> DbResult<T> {
        match self.value(column)? {
            Value::Text(text) => parse(text)
                .ok_or_else(|| Fault::bare(format!("the database holds a value that till did not write: {text}"))),
            _ => Err(wrong(column, "text")),
        }
    }

    /// A time.
    pub fn time(&self, column: &str) -> DbResult<Timestamp> {
        self.int(column).map(Timestamp::from_millis)
    }

    /// A time or NULL.
    pub fn time_or_null(&self, column: &str) -> DbResult<Option<Timestamp>> {
        Ok(self.int_or_null(column)?.map(Timestamp::from_millis))
    }

    /// A SHA-256 digest.
    pub fn hash(&self, column: &str) -> DbResult<[u8; 32]> {
        match self.value(column)? {
            Value::Blob(bytes) => bytes.try_into().map_err(|_| wrong(column, "32 bytes")),
            _ => Err(wrong(column, "32 bytes")),
        }
    }

    /// Bytes, however many.
    pub fn blob(&self, column: &str) -> DbResult<Vec<u8>> {
        match self.value(column)? {
            Value::Blob(bytes) => Ok(bytes.to_vec()),
            _ => Err(wrong(column, "bytes")),
        }
    }

    /// So many bytes.
    pub fn bytes<const N: usize>(&self, column: &str) -> DbResult<[u8; N]> {
        self.bytes_or_null(column)?.ok_or_else(|| wrong(column, "so many bytes as were expected"))
    }

    /// So many bytes or NULL.
    pub fn bytes_or_null<const N: usize>(&self, column: &str) -> DbResult<Option<[u8; N]>> {
        match self.value(column)? {
            Value::Blob(bytes) => {
                bytes.try_into().map(Some).map_err(|_| wrong(column, "so many bytes as were expected"))
            }
            Value::Null => Ok(None),
            _ => Err(wrong(column, "bytes")),
        }
    }

    fn value(&self, column: &str) -> DbResult<Value<'_>> {
        let position = self.position(column);
        self.columns.value(position.ok_or_else(|| Fault::bare(format!("a row has no column {column}")))?)
    }

    /// Where a column is. Most rows are read in the order of their statement, so the column after the last one is tried
    /// first: a name is then compared once, and nothing is allocated.
    fn position(&self, column: &str) -> Option<usize> {
        let has_name = |position: usize| self.columns.name(position).map(|name| name == column);
        let next = self.next.get();
        let position = match has_name(next) {
            Some(true) => next,
            _ => (0..).map_while(|position| Some((position, has_name(position)?))).find(|(_, found)| *found)?.0,
        };
        self.next.set(position + 1);
        Some(position)
    }
}

fn wrong(column: &str, expected: &str) -> Fault {
    Fault::bare(format!("column {column} of a row is not {expected}"))
}
