//! One transaction, as the tables see it: statements in, rows out, whatever engine is below.

use super::fault::DbResult;
use super::figures::FigureChange;
use super::value::{Param, Row};
use crate::error::Result;

/// What keeps the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    /// Or an engine that speaks its protocol.
    Postgres,
}

impl Engine {
    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        }
    }
}

/// A transaction under way. Statements are constants, so that none is put together at run time; `$n` is the n-th
/// parameter, and a parameter too many or too few is refused.
pub trait Tx {
    /// Runs a statement and returns how many rows it changed.
    fn execute(&mut self, sql: &'static str, params: &[&dyn Param]) -> DbResult<usize>;

    /// Shows each row of a statement to `visit`. The statement carries its own LIMIT.
    fn query(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
    ) -> DbResult<()>;

    /// Shows each row of a statement like [`Tx::query`]. In a write that nothing else is kept away from ([`super::Scope`]), and
    /// on an engine with many writers, the row of the account `a` stays as it was shown until the transaction's end.
    fn query_locking(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
    ) -> DbResult<()> {
        self.query(sql, params, visit)
    }

    /// What is below: only for what no two engines do alike.
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    /// Invalidates cached answers about this account. Call it wherever an account's row is changed, a hold is closed, or a
    /// note is erased: the engine reports changed rows only of tables that have row numbers, and these have none. A new
    /// account needs no call, because its user's row is reported.
    fn mark_changed(&mut self, account: i64);

    /// Notes an addition to a figure. It is in the table `figures` once the transaction is durable, and with it; what a job
    /// noted that failed is dropped. Call it wherever a row is written from which the proof computes the figure again.
    fn add_to_figure(&mut self, change: FigureChange);

    /// Whether anything may be given or taken by time now (`docs/rules.md`, rule 14).
    fn is_time_plausible(&self) -> bool {
        true
    }
}

impl dyn Tx + '_ {
    /// All rows of a statement.
    pub fn all<T>(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        read: impl Fn(&Row<'_>) -> DbResult<T>,
    ) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        self.query(sql, params, &mut |row| {
            rows.push(read(row)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first row of a statement, if there is one.
    pub fn one<T>(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        read: impl Fn(&Row<'_>) -> DbResult<T>,
    ) -> Result<Option<T>> {
        self.first(false, sql, params, read)
    }

    /// The same of the account `a`, which then stays as it is: see [`Tx::query_locking`].
    pub fn one_locked<T>(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        read: impl Fn(&Row<'_>) -> DbResult<T>,
    ) -> Result<Option<T>> {
        self.first(true, sql, params, read)
    }

    fn first<T>(
        &mut self,
        locked: bool,
        sql: &'static str,
        params: &[&dyn Param],
        read: impl Fn(&Row<'_>) -> DbResult<T>,
    ) -> Result<Option<T>> {
        let mut first = None;
        let mut visit = |row: &Row<'_>| {
            if first.is_none() {
                first = Some(read(row)?);
            }
            Ok(())
        };
        match locked {
            true => self.query_locking(sql, params, &mut visit)?,
            false => self.query(sql, params, &mut visit)?,
        }
        Ok(first)
    }
}
