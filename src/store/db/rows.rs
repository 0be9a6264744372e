//! Rows as they are, table by table in the order of their keys: how books are copied from one database to another and compared
//! there, whatever engine is below. What the tables are is read from the schema, so that none is forgotten.

use super::fault::DbResult;
use super::tx::Tx;
use super::value::{Columns, Param, Value};
use crate::error::{Fault, Result};

/// How many rows are read or written at once, and how many bytes of them.
pub(super) const PAGE_ROWS: usize = 5_000;
pub(super) const PAGE_BYTES: usize = 4 << 20;

/// A value of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum OwnedValue {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// A row, in the order of its table's columns.
pub(in crate::store) type OwnedRow = Vec<OwnedValue>;

impl OwnedValue {
    fn of(value: Value<'_>) -> OwnedValue {
        match value {
            Value::Null => OwnedValue::Null,
            Value::Int(number) => OwnedValue::Int(number),
            Value::Text(text) => OwnedValue::Text(text.to_owned()),
            Value::Blob(bytes) => OwnedValue::Blob(bytes.to_vec()),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            OwnedValue::Null | OwnedValue::Int(_) => 8,
            OwnedValue::Text(text) => text.len() + 8,
            OwnedValue::Blob(bytes) => bytes.len() + 8,
        }
    }

    /// As a word that [`OwnedValue::parse`] reads back.
    fn word(&self) -> String {
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        match self {
            OwnedValue::Null => "n".to_owned(),
            OwnedValue::Int(number) => format!("i{number}"),
            OwnedValue::Text(text) => format!("t{}", hex(text.as_bytes())),
            OwnedValue::Blob(bytes) => format!("b{}", hex(bytes)),
        }
    }

    fn parse(word: &str) -> Option<OwnedValue> {
        let bytes = |hex: &str| data_encoding::HEXLOWER.decode(hex.as_bytes()).ok();
        let (kind, rest) = word.split_at_checked(1)?;
        Some(match kind {
            "n" => OwnedValue::Null,
            "i" => OwnedValue::Int(rest.parse().ok()?),
            "t" => OwnedValue::Text(String::from_utf8(bytes(rest)?).ok()?),
            "b" => OwnedValue::Blob(bytes(rest)?),
            _ => return None,
        })
    }

    /// For people.
    fn shown(&self) -> String {
        match self {
            OwnedValue::Null => "NULL".to_owned(),
            OwnedValue::Int(number) => number.to_string(),
            OwnedValue::Text(text) => text.clone(),
            OwnedValue::Blob(bytes) => data_encoding::HEXLOWER.encode(bytes),
        }
    }
}

impl Param for OwnedValue {
    fn value(&self) -> Value<'_> {
        match self {
            OwnedValue::Null => Value::Null,
            OwnedValue::Int(number) => Value::Int(*number),
            OwnedValue::Text(text) => Value::Text(text),
            OwnedValue::Blob(bytes) => Value::Blob(bytes),
        }
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum ColumnKind {
    Int,
    Text,
    Blob,
}

/// A table, or the part of it whose rows have one value in one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct TablePart {
    pub table: String,
    pub columns: Vec<(String, ColumnKind)>,
    /// The places of the columns of its key.
    pub key: Vec<usize>,
    pub only: Option<(&'static str, i64)>,
}

impl TablePart {
    /// The table's name, and which part of it.
    pub fn name(&self) -> String {
        self.only.map_or_else(|| self.table.clone(), |(column, value)| format!("{} {column} {value}", self.table))
    }

    pub(super) fn column_list(&self) -> String {
        self.columns.iter().map(|(name, _)| quoted(name)).collect::<Vec<_>>().join(", ")
    }

    /// The statement for the rows in order, from the first or after a key whose values are the parameters that `mark` names.
    pub(super) fn page(&self, is_first: bool, mark: impl Fn(usize) -> String) -> String {
        let key = self.key.iter().filter_map(|place| self.columns.get(*place)).map(|(name, _)| quoted(name));
        let key = key.collect::<Vec<_>>().join(", ");
        let marks = (1..=self.key.len()).map(mark).collect::<Vec<_>>().join(", ");
        let after = (!is_first).then(|| format!("({key}) > ({marks})"));
        let conditions: Vec<String> = self.condition().into_iter().chain(after).collect();
        let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        format!("SELECT {} FROM {}{filter} ORDER BY {key} LIMIT {PAGE_ROWS}", self.column_list(), quoted(&self.table))
    }

    /// The statement that counts the rows.
    pub(super) fn counted(&self) -> String {
        let filter = self.condition().map_or_else(String::new, |condition| format!(" WHERE {condition}"));
        format!("SELECT COUNT(*) AS count FROM {}{filter}", quoted(&self.table))
    }

