//! A webhook arrives: verified, stored by its id, and applied, all in one transaction. An event that was seen is one
//! that was applied, or that says what became of it.

use std::time::Duration;

use crate::app::App;
use crate::catalog::Catalog;
use crate::clock::{Deadline, Timestamp};
use crate::config::Mode;
use crate::error::{Error, Fault, Refused, Result};
use crate::metrics::EventLabels;
use crate::store::Tx;
use crate::store::inbox::{self, Decision, InboxRow, IncomingEvent, Status};
use crate::stripe::{Event, signature};

use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::{self, Assignment, Context, EventOutcome, Facts};
use crate::usecase::stripe_events::prefetch;

/// Events that one arrival may wake.
const WAKE_LIMIT: i64 = 100;
/// How long Stripe may take to answer what an event does not say: Stripe itself waits for us meanwhile.
const PATIENCE: Duration = Duration::from_secs(4);

/// Takes a webhook's raw body. Success means that all it says is durable. A refusal means that it is not Stripe's, or
/// not readable; a fault, that the database failed and Stripe should send it again.
pub fn receive(app: &App, header: Option<&[u8]>, body: &[u8]) -> Result<Status> {
    let now = app.clock.now();
    let rejected = |reason: String| {
        app.metrics.webhook_rejected.inc();
        tracing::warn!(event = "webhook_rejected", reason);
        Error::from(Refused::InvalidRequest(reason))
    };
    let verified = signature::verify(header, body, &app.config.stripe.webhook_secrets, now);
    let verified = verified.map_err(|fault| rejected(fault.to_string()))?;
    if verified.ahead_seconds > 0 {
        tracing::warn!(
            event = "webhook_from_the_future",
            ahead_seconds = verified.ahead_seconds,
            "check this server's clock"
        );
    }
    let event = Event::parse(body).map_err(|cause| rejected(cause.to_string()))?;
    let text = std::str::from_utf8(body).map_err(|cause| rejected(cause.to_string()))?;
    take(app, event, text.to_owned(), now)
}

/// Attempts, over about a day, after which an event that waits counts as unmatched; it is still tried.
const PATIENT_ATTEMPTS: i64 = 12;

/// Stores and applies an event that is Stripe's for certain, once.
pub(crate) fn take(app: &App, event: Event, body: String, now: Timestamp) -> Result<Status> {
    let received = IncomingEvent {
        id: event.id.clone(),
        kind: event.kind.clone(),
        api_version: event.api_version.clone(),
        livemode: event.livemode.unwrap_or(false),
        object: event.object.get("id").and_then(|id| id.as_str()).map(str::to_owned),
        body,
        created_at: event.created,
        received_at: now,
    };
    let foreign = foreign(&event, app.config.stripe.mode());
    let facts = match &foreign {
        Some(_) => Facts::default(),
        None => prefetch::facts(app, &event, Deadline::after(PATIENCE))?,
    };
    let (catalog, row) = (app.catalog.clone(), received.clone());
    let outcome = app.store.write(move |tx| {
        if let Some(known) = inbox::by_id(tx, &row.id)? {
            return Ok((known.decision.status, vec![]));
        }
        let settled = match &foreign {
            Some(why) => EventOutcome::ignored(why.clone()),
            None => {
                let context = Context { catalog: &catalog, facts: &facts, assigned: None, now };
                apply::event(tx, &context, &event)?
            }
        };
        store(tx, &catalog, &row, settled, now)
    });
    let (status, told) = match outcome {
        Err(Error::Fault(fault)) if !fault.is_retryable() => (keep_failed(app, received.clone(), &fault, now)?, vec![]),
        other => other?,
    };
    told.iter().for_each(|event| event.log(app));
    let kind = if apply::HANDLED.contains(&received.kind.as_str()) { &received.kind } else { "other" };
    app.metrics.webhook_events.get_or_create(&EventLabels { kind: kind.to_owned(), status: status.as_str() }).inc();
    tracing::debug!(event = "webhook_received", id = received.id, kind = received.kind, status = status.as_str());
    Ok(status)
}

