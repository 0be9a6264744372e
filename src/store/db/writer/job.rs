//! One write: the work, and the caller that waits for its result. Whatever the work does, a panic included, concerns
//! this job alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::connection::Scope;
use crate::error::{Error, Fault, Result};
use crate::slot::Slot;
use crate::store::db::fault::unavailable;
use crate::store::db::tx::Tx;

/// What is done inside of the transaction, perhaps more than once.
pub(super) type Work = Box<dyn FnMut(&mut dyn Tx) -> Result<()> + Send>;
/// Gets the outcome, once.
type Callback = Box<dyn FnOnce(Result<()>) + Send>;

/// A piece of work, with the caller that waits for it.
pub(super) struct Job {
    /// Whose rows it changes.
    pub(super) scope: Scope,
    work: Work,
    outcome: Option<Result<()>>,
    then: Callback,
}

/// The work, whose value goes to a place where the caller finds it.
pub(super) fn into_slot<T, F>(slot: &Slot<T>, mut work: F) -> Work
where
    T: Send + 'static,
    F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
{
    let slot = slot.clone();
    Box::new(move |tx| work(tx).map(|value| slot.put(value)))
}

impl Job {
    /// Work whose value `then` gets.
    pub(super) fn new<T, F, A>(scope: Scope, work: F, then: A) -> Job
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
        A: FnOnce(Result<T>) + Send + 'static,
    {
        let slot = Slot::new();
        let work = into_slot(&slot, work);
        Job::of(scope, work, Box::new(move |outcome| then(outcome.and_then(|()| slot.take()))))
    }

    /// Work whose value lies where its caller looks for it.
    pub(super) fn of(scope: Scope, work: Work, then: Callback) -> Job {
        Job { scope, work, outcome: None, then }
    }

    /// Does the work inside the transaction under way; `false` when it must be undone.
    pub(super) fn run(&mut self, tx: &mut dyn Tx) -> bool {
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)));
        let outcome = outcome.unwrap_or_else(|_| Err(Fault::bare("a write panicked; nothing of it was kept").into()));
        let kept = outcome.is_ok();
        self.outcome = Some(outcome);
        kept
    }

    /// Hands the result to the caller: what the work returned, or the error that undid it.
    pub(super) fn answer(self, undone_by: Option<Error>) {
        let outcome = match (undone_by, self.outcome) {
            // The fault of the work itself says more than "the transaction was lost". A refusal does not count: what it
            // was decided upon never came to be.
            (Some(_), Some(Err(own @ Error::Fault(_)))) => Err(own),
            (Some(error), _) => Err(error),
            (None, Some(outcome)) => outcome,
            (None, None) => Err(Fault::bare("a write was not run").into()),
        };
        let healed = outcome.map_err(|error| match error {
            Error::Fault(fault) => unavailable(fault),
            refused @ Error::Refused(_) => refused,
        });
        // One caller may panic over its answer; the others still get theirs.
        if catch_unwind(AssertUnwindSafe(|| (self.then)(healed))).is_err() {
            tracing::error!(event = "fault", fault = "the caller of a write panicked over its answer");
        }
    }
}
