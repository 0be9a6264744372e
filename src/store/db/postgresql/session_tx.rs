//! A session as a transaction: for what only reads, and for what has begun one by hand.

use super::session::Session;
use crate::error::Fault;
use crate::store::db::fault::DbResult;
use crate::store::db::figures::FigureChange;
use crate::store::db::tx::{Engine, Tx};
use crate::store::db::value::{Param, Row};

/// What runs on a session. Nothing is added to figures by it.
pub(super) struct SessionTx<'a> {
    session: &'a mut Session,
    only_reads: bool,
}

impl<'a> SessionTx<'a> {
    /// Statements that read, in a transaction or each alone.
    pub(super) fn reading(session: &'a mut Session) -> SessionTx<'a> {
        SessionTx { session, only_reads: true }
    }

    /// The transaction under way.
    pub(super) fn writing(session: &'a mut Session) -> SessionTx<'a> {
        SessionTx { session, only_reads: false }
    }
}

impl Tx for SessionTx<'_> {
    fn execute(&mut self, sql: &'static str, params: &[&dyn Param]) -> DbResult<usize> {
        match self.only_reads {
            true => Err(Fault::bare(format!("a write on a read-only connection: {sql}"))),
            false => self.session.execute(sql, params),
        }
    }

    fn query(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
    ) -> DbResult<()> {
        self.session.query(sql, params, false, visit)
    }

    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn mark_changed(&mut self, _account: i64) {}

    fn add_to_figure(&mut self, _change: FigureChange) {}
}
