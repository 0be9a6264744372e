//! The audit: what was done, by whom and from where. A row is written in the transaction that does it, and logged after the
//! commit. Movements have no row: their entries name the actor.

use crate::actor::Actor;
use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp, rfc3339};
use crate::error::Result;
use crate::store::Tx;
use crate::store::audit::{self, AuditFilter, AuditRow};
use crate::usecase::batches;

/// What one transaction does, for the audit.
pub(crate) struct Trail {
    actor: Actor,
    at: Timestamp,
    to_log: Vec<Action>,
}

struct Action {
    actor: Actor,
    action: &'static str,
    target: String,
    detail: Option<String>,
}

impl Trail {
    /// Adds a row: what was done, to what, and what else is worth knowing. No secret and nobody's data may be in it.
    pub(crate) fn add(
        &mut self,
        tx: &mut dyn Tx,
        action: &'static str,
        target: &str,
        detail: impl Into<Option<String>>,
    ) -> Result<()> {
        let detail = detail.into();
        audit::add(tx, (&self.actor, self.at), action, Some(target), detail.as_deref())?;
        self.to_log.push(Action { actor: self.actor.clone(), action, target: target.to_owned(), detail });
        Ok(())
    }

    /// From here on it is this user who acts, from the same address.
    pub(crate) fn is_done_by_user(&mut self, id: &str) {
        self.actor = self.actor.identified_as(Actor::user(id));
    }
}

/// Rows that are removed in one transaction.
const REMOVE_BATCH: i64 = 1000;
/// Transactions of one clean-up.
const REMOVE_BATCHES: usize = 20;

/// Removes rows that are older than two years, the oldest first; none while the clock is implausible. A row says that they are
/// gone. Returns how many.
pub fn remove_old(app: &App) -> Result<usize> {
    if !app.clock.is_plausible() {
        return Ok(0);
    }
    let before = app.clock.now().plus_seconds(-audit::KEPT_DAYS * DAY_SECONDS);
    batches::run(REMOVE_BATCHES, || {
        write(app, move |tx, trail| {
            if audit::oldest(tx)?.is_none_or(|oldest| oldest >= before) {
                return Ok(0);
            }
            // Written first: the table judges the age of a row by the newest one.
            trail.add(tx, "audit_removed", "audit", format!("rows of before {}", rfc3339(before)))?;
            audit::remove_old(tx, before, REMOVE_BATCH)
        })
    })
}

/// Runs `work` in a write transaction, and logs after the commit what it added to the audit.
pub(crate) fn write<T, F>(app: &App, mut work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnMut(&mut dyn Tx, &mut Trail) -> Result<T> + Send + 'static,
{
    let (actor, at) = (app.actor().clone(), app.clock.now());
    let (value, done) = app.store.write(move |tx| {
        // A write closure may run again, so each run gets a trail of its own.
        let mut trail = Trail { actor: actor.clone(), at, to_log: vec![] };
        let value = work(tx, &mut trail)?;
        Ok((value, trail.to_log))
    })?;
    log(done);
    Ok(value)
}

/// Adds a row about something that changes nothing here, so that the audit says who looked and why.
pub fn record_look(app: &App, action: &'static str, target: &str) -> Result<()> {
    let target = target.to_owned();
    write(app, move |tx, trail| trail.add(tx, action, &target, None))
}

fn log(done: Vec<Action>) {
    for Action { actor, action, target, detail } in done {
        let (actor, address, reason) = (actor.name(), actor.address(), actor.reason());
        // Each line has a target of tracing's own: the module.
        tracing::info!(event = "audit", action, actor, subject = target, address, detail, reason);
    }
}

/// Rows before the one with number `before`, newest first.
pub fn list(app: &App, filter: &AuditFilter, before: Option<i64>, limit: i64) -> Result<Vec<AuditRow>> {
    app.store.read(|tx| audit::newest(tx, filter, before.unwrap_or(i64::MAX), limit))
}
