//! The rows of a file, and what its tables are.

use std::path::Path;

use rusqlite::params_from_iter;

use super::Connection;
use super::statement::{BoundValue, fault};
use crate::error::{Fault, Result};
use crate::store::db::fault::DbResult;
use crate::store::db::rows::{ColumnKind, OwnedRow, OwnedValue, PageInProgress, Rows, TablePart, in_order, quoted};
use crate::store::db::tx::Tx;
use crate::store::db::value::Param;

/// Tables whose rows say something of the database and not of the books.
const OF_THE_DATABASE: [&str; 2] = ["schema_version", "relocation"];
/// An entry is refused before its reason and its account are there.
const BOOKS_PARTS: [i64; 3] = [1, 2, 0];
/// A lot is refused before its entry is there, which no reference says.
const LOTS_AND_BOOKS: (&str, &str) = ("lots", "books");
/// After so many pages the log is moved into the file.
const CHECKPOINT_PAGES: usize = 16;

/// The tables that a script makes, in the order in which their rows can be added.
pub(in crate::store) fn table_parts(script: &str) -> DbResult<Vec<TablePart>> {
    const TABLES: &str =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
        ORDER BY name";
    const REFERENCES: &str = "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1)";
    let cannot = |cause| fault("the tables cannot be listed", cause);
    let database = rusqlite::Connection::open_in_memory().map_err(cannot)?;
    database.execute_batch(script).map_err(cannot)?;
    let names = |sql: &str, of: &[&str]| -> DbResult<Vec<String>> {
        let mut statement = database.prepare(sql).map_err(cannot)?;
        let rows = statement.query_map(params_from_iter(of), |row| row.get(0)).map_err(cannot)?;
        rows.collect::<std::result::Result<_, _>>().map_err(cannot)
    };
    let mut parts = vec![];
    let mut refers = vec![(LOTS_AND_BOOKS.0.to_owned(), LOTS_AND_BOOKS.1.to_owned())];
    for table in names(TABLES, &[])?.into_iter().filter(|table| !OF_THE_DATABASE.contains(&table.as_str())) {
        refers.extend(names(REFERENCES, &[&table])?.into_iter().map(|parent| (table.clone(), parent)));
        let part = table_part(&database, &table)?;
        match table.as_str() {
            "books" => parts.extend(BOOKS_PARTS.map(|value| TablePart { only: Some(("part", value)), ..part.clone() })),
            _ => parts.push(part),
        }
    }
    in_order(parts, &refers)
}

fn table_part(database: &rusqlite::Connection, table: &str) -> DbResult<TablePart> {
    const COLUMNS: &str = "SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid";
    let cannot = |cause| fault(&format!("the columns of {table} cannot be listed"), cause);
    let mut statement = database.prepare(COLUMNS).map_err(cannot)?;
    let columns = statement.query_map([table], |row| {
        Ok((row.get::<_, String>("name")?, row.get::<_, String>("type")?, row.get::<_, i64>("pk")?))
    });
    let columns: Vec<(String, String, i64)> =
        columns.map_err(cannot)?.collect::<std::result::Result<_, _>>().map_err(cannot)?;
    let mut key: Vec<(i64, usize)> = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.2 > 0)
        .map(|(place, column)| (column.2, place))
        .collect();
    key.sort_unstable();
    if key.is_empty() {
        return Err(Fault::bare(format!("the table {table} has no key, so its rows cannot be copied in order")));
    }
    let kind = |kind: &str| match kind {
        "INTEGER" => Ok(ColumnKind::Int),
        "TEXT" => Ok(ColumnKind::Text),
        "BLOB" => Ok(ColumnKind::Blob),
        other => Err(Fault::bare(format!("a column of {table} has the type {other}, which no table of till's has"))),
    };
    let columns = columns.iter().map(|(name, of, _)| Ok((name.clone(), kind(of)?))).collect::<DbResult<_>>()?;
    Ok(TablePart {
        table: table.to_owned(),
        columns,
        key: key.into_iter().map(|(_, place)| place).collect(),
        only: None,
    })
}

/// The rows of a file.
pub(in crate::store) struct FileRows {
    connection: Connection,
    pages: usize,
}

impl FileRows {
    pub(in crate::store) fn open(path: &Path) -> DbResult<FileRows> {
        Ok(FileRows { connection: Connection::open(path)?, pages: 0 })
    }

