//! The inbox for people and for the timer: listed, shown, and tried again.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Error, Refused, Result};
use crate::store::inbox::{self, InboxRow, Status};
use crate::store::users;

use crate::usecase::stripe_events::apply::EventOutcome;
use crate::usecase::stripe_events::receive::{again, facts_for, failed, foreign, read};

/// Events that the timer tries again at once.
const BATCH: i64 = 50;

/// Events by arrival, newest first.
pub fn list(app: &App, status: Option<Status>, limit: i64) -> Result<Vec<InboxRow>> {
    let end = Timestamp::from_millis(i64::MAX);
    app.store.read(|tx| inbox::newest(tx, status, (end, ""), limit))
}

/// One event.
pub fn show(app: &App, id: &str) -> Result<InboxRow> {
    app.store
        .read(|tx| inbox::by_id(tx, id))?
        .ok_or_else(|| Refused::NotFound(format!("There is no event {id:?} in the inbox. See till event list.")).into())
}

/// How many events have which status.
pub fn count(app: &App) -> Result<Vec<(Status, i64)>> {
    app.store.read(inbox::count)
}

/// Applies an event once more. With `dry_run` nothing of it is kept: the answer says what it would do.
pub fn replay(app: &App, id: &str, dry_run: bool) -> Result<EventOutcome> {
    let row = show(app, id)?;
    if let Some(why) = foreign(&read(&row)?, app.config.stripe.mode()) {
        return Ok(EventOutcome::ignored(why));
    }
    let now = app.clock.now();
    let catalog = app.catalog.clone();
    let facts = facts_for(app, &row)?;
    if dry_run {
        return app.store.dry_run(move |tx| again(tx, &catalog, &row, &facts, now));
    }
    let settled = app.store.write(move |tx| again(tx, &catalog, &row, &facts, now))?;
    settled.told.iter().for_each(|event| event.log(app));
    Ok(settled)
}

/// Tries again what the timer is due for. Answers how many were tried.
pub fn retry(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let due = app.store.read(|tx| inbox::to_retry(tx, now, BATCH))?;
    let tried = due.len();
    for row in due {
        let (catalog, retried) = (app.catalog.clone(), row.clone());
        let settled = facts_for(app, &row)
            .and_then(|facts| app.store.write(move |tx| again(tx, &catalog, &retried, &facts, now)));
        match settled {
            Ok(settled) => settled.told.iter().for_each(|event| event.log(app)),
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

/// The operator says whose an unmatched payment is, and, where Stripe does not say, which pack was bought. It is applied
/// like any event, once.
pub fn assign(app: &App, id: &str, user: &str, offer: Option<&str>) -> Result<EventOutcome> {
    let row = show(app, id)?;
    if row.decision.status != Status::Unmatched {
        let detail =
            format!("The event {id} is {}: only an unmatched one can be assigned.", row.decision.status.as_str());
        return Err(Refused::InvalidRequest(detail).into());
    }
    if let Some(key) = offer
        && app.catalog.offer(key).is_none()
    {
        return Err(Refused::UnknownPlan(format!("There is no {key:?} in the catalogue.")).into());
    }
    let (facts, now, catalog) = (facts_for(app, &row)?, app.clock.now(), app.catalog.clone());
    let (user, offer) = (user.to_owned(), offer.map(str::to_owned));
    let settled = app.store.write(move |tx| {
        let account = users::by_id(tx, &user)?.account;
        inbox::assign(tx, &row.event.id, account, offer.as_deref())?;
        let row = InboxRow { assigned_to: Some(account), assigned_offer: offer.clone(), ..row.clone() };
        again(tx, &catalog, &row, &facts, now)
    })?;
    settled.told.iter().for_each(|event| event.log(app));
    Ok(settled)
}
