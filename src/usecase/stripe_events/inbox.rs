//! The operator's view of the inbox: list, show, replay, assign and dismiss events.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Refused, Result};
use crate::store::customers::{self, LinkSource};
use crate::store::inbox::{self, IgnoreReason, InboxRow, Status};
use crate::store::open_events::{self, OpenEvents};
use crate::store::{Tx, users};
use crate::stripe::{Event, EventEnvelope};
use crate::usecase::audit;
use crate::usecase::stripe_events::apply::{self, EventOutcome};
use crate::usecase::stripe_events::link;
use crate::usecase::stripe_events::prefetcher::Prefetcher;
use crate::usecase::stripe_events::receive::foreign;
use crate::usecase::stripe_events::retry::{ask_now, envelope, reapply};

/// Events by arrival, newest first.
pub fn list(app: &App, status: Option<Status>, limit: i64) -> Result<Vec<InboxRow>> {
    page(app, status, None, limit)
}

/// Events that arrived before this time, or at it with an id before this one, newest first.
pub fn page(
    app: &App,
    status: Option<Status>,
    before: Option<(Timestamp, String)>,
    limit: i64,
) -> Result<Vec<InboxRow>> {
    let (at, id) = before.unwrap_or((Timestamp::from_millis(i64::MAX), String::new()));
    app.store.read(|tx| inbox::newest(tx, status, (at, &id), limit))
}

/// What Stripe sent, as [`body_text`] writes it. The audit says who looked at it.
pub fn look_at_body(app: &App, id: &str) -> Result<Option<String>> {
    let row = show(app, id)?;
    let event = id.to_owned();
    audit::write(app, move |tx, trail| trail.add(tx, "payload_viewed", &event, None))?;
    Ok(body_text(&row))
}

/// What Stripe sent, a line for each field; `None` if it is no longer kept.
pub fn body_text(row: &InboxRow) -> Option<String> {
    let body = row.event.body.as_deref()?;
    let read: Option<serde_json::Value> = serde_json::from_str(body).ok();
    Some(read.and_then(|read| serde_json::to_string_pretty(&read).ok()).unwrap_or_else(|| body.to_owned()))
}

/// The event with this id.
pub fn show(app: &App, id: &str) -> Result<InboxRow> {
    app.store
        .read(|tx| inbox::by_id(tx, id))?
        .ok_or_else(|| Refused::NotFound(format!("There is no event {id:?} in the inbox. See till event list.")).into())
}

/// What [`count`] tells apart.
pub const KINDS: [&str; 7] = ["applied", "ignored", "foreign", "dismissed", "waiting", "unmatched", "failed"];

/// The number of events of each status; what is foreign and what was dismissed is counted apart.
pub fn count(app: &App) -> Result<Vec<(&'static str, i64)>> {
    app.store.read(inbox::count)
}

/// How many customers' open events are shown.
const CUSTOMERS_LIMIT: i64 = 50;

/// What could not be applied, by customer, the longest open first.
pub fn open_by_customer(app: &App) -> Result<Vec<OpenEvents>> {
    app.store.read(|tx| open_events::by_customer(tx, CUSTOMERS_LIMIT))
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
    let mut prefetcher = Prefetcher::new(app);
    let prefetched = prefetcher.prefetch(&envelope)?;
    if dry_run {
        return app.store.dry_run(move |tx| reapply(tx, &catalog, &row, &prefetched, now));
    }
    let outcome = audit::write(app, move |tx, trail| {
        let outcome = reapply(tx, &catalog, &row, &prefetched, now)?;
        trail.add(tx, "event_replayed", &row.event.id, format!("{}: {}", outcome.status.as_str(), outcome.detail))?;
        Ok(outcome)
    })?;
    outcome.log_events.iter().for_each(|event| event.log(app));
    ask_now(app, outcome.unsure_subscription.as_deref(), prefetcher.left());
    Ok(outcome)
}