    fn rows(&self, part: &TablePart, sql: &str, values: &[OwnedValue], columns: usize) -> DbResult<Vec<OwnedRow>> {
        let cannot = |cause| fault(&format!("{} cannot be read", part.name()), cause);
        let sqlite = self.connection.sqlite();
        let mut statement = sqlite.prepare_cached(sql).map_err(cannot)?;
        let values = values.iter().map(|value| BoundValue(value.value()));
        let mut found = statement.query(params_from_iter(values)).map_err(cannot)?;
        let mut page = PageInProgress::default();
        while let Some(row) = found.next().map_err(cannot)? {
            page.add(row, columns).map_err(|cause| Fault::new(format!("{} cannot be read", part.name()), cause))?;
            if page.is_full() {
                break;
            }
        }
        Ok(page.rows)
    }

    fn insert(&self, part: &TablePart, rows: &[OwnedRow]) -> DbResult<()> {
        let cannot = |cause| fault(&format!("rows of {} cannot be added", part.name()), cause);
        let marks = (1..=part.columns.len()).map(|number| format!("?{number}")).collect::<Vec<_>>().join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({marks})", quoted(&part.table), part.column_list());
        let sqlite = self.connection.sqlite();
        let mut statement = sqlite.prepare_cached(&sql).map_err(cannot)?;
        for row in rows {
            statement.execute(params_from_iter(row.iter().map(|value| BoundValue(value.value())))).map_err(cannot)?;
        }
        Ok(())
    }
}

impl Rows for FileRows {
    fn page(&mut self, part: &TablePart, after: Option<&[OwnedValue]>) -> DbResult<Vec<OwnedRow>> {
        let sql = part.page(after.is_none(), |number| format!("?{number}"));
        self.rows(part, &sql, after.unwrap_or_default(), part.columns.len())
    }

    fn add(
        &mut self,
        part: &TablePart,
        rows: &[OwnedRow],
        then: &mut dyn FnMut(&mut dyn Tx) -> Result<()>,
    ) -> Result<()> {
        self.connection.begin()?;
        let added =
            self.insert(part, rows).map_err(crate::error::Error::from).and_then(|()| then(&mut self.connection));
        let added = added.and_then(|()| Ok(self.connection.commit()?));
        if added.is_err() {
            self.connection.rollback();
        }
        self.pages += 1;
        if self.pages.is_multiple_of(CHECKPOINT_PAGES) {
            let _next_time = self.connection.checkpoint();
        }
        added
    }

    fn count(&mut self, part: &TablePart) -> DbResult<i64> {
        let counted = self.connection.sqlite().query_row(&part.counted(), [], |row| row.get(0));
        counted.map_err(|cause| fault(&format!("the rows of {} cannot be counted", part.name()), cause))
    }

    fn unfit(&mut self, part: &TablePart) -> DbResult<Option<OwnedRow>> {
        let texts = part.columns.iter().filter(|(_, kind)| *kind == ColumnKind::Text);
        let unfit: Vec<String> = texts.map(|(name, _)| format!("instr({}, char(0)) > 0", quoted(name))).collect();
        if unfit.is_empty() {
            return Ok(None);
        }
        let key: Vec<String> =
            part.key.iter().filter_map(|place| part.columns.get(*place)).map(|(name, _)| quoted(name)).collect();
        let only = part.condition().map_or_else(String::new, |condition| format!("{condition} AND "));
        let sql = format!(
            "SELECT {} FROM {} WHERE {only}({}) LIMIT 1",
            key.join(", "),
            quoted(&part.table),
            unfit.join(" OR ")
        );
        Ok(self.rows(part, &sql, &[], key.len())?.pop())
    }

    fn settle(&mut self) -> DbResult<()> {
        self.connection.truncate_wal_if_unused();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::db::schema_text;

    const SCHEMA: &str = include_str!("../../../../schema.sql");

    #[test]
    fn every_table_is_copied_after_those_that_it_refers_to() {
        let parts = table_parts(&schema_text::sqlite(SCHEMA)).unwrap();
        let made = SCHEMA.split("CREATE TABLE ").skip(1).filter_map(|rest| rest.split_whitespace().next());
        let mut made: Vec<&str> = made.filter(|table| !OF_THE_DATABASE.contains(table)).collect();
        let mut copied: Vec<&str> = parts.iter().map(|part| part.table.as_str()).collect();
        copied.dedup();
        let place = |table: &str| parts.iter().position(|part| part.table == table).unwrap();
        assert!(place("users") < place("books") && place("books") + 2 < place("lots"));
        assert!(place("payments") < place("lots") && place("lots") < place("hold_lots"));
        made.sort_unstable();
        copied.sort_unstable();
        assert_eq!(copied, made);
        assert!(parts.iter().all(|part| !part.key.is_empty()));
    }
}
