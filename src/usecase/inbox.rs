//! The inbox for people and for the timer: listed, shown, and tried again.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Error, Refused, Result};
use crate::store::inbox::{self, Inboxed, Status};

use super::receive::{again, failed, foreign, read};
use super::settle::Settled;

/// Events that the timer tries again at once.
const BATCH: i64 = 50;

/// Events by arrival, newest first.
pub fn list(app: &App, status: Option<Status>, limit: i64) -> Result<Vec<Inboxed>> {
    let end = Timestamp::from_millis(i64::MAX);
    app.store.read(|tx| inbox::newest(tx, status, (end, ""), limit))
}

/// One event.
pub fn show(app: &App, id: &str) -> Result<Inboxed> {
    app.store
        .read(|tx| inbox::by_id(tx, id))?
        .ok_or_else(|| Refused::NotFound(format!("There is no event {id:?} in the inbox. See till event list.")).into())
}

/// How many events have which status.
pub fn count(app: &App) -> Result<Vec<(Status, i64)>> {
    app.store.read(inbox::count)
}

/// Applies an event once more. With `dry_run` nothing of it is kept: the answer says what it would do.
pub fn replay(app: &App, id: &str, dry_run: bool) -> Result<Settled> {
    let row = show(app, id)?;
    if let Some(why) = foreign(&read(&row)?, app.config.stripe.mode()) {
        return Ok(Settled::ignored(why));
    }
    let now = app.clock.now();
    let catalog = app.catalog.clone();
    if dry_run {
        return app.store.rehearse(move |tx| again(tx, &catalog, &row, now));
    }
    let settled = app.store.write(move |tx| again(tx, &catalog, &row, now))?;
    settled.told.iter().for_each(|told| told.tell(app));
    Ok(settled)
}

/// Tries again what the timer is due for. Answers how many were tried.
pub fn retry(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let due = app.store.read(|tx| inbox::to_retry(tx, now, BATCH))?;
    let tried = due.len();
    for row in due {
        let (catalog, retried) = (app.catalog.clone(), row.clone());
        match app.store.write(move |tx| again(tx, &catalog, &retried, now)) {
            Ok(settled) => settled.told.iter().for_each(|told| told.tell(app)),
            Err(Error::Fault(fault)) if !fault.is_retryable() => {
                let (id, decision) = (row.event.id.clone(), failed(&fault, row.attempts + 1, now));
                tracing::error!(event = "event_not_applied", id, fault = %fault);
                app.store.write(move |tx| inbox::decide(tx, &id, &decision, now))?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(tried)
}