    /// The statement that takes all rows over from the same table of another schema. Both prefixes name a schema, or none.
    pub(super) fn carried(&self, into: &str, from: &str) -> String {
        let (table, columns) = (quoted(&self.table), self.column_list());
        format!("INSERT INTO {into}{table} ({columns}) SELECT {columns} FROM {from}{table}")
    }

    pub(super) fn condition(&self) -> Option<String> {
        self.only.map(|(column, value)| format!("{} = {value}", quoted(column)))
    }

    /// The key of a row of this part.
    pub fn key_of(&self, row: &[OwnedValue]) -> OwnedRow {
        self.key.iter().filter_map(|place| row.get(*place).cloned()).collect()
    }

    /// The key for people, with the name of each column but those that hold what nobody should read.
    pub fn shown_key(&self, key: &[OwnedValue]) -> String {
        let names = self.key.iter().filter_map(|place| self.columns.get(*place));
        names.zip(key).map(|((name, _), value)| format!("{name} {}", value.shown())).collect::<Vec<_>>().join(", ")
    }
}

/// A key as text that [`parse_key`] reads back.
pub(in crate::store) fn key_text(key: &[OwnedValue]) -> String {
    key.iter().map(OwnedValue::word).collect::<Vec<_>>().join(" ")
}

/// Reads a key; `None` if it is none.
pub(in crate::store) fn parse_key(text: &str) -> Option<OwnedRow> {
    text.split(' ').map(OwnedValue::parse).collect()
}

/// A page that is filled row by row.
#[derive(Default)]
pub(super) struct PageInProgress {
    pub rows: Vec<OwnedRow>,
    bytes: usize,
}

impl PageInProgress {
    /// Adds a row of so many columns.
    pub fn add(&mut self, row: &dyn Columns, columns: usize) -> DbResult<()> {
        let row: OwnedRow = (0..columns).map(|place| row.value(place).map(OwnedValue::of)).collect::<Result<_, _>>()?;
        self.bytes += row.iter().map(OwnedValue::bytes).sum::<usize>();
        self.rows.push(row);
        Ok(())
    }

    pub fn is_full(&self) -> bool {
        self.bytes >= PAGE_BYTES
    }
}

/// A database whose rows are copied.
pub(in crate::store) trait Rows {
    /// The rows after a key, or from the first on, in the order of their keys; none at the end.
    fn page(&mut self, part: &TablePart, after: Option<&[OwnedValue]>) -> DbResult<Vec<OwnedRow>>;

    /// Adds rows, and in the same transaction what `then` writes.
    fn add(
        &mut self,
        part: &TablePart,
        rows: &[OwnedRow],
        then: &mut dyn FnMut(&mut dyn Tx) -> Result<()>,
    ) -> Result<()>;

    fn count(&mut self, part: &TablePart) -> DbResult<i64>;

    /// The key of a row that has a text which no other engine takes: with U+0000.
    fn unfit(&mut self, part: &TablePart) -> DbResult<Option<OwnedRow>>;

    /// What was added is on the disk in order: nothing has to be made up for later.
    fn settle(&mut self) -> DbResult<()> {
        Ok(())
    }
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The parts in an order in which no row refers to one that is still to come. `refers` says which table refers to which.
pub(super) fn in_order(mut parts: Vec<TablePart>, refers: &[(String, String)]) -> DbResult<Vec<TablePart>> {
    let mut ordered: Vec<TablePart> = vec![];
    while !parts.is_empty() {
        let is_open = |table: &String, parts: &[TablePart]| parts.iter().any(|other| other.table == *table);
        let is_free = |part: &TablePart, parts: &[TablePart]| {
            let mut needs = refers.iter().filter(|(child, parent)| *child == part.table && child != parent);
            !needs.any(|(_, parent)| is_open(parent, parts))
        };
        let next = parts.iter().position(|part| is_free(part, &parts));
        let next = next.ok_or_else(|| Fault::bare("tables refer to each other in a circle"))?;
        ordered.push(parts.remove(next));
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_from_its_text() {
        let key = vec![
            OwnedValue::Int(-7),
            OwnedValue::Text("grüße 'a'".into()),
            OwnedValue::Text(String::new()),
            OwnedValue::Blob(vec![0, 255]),
            OwnedValue::Null,
        ];
        assert_eq!(parse_key(&key_text(&key)), Some(key));
        for bad in ["", "x", "i", "i1 ", "tzz", "b0"] {
            assert_eq!(parse_key(bad), None, "{bad}");
        }
    }
}
