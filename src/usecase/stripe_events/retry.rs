//! What the inbox waits for. A waiting event is applied again when what it refers to becomes known, and by the timer.
//! The timer also asks Stripe about subscriptions whose events had no clear order, and allots the months of yearly
//! plans that are due.

use std::time::Duration;

use crate::app::App;
use crate::backoff::next_event_attempt;
use crate::catalog::Catalog;
use crate::clock::{Deadline, Timestamp};
use crate::error::{Error, Fault, Result};
use crate::store::inbox::{self, Decision, InboxRow, Status};
use crate::store::{Tx, allotments, subscriptions};
use crate::stripe::EventEnvelope;
use crate::usecase::log_events::LogEvent;
use crate::usecase::notifications::enqueue;
use crate::usecase::stripe_events::apply::{self, ApplyContext, Assignment, EventOutcome};
use crate::usecase::stripe_events::prefetch::{PrefetchedEvent, prefetch};
use crate::usecase::units::posting::{self, PostingContext};

/// Events, subscriptions or months per round of the timer.
const BATCH: i64 = 50;
/// Waiting events that one id may release at once.
const RELEASE_LIMIT: i64 = 100;
/// Attempts, over about a day, after which an event that waits counts as unmatched. It is still tried.
const PATIENT_ATTEMPTS: i64 = 12;
/// How long Stripe may take to describe a subscription.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the inbox records of an outcome after this many attempts.
pub(super) fn decision(outcome: &EventOutcome, attempts: i64, now: Timestamp) -> Decision {
    let is_waiting = outcome.status == Status::Waiting;
    // What it waits for may never come, for example a payment from before till was installed. Then the operator sees
    // it.
    let is_late = is_waiting && attempts > PATIENT_ATTEMPTS;
    Decision {
        status: if is_late { Status::Unmatched } else { outcome.status },
        detail: outcome.detail.clone(),
        waits_for: outcome.waits_for.clone(),
        next_attempt_at: if is_waiting { next_event_attempt(attempts, now) } else { None },
    }
}

/// What the inbox records of a fault.
pub(super) fn failed(fault: &Fault, attempts: i64, now: Timestamp) -> Decision {
    Decision {
        status: Status::Failed,
        detail: fault.to_string(),
        waits_for: None,
        next_attempt_at: next_event_attempt(attempts, now),
    }
}

/// The envelope of a row of the inbox.
pub(super) fn envelope(row: &InboxRow) -> Result<EventEnvelope> {
    let unreadable = |cause| Fault::new(format!("the event {} cannot be read", row.event.id), cause);
    Ok(EventEnvelope::parse(row.event.body.as_bytes()).map_err(unreadable)?)
}

/// Applies an event of the inbox once more and records the outcome.
pub(super) fn reapply(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    row: &InboxRow,
    prefetched: &PrefetchedEvent,
    now: Timestamp,
) -> Result<EventOutcome> {
    let assigned = row.assigned_to.map(|account| Assignment { account, offer: row.assigned_offer.clone() });
    let context = ApplyContext { catalog, assigned, stripe_answered: prefetched.stripe_answered, now };
    let outcome = apply::apply(tx, &context, &prefetched.event)?;
    inbox::decide(tx, &row.event.id, &decision(&outcome, row.attempts + 1, now), now)?;
    Ok(outcome)
}

/// Applies what waits for one of these ids, in the transaction that made them known.
pub(super) fn retry_waiting_for(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    known_ids: &[String],
    now: Timestamp,
) -> Result<Vec<LogEvent>> {
    let mut log_events = vec![];
    for referent in known_ids {
        for row in inbox::waiting_for(tx, referent, RELEASE_LIMIT)? {
            let event = PrefetchedEvent::as_sent(&envelope(&row)?);
            log_events.extend(reapply(tx, catalog, &row, &event, now)?.log_events);
        }
    }
    Ok(log_events)
}

/// Applies the events whose next attempt is due. Returns how many were tried.
pub fn retry_due(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let due = app.store.read(|tx| inbox::to_retry(tx, now, BATCH))?;
    for row in &due {
        match retry_one(app, row, now) {
            Ok(outcome) => outcome.log_events.iter().for_each(|event| event.log(app)),
            Err(Error::Fault(fault)) if !fault.is_retryable() => {
                let id = row.event.id.clone();
                let decision = failed(&fault, row.attempts + 1, now);
                tracing::error!(event = "event_not_applied", id, fault = %fault);
                app.store.write(move |tx| inbox::decide(tx, &id, &decision, now))?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(due.len())
}

fn retry_one(app: &App, row: &InboxRow, now: Timestamp) -> Result<EventOutcome> {
    let prefetched = prefetch(app, &envelope(row)?)?;
    let catalog = app.catalog.clone();
    let row = row.clone();
    app.store.write(move |tx| reapply(tx, &catalog, &row, &prefetched, now))
}

/// Asks Stripe about subscriptions with two descriptions of the same second. Returns how many were asked about.
pub fn ask_about_ambiguous(app: &App) -> Result<usize> {
    let ambiguous = app.store.read(|tx| subscriptions::unsure(tx, BATCH))?;
    for id in &ambiguous {
        let described = app.stripe()?.subscription(id, Deadline::after(PATIENCE))?;
        let catalog = app.catalog.clone();
        let now = app.clock.now();
        posting::write(app, PostingContext::now(app), move |tx, context| {
            let Some(known) = subscriptions::find(tx, &described.id)? else { return Ok(()) };
            // Stripe's answer has no time of its own, so it keeps the time that could not decide.
            let new = apply::describe(&catalog, &described, known.account, known.as_of);
            let account = known.account;
            enqueue::notify_if_plan_changes(tx, &catalog, account, now, |tx| subscriptions::put(tx, &new, true, now))?;
            apply::plan_change(tx, &catalog, &described, now)?;
            posting::end_graces(tx, context, account)
        })?;
    }
    Ok(ambiguous.len())
}

/// Allots the months of yearly plans that are due. Returns how many were due.
pub fn allot_due(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let due = app.store.read(|tx| allotments::due(tx, now, BATCH))?;
    let count = due.len();
    for part in due {
        let catalog = app.catalog.clone();
        let log_events = app.store.write(move |tx| {
            let context = ApplyContext { catalog: &catalog, assigned: None, stripe_answered: true, now };
            apply::post_due(tx, &context, &part)
        })?;
        log_events.iter().for_each(|event| event.log(app));
    }
    Ok(count)
}