/// An event that is none of our business, however it is signed.
pub(crate) fn foreign(event: &Event, mode: Option<Mode>) -> Option<String> {
    if event.thin {
        return Some("a thin event carries nothing to apply".to_owned());
    }
    if let Some(account) = &event.account {
        return Some(format!("it concerns the connected account {account}"));
    }
    let live = event.livemode?;
    match mode {
        Some(mode) if live != (mode == Mode::Live) => {
            let (theirs, ours) = if live { ("live", "test") } else { ("test", "live") };
            tracing::warn!(event = "webhook_wrong_mode", id = event.id, theirs, ours);
            Some(format!("a {theirs} mode event, and the key is a {ours} mode key"))
        }
        _ => None,
    }
}

fn store(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    row: &IncomingEvent,
    settled: EventOutcome,
    now: Timestamp,
) -> Result<(Status, Vec<LogEvent>)> {
    if !inbox::add(tx, row, &decision(&settled, 1, now))? {
        return Err(Fault::bare("the event arrived twice at once").retryable().into());
    }
    let mut told = settled.told;
    told.extend(wake(tx, catalog, &settled.known, now)?);
    Ok((settled.status, told))
}

/// Tries again what waits for something that has just become known.
fn wake(tx: &mut dyn Tx, catalog: &Catalog, known: &[String], now: Timestamp) -> Result<Vec<LogEvent>> {
    let mut told = vec![];
    for referent in known {
        for waiting in inbox::waiting_for(tx, referent, WAKE_LIMIT)? {
            told.extend(again(tx, catalog, &waiting, &Facts::default(), now)?.told);
        }
    }
    Ok(told)
}

/// An event as it is kept in the inbox.
pub(crate) fn read(row: &InboxRow) -> std::result::Result<Event, Fault> {
    let unreadable = |cause| Fault::new(format!("the event {} cannot be read", row.event.id), cause);
    Event::parse(row.event.body.as_bytes()).map_err(unreadable)
}

/// Applies an event of the inbox once more and records what became of it.
pub(crate) fn again(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    row: &InboxRow,
    facts: &Facts,
    now: Timestamp,
) -> Result<EventOutcome> {
    let event = read(row)?;
    let assigned = row.assigned_to.map(|account| Assignment { account, offer: row.assigned_offer.clone() });
    let context = Context { catalog, facts, assigned, now };
    let settled = apply::event(tx, &context, &event)?;
    inbox::decide(tx, &row.event.id, &decision(&settled, row.attempts + 1, now), now)?;
    Ok(settled)
}

/// What Stripe has to be asked for before an event of the inbox is applied again.
pub(crate) fn facts_for(app: &App, row: &InboxRow) -> Result<Facts> {
    prefetch::facts(app, &read(row)?, Deadline::after(PATIENCE))
}

/// Keeps an event that could not be applied, with the reason. Stripe is told that it arrived: sending it again would
/// not help, and the timer tries it again.
fn keep_failed(app: &App, row: IncomingEvent, fault: &Fault, now: Timestamp) -> Result<Status> {
    let decision = failed(fault, 1, now);
    tracing::error!(event = "webhook_not_applied", id = row.id, kind = row.kind, fault = %fault);
    app.store.write(move |tx| inbox::add(tx, &row, &decision))?;
    Ok(Status::Failed)
}

/// The decision for a fault.
pub(crate) fn failed(fault: &Fault, attempts: i64, now: Timestamp) -> Decision {
    Decision {
        status: Status::Failed,
        detail: fault.to_string(),
        waits_for: None,
        next_attempt_at: next_attempt(attempts, now),
    }
}

fn decision(settled: &EventOutcome, attempts: i64, now: Timestamp) -> Decision {
    let next_attempt_at = if settled.status == Status::Waiting { next_attempt(attempts, now) } else { None };
    // What it waits for may never come, as for a payment from before till was here: then the operator is shown it.
    let is_late = settled.status == Status::Waiting && attempts > PATIENT_ATTEMPTS;
    Decision {
        status: if is_late { Status::Unmatched } else { settled.status },
        detail: settled.detail.clone(),
        waits_for: settled.waits_for.clone(),
        next_attempt_at,
    }
}

/// One minute, then twice as long each time up to six hours, for about a month; then only what it waits for, or the
/// operator, wakes it.
fn next_attempt(attempts: i64, now: Timestamp) -> Option<Timestamp> {
    let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(9);
    (attempts < 130).then(|| now.plus_seconds((60i64 << doublings).min(6 * 3600)))
}
