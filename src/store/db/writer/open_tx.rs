//! The transaction under way, as a job sees it.

use super::connection::WriteConnection;
use crate::error::Fault;
use crate::store::db::fault::DbResult;
use crate::store::db::figures::FigureChange;
use crate::store::db::tx::{Engine, Tx};
use crate::store::db::value::{Param, Row};

/// The transaction under way. SQLite ends it by itself on a full disk or an I/O error, and each further statement of the job
/// would then be committed on its own; PostgreSQL takes no further one after one that failed.
pub(super) struct OpenTx<'a>(pub(super) &'a mut dyn WriteConnection);

impl OpenTx<'_> {
    fn connection(&mut self) -> DbResult<&mut dyn WriteConnection> {
        if self.0.is_open() { Ok(self.0) } else { Err(lost()) }
    }
}

impl Tx for OpenTx<'_> {
    fn execute(&mut self, sql: &'static str, params: &[&dyn Param]) -> DbResult<usize> {
        self.connection()?.execute(sql, params)
    }

    fn query(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
    ) -> DbResult<()> {
        self.connection()?.query(sql, params, visit)
    }

    fn query_locking(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
    ) -> DbResult<()> {
        self.connection()?.query_locking(sql, params, visit)
    }

    fn engine(&self) -> Engine {
        self.0.engine()
    }

    fn mark_changed(&mut self, account: i64) {
        self.0.mark_changed(account);
    }

    fn add_to_figure(&mut self, change: FigureChange) {
        self.0.add_to_figure(change);
    }

    fn is_time_plausible(&self) -> bool {
        self.0.is_time_plausible()
    }
}

pub(super) fn lost() -> Fault {
    Fault::bare("the transaction was lost").retryable()
}
