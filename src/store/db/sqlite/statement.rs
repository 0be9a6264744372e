//! How a statement is run on SQLite: parameters bound by number, rows shown as they come, errors turned into faults.

use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{ErrorCode, ToSql};

use crate::error::Fault;
use crate::store::db::fault::DbResult;
use crate::store::db::figures::FigureChange;
use crate::store::db::tx::Tx;
use crate::store::db::value::{Columns, Param, Row, Value};

/// How long a statement waits while another process holds the database.
pub(super) const BUSY: Duration = Duration::from_secs(2);

/// A connection that only reads.
pub(super) struct Snapshot<'a>(pub(super) &'a rusqlite::Connection);

impl Tx for Snapshot<'_> {
    fn execute(&mut self, sql: &'static str, _params: &[&dyn Param]) -> DbResult<usize> {
        Err(Fault::bare(format!("a write on a read-only connection: {sql}")))
    }

    fn query(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
    ) -> DbResult<()> {
        query(self.0, sql, params, visit)
    }

    fn mark_changed(&mut self, _account: i64) {}

    fn add_to_figure(&mut self, _change: FigureChange) {}
}

pub(super) fn execute(connection: &rusqlite::Connection, sql: &'static str, params: &[&dyn Param]) -> DbResult<usize> {
    let mut statement = connection.prepare_cached(sql).map_err(|cause| fault(sql, cause))?;
    bind(&mut statement, sql, params)?;
    statement.raw_execute().map_err(|cause| fault(sql, cause))
}

pub(super) fn query(
    connection: &rusqlite::Connection,
    sql: &'static str,
    params: &[&dyn Param],
    visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
) -> DbResult<()> {
    let mut statement = connection.prepare_cached(sql).map_err(|cause| fault(sql, cause))?;
    bind(&mut statement, sql, params)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|cause| fault(sql, cause))? {
        visit(&Row::new(row))?;
    }
    Ok(())
}

impl Columns for rusqlite::Row<'_> {
    fn name(&self, position: usize) -> Option<&str> {
        self.as_ref().column_name(position).ok()
    }

    fn value(&self, position: usize) -> DbResult<Value<'_>> {
        Ok(match self.get_ref(position).map_err(|cause| fault("a column cannot be read", cause))? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Int(number),
            ValueRef::Text(text) => Value::Text(
                std::str::from_utf8(text).map_err(|cause| Fault::new("a text in the database is not UTF-8", cause))?,
            ),
            ValueRef::Blob(bytes) => Value::Blob(bytes),
            ValueRef::Real(_) => return Err(Fault::bare("a number in the database is not whole")),
        })
    }
}

/// Binds by the number in the parameter's name. To SQLite `$2` is a name, numbered by first appearance, so binding by
/// position would swap the two of `SET balance = balance - $2 WHERE id = $1` without an error.
fn bind(statement: &mut rusqlite::Statement<'_>, sql: &str, params: &[&dyn Param]) -> DbResult<()> {
    let mut used = 0usize;
    for place in 1..=statement.parameter_count() {
        let number = statement.parameter_name(place).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let value = number.and_then(|number| params.get(number.checked_sub(1)?));
        let value = value.ok_or_else(|| Fault::bare(format!("parameter {place} has no value: {sql}")))?;
        statement.raw_bind_parameter(place, BoundValue(value.value())).map_err(|cause| fault(sql, cause))?;
        used += 1;
    }
    if used == params.len() {
        Ok(())
    } else {
        Err(Fault::bare(format!("{} values for {used} parameters: {sql}", params.len())))
    }
}

pub(super) struct BoundValue<'a>(pub(super) Value<'a>);

impl ToSql for BoundValue<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

pub(super) fn is_busy(cause: &rusqlite::Error) -> bool {
    cause.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// A failed statement. A fault that another process, a full disk or a read-only mount causes may heal by itself.
pub(super) fn fault(what: &str, cause: rusqlite::Error) -> Fault {
    let heals = matches!(
        cause.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
        )
    );
    let why = if has_no_room(&cause) { ", because the disk is full: the log's index has no room" } else { "" };
    let fault = Fault::new(format!("{what}{why}"), cause);
    if heals { fault.retryable() } else { fault }
}

/// Of the index of the log SQLite says only that it cannot be made as large as it has to be ("Result and Error Codes").
fn has_no_room(cause: &rusqlite::Error) -> bool {
    cause.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}
