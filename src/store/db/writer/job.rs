//! One write: the work, and the caller that waits for its result. Whatever the work does, a panic included, concerns
//! this job alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::connection::Scope;
use crate::error::{Error, Fault, Result};
use crate::store::db::fault::unavailable;
use crate::store::db::tx::Tx;

/// A piece of work, with the caller that waits for it.
pub(super) trait Job: Send {
    /// Whose rows it changes.
    fn scope(&self) -> &Scope;
    /// Does the work inside the transaction under way; `false` when it must be undone.
    fn run(&mut self, tx: &mut dyn Tx) -> bool;
    /// Hands the result to the caller: what the work returned, or the error that undid it.
    fn answer(self: Box<Self>, undone_by: Option<Error>);
}

/// A job that has not been answered yet.
pub(super) struct PendingJob<T, F, A> {
    pub(super) scope: Scope,
    pub(super) work: F,
    pub(super) result: Option<Result<T>>,
    pub(super) then: A,
}

impl<T, F, A> Job for PendingJob<T, F, A>
where
    T: Send,
    F: FnMut(&mut dyn Tx) -> Result<T> + Send,
    A: FnOnce(Result<T>) + Send,
{
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn run(&mut self, tx: &mut dyn Tx) -> bool {
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)));
        let result = result.unwrap_or_else(|_| Err(Fault::bare("a write panicked; nothing of it was kept").into()));
        let kept = result.is_ok();
        self.result = Some(result);
        kept
    }

    fn answer(self: Box<Self>, undone_by: Option<Error>) {
        let PendingJob { result, then, .. } = *self;
        let result = match (undone_by, result) {
            // The fault of the work itself says more than "the transaction was lost". A refusal does not count: what it
            // was decided upon never came to be.
            (Some(_), Some(Err(own @ Error::Fault(_)))) => Err(own),
            (Some(error), _) => Err(error),
            (None, Some(result)) => result,
            (None, None) => Err(Fault::bare("a write was not run").into()),
        };
        let healed = result.map_err(|error| match error {
            Error::Fault(fault) => unavailable(fault),
            refused @ Error::Refused(_) => refused,
        });
        // One caller may panic over its answer; the others still get theirs.
        if catch_unwind(AssertUnwindSafe(|| then(healed))).is_err() {
            tracing::error!(event = "fault", fault = "the caller of a write panicked over its answer");
        }
    }
}
