//! The operator's view of the inbox: list, show, replay and assign events.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Refused, Result};
use crate::store::inbox::{self, InboxRow, Status};
use crate::store::users;
use crate::usecase::audit;
use crate::usecase::stripe_events::apply::EventOutcome;
use crate::usecase::stripe_events::prefetch::prefetch;
use crate::usecase::stripe_events::receive::foreign;
use crate::usecase::stripe_events::retry::{ask_now, envelope, reapply};

/// Events by arrival, newest first.
pub fn list(app: &App, status: Option<Status>, limit: i64) -> Result<Vec<InboxRow>> {
    let end = Timestamp::from_millis(i64::MAX);
    app.store.read(|tx| inbox::newest(tx, status, (end, ""), limit))
}

/// The event with this id.
pub fn show(app: &App, id: &str) -> Result<InboxRow> {
    app.store
        .read(|tx| inbox::by_id(tx, id))?
        .ok_or_else(|| Refused::NotFound(format!("There is no event {id:?} in the inbox. See till event list.")).into())
}

/// The number of events of each status.
pub fn count(app: &App) -> Result<Vec<(Status, i64)>> {
    app.store.read(inbox::count)
}

/// Applies an event once more. With `dry_run` nothing is stored: the outcome says what would happen.
pub fn replay(app: &App, id: &str, dry_run: bool) -> Result<EventOutcome> {
    let row = show(app, id)?;
    let envelope = envelope(&row)?;
    if let Some(why) = foreign(&envelope, app.config.stripe.mode()) {
        return Ok(EventOutcome::ignored(why));
    }
    let now = app.clock.now();
    let catalog = app.catalog.clone();
    let prefetched = prefetch(app, &envelope)?;
    if dry_run {
        return app.store.dry_run(move |tx| reapply(tx, &catalog, &row, &prefetched, now));
    }
    let outcome = audit::write(app, move |tx, trail| {
        let outcome = reapply(tx, &catalog, &row, &prefetched, now)?;
        trail.add(tx, "event_replayed", &row.event.id, format!("{}: {}", outcome.status.as_str(), outcome.detail))?;
        Ok(outcome)
    })?;
    outcome.log_events.iter().for_each(|event| event.log(app));
    ask_now(app, outcome.unsure_subscription.as_deref());
    Ok(outcome)
}

/// Assigns an unmatched payment to a user and, if Stripe does not say it, to the pack that was bought. It is then
/// applied like any event, once.
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
    let prefetched = prefetch(app, &envelope(&row)?)?;
    let now = app.clock.now();
    let catalog = app.catalog.clone();
    let user = user.to_owned();
    let offer = offer.map(str::to_owned);
    let outcome = audit::write(app, move |tx, trail| {
        let account = users::by_id(tx, &user)?.account;
        trail.add(tx, "event_assigned", &row.event.id, format!("to {user}"))?;
        inbox::assign(tx, &row.event.id, account, offer.as_deref())?;
        let row = InboxRow { assigned_to: Some(account), assigned_offer: offer.clone(), ..row.clone() };
        reapply(tx, &catalog, &row, &prefetched, now)
    })?;
    outcome.log_events.iter().for_each(|event| event.log(app));
    Ok(outcome)
}
