//! What SQLite itself knows of a database: its catalogue of tables, indexes, triggers and views, and its own checks.

use super::statement::{Snapshot, fault};
use crate::error::Result;
use crate::store::db::fault::DbResult;
use crate::store::db::tx::Tx;

/// A table, an index, a trigger or a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaObject {
    /// `table`, `index`, `trigger` or `view`.
    pub kind: String,
    pub name: String,
    /// The table that it belongs to.
    pub table: String,
    /// The statement that made it.
    pub sql: String,
}

/// The objects of the database, without those that SQLite makes by itself.
pub(in crate::store) fn objects(tx: &mut dyn Tx) -> Result<Vec<SchemaObject>> {
    const OBJECTS: &str = "SELECT type, name, tbl_name, COALESCE(sql, '') AS sql FROM sqlite_schema
        WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' OR type NOT IN ('table', 'index')
        ORDER BY type, name LIMIT 10000";
    tx.all(OBJECTS, &[], |row| {
        let (kind, name) = (row.text("type")?, row.text("name")?);
        Ok(SchemaObject { kind, name, table: row.text("tbl_name")?, sql: row.text("sql")? })
    })
}

/// The objects that a script makes in an empty database.
pub(in crate::store) fn objects_of(script: &str) -> Result<Vec<SchemaObject>> {
    let empty = || -> DbResult<rusqlite::Connection> {
        let connection =
            rusqlite::Connection::open_in_memory().map_err(|cause| fault("no database in memory", cause))?;
        connection.execute_batch(script).map_err(|cause| fault("the schema cannot be made in memory", cause))?;
        Ok(connection)
    };
    objects(&mut Snapshot(&empty()?))
}

/// What SQLite finds wrong in the file: rows against the checks of their tables, indexes, pages ("Pragma statements
/// supported by SQLite", section integrity_check).
pub(in crate::store) fn damage(tx: &mut dyn Tx) -> Result<Vec<String>> {
    const DAMAGE: &str = "SELECT integrity_check AS fault FROM pragma_integrity_check WHERE integrity_check <> 'ok'
        LIMIT 100";
    tx.all(DAMAGE, &[], |row| row.text("fault"))
}

/// Tables with rows that refer to a row that does not exist, the table that they refer to, and how many there are.
pub(in crate::store) fn dangling(tx: &mut dyn Tx) -> Result<Vec<(String, String, i64)>> {
    const DANGLING: &str = "SELECT \"table\" AS child, parent, COUNT(*) AS count FROM pragma_foreign_key_check
        GROUP BY \"table\", parent ORDER BY \"table\", parent LIMIT 100";
    tx.all(DANGLING, &[], |row| Ok((row.text("child")?, row.text("parent")?, row.int("count")?)))
}