/// Assigns a payment or a subscription to a user and, if Stripe does not say it, to the pack that was bought. It is then
/// applied like any event, once. Its customer becomes the user's too, unless it is another's, so that what follows from
/// the same customer needs no operator.
pub fn assign(app: &App, id: &str, user: &str, offer: Option<&str>) -> Result<EventOutcome> {
    let row = show(app, id)?;
    let envelope = envelope(&row)?;
    refuse_unassignable(app, &row, &envelope)?;
    if let Some(key) = offer
        && app.catalog.offer(key).is_none()
    {
        return Err(Refused::UnknownPlan(format!("There is no {key:?} in the catalogue.")).into());
    }
    let mut prefetcher = Prefetcher::new(app);
    let prefetched = prefetcher.prefetch(&envelope)?;
    let now = app.clock.now();
    let customer = customer_of(&row, &prefetched.event);
    let is_unknown =
        |customer: &String| -> Result<bool> { Ok(app.store.read(|tx| customers::account_of(tx, customer))?.is_none()) };
    let mut candidates = vec![];
    if let Some(customer) = &customer
        && is_unknown(customer)?
    {
        candidates = link::in_inbox(&mut prefetcher, app, customer)?;
        candidates.extend(link::at_stripe_or_later(&mut prefetcher, app, customer, now));
    }
    let catalog = app.catalog.clone();
    let user = user.to_owned();
    let offer = offer.map(str::to_owned);
    let outcome = audit::write(app, move |tx, trail| {
        let account = users::by_id(tx, &user)?.account;
        trail.add(tx, "event_assigned", &row.event.id, format!("to {user}"))?;
        if let Some(referent) = &row.decision.waits_for {
            inbox::reopen(tx, referent)?;
        }
        inbox::assign(tx, &row.event.id, account, offer.as_deref())?;
        let row = InboxRow { assigned_to: Some(account), assigned_offer: offer.clone(), ..row.clone() };
        let mut outcome = reapply(tx, &catalog, &row, &prefetched, now)?;
        let is_in_books = outcome.waits_for.is_none() && outcome.status != Status::Ignored;
        if let Some(customer) = customer.as_deref().filter(|_| is_in_books) {
            // One that is another's stays there: only this payment was assigned.
            let linked = apply::link(tx, account, customer, LinkSource::Operator, now)?.unwrap_or_default();
            outcome.log_events.extend(linked);
            outcome.log_events.extend(link::apply_all(tx, &catalog, &candidates, now)?.1);
        }
        Ok(outcome)
    })?;
    outcome.log_events.iter().for_each(|event| event.log(app));
    Ok(outcome)
}

/// Refuses what an assignment would not change: only what is unmatched, and what was ignored because nobody knew whose it
/// was, can be assigned.
fn refuse_unassignable(app: &App, row: &InboxRow, envelope: &EventEnvelope) -> Result<()> {
    let id = &row.event.id;
    if let Some(why) = foreign(envelope, app.config.stripe.mode()) {
        return Err(Refused::WrongState(format!("The event {id} cannot be assigned: {why}.")).into());
    }
    let event = envelope.event();
    let status = row.decision.status;
    let is_unowned = match &event {
        Event::Subscription { .. } => true,
        Event::Checkout(session, _) => row.decision.ignore_reason.is_some() || session.is_subscription(),
        _ => row.decision.ignore_reason.is_some(),
    };
    if status != Status::Unmatched && !(status == Status::Ignored && is_unowned) {
        let detail = format!("The event {id} is {}: only an unmatched one can be assigned.", status.as_str());
        return Err(Refused::WrongState(detail).into());
    }
    Ok(())
}

/// The customer that pays, by the event's object, or by the invoice that it belongs to.
fn customer_of(row: &InboxRow, event: &Event) -> Option<String> {
    match event {
        Event::InvoicePayment(payment) => payment.paid_invoice.as_ref().and_then(|invoice| invoice.customer.clone()),
        _ => row.event.customer.clone(),
    }
}

/// Closes an event that could not be applied, with all that tells of the same payment: it stays ignored, and so does what
/// Stripe sends about that payment later. With `dry_run` nothing is stored. Returns the ids that were closed, and the
/// words.
pub fn dismiss(app: &App, id: &str, reason: Option<&str>, dry_run: bool) -> Result<(Vec<String>, String)> {
    let row = show(app, id)?;
    if row.decision.ignore_reason == Some(IgnoreReason::Dismissed) {
        return Ok((vec![], row.decision.detail));
    }
    if !matches!(row.decision.status, Status::Unmatched | Status::Waiting | Status::Failed) {
        let status = row.decision.status.as_str();
        let detail =
            format!("The event {id} is {status}: only one that is unmatched, waiting or failed can be dismissed.");
        return Err(Refused::WrongState(detail).into());
    }
    let detail = match reason.map(str::trim).filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("dismissed by the operator: {reason}"),
        None => "dismissed by the operator".to_owned(),
    };
    let now = app.clock.now();
    let (event, words) = (id.to_owned(), detail.clone());
    let work = move |tx: &mut dyn Tx| inbox::dismiss(tx, &event, &words, now);
    if dry_run {
        return Ok((app.store.dry_run(work)?, detail));
    }
    let event = id.to_owned();
    let closed = audit::write(app, move |tx, trail| {
        let closed = work(tx)?;
        trail.add(tx, "event_dismissed", &event, None)?;
        Ok(closed)
    })?;
    tracing::info!(event = "event_dismissed", id, closed = closed.len(), detail);
    Ok((closed, detail))
}
