//! A session as a transaction: for what has begun one by hand.

use super::session::Session;
use crate::store::db::fault::DbResult;
use crate::store::db::figures::FigureChange;
use crate::store::db::tx::{Engine, Tx};
use crate::store::db::value::{Param, Row};

/// The transaction under way on a session. Nothing is added to figures by it.
pub(super) struct SessionTx<'a>(pub(super) &'a mut Session);

impl Tx for SessionTx<'_> {
    fn execute(&mut self, sql: &'static str, params: &[&dyn Param]) -> DbResult<usize> {
        self.0.execute(sql, params)
    }

    fn query(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
    ) -> DbResult<()> {
        self.0.query(sql, params, false, visit)
    }

    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn mark_changed(&mut self, _account: i64) {}

    fn add_to_figure(&mut self, _change: FigureChange) {}
}
