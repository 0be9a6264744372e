//! What the inbox waits for. A waiting event is applied again when what it refers to becomes known, and by the timer.
//! Stripe is asked about subscriptions whose events had no clear order, at once and again by the timer, which also allots the
//! months of yearly plans that are due.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::app::App;
use crate::backoff::next_event_attempt;
use crate::catalog::Catalog;
use crate::clock::{Deadline, Timestamp};
use crate::error::{Error, Fault, Refused, Result};
use crate::store::inbox::{self, Decision, InboxRow, Status};
use crate::store::subscriptions::{self, Source};
use crate::store::{Tx, allotments};
use crate::stripe::{Event, EventEnvelope};
use crate::usecase::log_events::LogEvent;
use crate::usecase::notifications::enqueue;
use crate::usecase::stripe_events::apply::{self, ApplyContext, Assignment, EventOutcome};
use crate::usecase::stripe_events::bodies::BODY_DAYS;
use crate::usecase::stripe_events::prefetch::with_open_invoice_if_told;
use crate::usecase::stripe_events::prefetcher::{PrefetchedEvent, Prefetcher};
use crate::usecase::units::posting::{self, PostingContext};

/// Events, subscriptions or months per round of the timer.
const BATCH: i64 = 50;
/// Waiting events that one id may release at once.
const RELEASE_LIMIT: i64 = 100;
/// Ids that one event may make known at once, with all that follow from it.
const RELEASED_IDS_LIMIT: usize = 1_000;
/// What Stripe's ids of customers begin with.
const CUSTOMER_PREFIX: &str = "cus_";
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
        ignore_reason: outcome.ignore_reason,
        detail: outcome.detail.clone(),
        waits_for: outcome.waits_for.clone(),
        next_attempt_at: if is_waiting { next_event_attempt(attempts, now) } else { None },
    }
}

/// What the inbox records of a fault.
pub(super) fn failed(fault: &Fault, attempts: i64, now: Timestamp) -> Decision {
    Decision {
        status: Status::Failed,
        ignore_reason: None,
        detail: fault.to_string(),
        waits_for: None,
        next_attempt_at: next_event_attempt(attempts, now),
    }
}

/// The envelope of a row of the inbox.
pub(super) fn envelope(row: &InboxRow) -> Result<EventEnvelope> {
    let unreadable = |cause| Fault::new(format!("the event {} cannot be read", row.event.id), cause);
    let body = row.event.body.as_ref().ok_or_else(|| no_body(row))?;
    Ok(EventEnvelope::parse(body.as_bytes()).map_err(unreadable)?)
}

fn no_body(row: &InboxRow) -> Refused {
    let (id, status, detail) = (&row.event.id, row.decision.status.as_str(), &row.decision.detail);
    let what_now = match row.decision.ignore_reason {
        None => "What it did is in the books; till reconcile applies what is missing there.",
        Some(_) => "till user grant gives units for a payment that was made all the same.",
    };
    Refused::NotFound(format!(
        "The event {id} cannot be read again: it was {status} ({detail}), and what Stripe sent is kept for {BODY_DAYS} days \
         after that. {what_now}"
    ))
}

/// Applies an event. If the operator closed the payment that it tells of, it stays closed unless the event can be applied.
pub(super) fn outcome_of(tx: &mut dyn Tx, context: &ApplyContext<'_>, event: &Event) -> Result<EventOutcome> {
    let outcome = apply::apply(tx, context, event)?;
    let is_open = matches!(outcome.status, Status::Unmatched | Status::Waiting);
    match outcome.waits_for.as_deref().filter(|_| is_open) {
        Some(referent) => Ok(match inbox::dismissal(tx, referent)? {
            Some(detail) => outcome.dismissed(detail),
            None => outcome,
        }),
        None => Ok(outcome),
    }
}

/// Applies an event of the inbox once more and records the outcome. Then it applies what waits for the ids that are known
/// now; the outcome has the log lines of all of them.
pub(super) fn reapply(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    row: &InboxRow,
    prefetched: &PrefetchedEvent,
    now: Timestamp,
) -> Result<EventOutcome> {
    let mut outcome = reapply_alone(tx, catalog, row, prefetched, now)?;
    outcome.log_events.extend(release(tx, catalog, &outcome.known_ids, now)?);
    Ok(outcome)
}

fn reapply_alone(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    row: &InboxRow,
    prefetched: &PrefetchedEvent,
    now: Timestamp,
) -> Result<EventOutcome> {
    let assigned = row.assigned_to.map(|account| Assignment { account, offer: row.assigned_offer.clone() });
    let (stripe_answered, happened_at) = (prefetched.stripe_answered, envelope(row)?.happened_at());
    let context = ApplyContext { assigned, stripe_answered, happened_at, ..ApplyContext::new(catalog, now) };
    let mut outcome = outcome_of(tx, &context, &prefetched.event)?;
    // What is unmatched and waits for nothing was credited in part. The rest is as unknown as before, although by now the
    // payment is in the books.
    let is_partial = row.decision.status == Status::Unmatched && row.decision.waits_for.is_none();
    if is_partial && outcome.status == Status::Applied && outcome.log_events.is_empty() {
        outcome = EventOutcome { detail: row.decision.detail.clone(), status: Status::Unmatched, ..outcome };
    }
    inbox::decide(tx, &row.event.id, &decision(&outcome, row.attempts + 1, now), now)?;
    Ok(outcome)
}

/// Applies what waits for one of these ids, in the transaction that made them known, and what waits for the ids that
/// become known by that. Of a customer these are all events that could not be applied while nobody knew whose it was.
pub fn release(tx: &mut dyn Tx, catalog: &Catalog, known_ids: &[String], now: Timestamp) -> Result<Vec<LogEvent>> {
    let mut log_events = vec![];
    let mut ids: VecDeque<String> = known_ids.iter().cloned().collect();
    let mut done: BTreeSet<String> = BTreeSet::new();
    while let Some(id) = ids.pop_front().filter(|_| done.len() < RELEASED_IDS_LIMIT) {
        if !done.insert(id.clone()) {
            continue;
        }
        let mut rows = inbox::waiting_for(tx, &id, RELEASE_LIMIT)?;
        if id.starts_with(CUSTOMER_PREFIX) {
            rows.extend(inbox::unapplied_of_customer(tx, &id, RELEASE_LIMIT)?);
        }
        for row in rows {
            let event = PrefetchedEvent::unasked(&envelope(&row)?);
            let outcome = reapply_alone(tx, catalog, &row, &event, now)?;
            log_events.extend(outcome.log_events);
            ids.extend(outcome.known_ids);
        }
    }
    Ok(log_events)
}

/// Applies the events whose next attempt is due. Returns how many were tried.
pub fn retry_due(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let due = app.store.read(|tx| inbox::to_retry(tx, now, BATCH))?;
    let mut prefetcher = Prefetcher::new(app);
    for row in &due {
        match retry_one(app, &mut prefetcher, row, now) {
            Ok(outcome) => {
                outcome.log_events.iter().for_each(|event| event.log(app));
                ask_now(app, outcome.unsure_subscription.as_deref(), prefetcher.left());
            }
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

fn retry_one(app: &App, prefetcher: &mut Prefetcher<'_>, row: &InboxRow, now: Timestamp) -> Result<EventOutcome> {
    let prefetched = prefetcher.prefetch(&envelope(row)?)?;
    let catalog = app.catalog.clone();
    let row = row.clone();
    app.store.write(move |tx| reapply(tx, &catalog, &row, &prefetched, now))
}

/// Asks Stripe about subscriptions with two descriptions of the same second. Returns how many were asked about.
pub fn ask_about_ambiguous(app: &App) -> Result<usize> {
    let ambiguous = app.store.read(|tx| subscriptions::unsure(tx, BATCH))?;
    let mut asked = Ok(ambiguous.len());
    for id in &ambiguous {
        match ask_about(app, id, PATIENCE) {
            // Nor would it answer about the others.
            Err(error @ Error::Refused(Refused::StripeUnavailable(_))) => return Err(error),
            Err(error) => asked = Err(error),
            Ok(()) => {}
        }
    }
    asked
}

/// Asks Stripe at once about the subscription whose order of descriptions an event left open, if there is time left for
/// it. If Stripe does not answer, the timer asks again.
pub(super) fn ask_now(app: &App, subscription: Option<&str>, left: Duration) {
    let Some(id) = subscription.filter(|_| !left.is_zero()) else { return };
    if let Err(error) = ask_about(app, id, left) {
        tracing::warn!(event = "stripe_not_answered", id, kind = "subscription", error = %error);
    }
}

/// Stores Stripe's description of a subscription, unless something was said about it after the question was sent: then the
/// answer may be the older one. What Stripe does not know, such as after test data was deleted, is asked about no more.
fn ask_about(app: &App, id: &str, patience: Duration) -> Result<()> {
    let Some(asked) = app.store.read(|tx| subscriptions::unsure_at(tx, id))? else { return Ok(()) };
    let deadline = Deadline::after(patience);
    let described = match app.stripe()?.subscription(id, deadline) {
        Ok(described) => with_open_invoice_if_told(app, described, deadline),
        Err(error) if error.is_missing() => {
            tracing::warn!(event = "subscription_unknown_to_stripe", id, error = %error);
            let id = id.to_owned();
            return app.store.write(move |tx| subscriptions::ask_no_more(tx, &id, asked));
        }
        Err(error) => return Err(error.for_operator()),
    };
    let catalog = app.catalog.clone();
    let now = app.clock.now();
    posting::write(app, PostingContext::now(app), move |tx, context| {
        let Some(known) = subscriptions::find(tx, &described.id)? else { return Ok(()) };
        if subscriptions::unsure_at(tx, &described.id)? != Some(asked) {
            return Ok(());
        }
        // Stripe's answer has no time of its own, so it keeps the time that could not decide.
        let new = apply::describe(&catalog, &described, known.account, known.as_of);
        let put = |tx: &mut dyn Tx| subscriptions::put(tx, &new, Source::Answer, now);
        enqueue::notify_if_plan_changes(tx, &catalog, known.account, now, put)?;
        let happened_at = new.ended_at.unwrap_or(now);
        apply::end_of_plan(tx, &catalog, (now, happened_at), Some(&known), &new)?;
        apply::plan_change(tx, &catalog, &described, now)?;
        apply::keep_payments_due(tx, &catalog, &described, known.as_of)?;
        posting::end_graces(tx, context, known.account)
    })
}

/// Allots the months of yearly plans that are due; none while the clock is implausible. Returns how many were due.
pub fn allot_due(app: &App) -> Result<usize> {
    if !app.clock.is_plausible() {
        return Ok(0);
    }
    let now = app.clock.now();
    let due = app.store.read(|tx| allotments::due(tx, now, BATCH))?;
    let count = due.len();
    for part in due {
        let catalog = app.catalog.clone();
        let log_events = app.store.write(move |tx| {
            let context = ApplyContext::new(&catalog, now);
            apply::post_due(tx, &context, &part)
        })?;
        log_events.iter().for_each(|event| event.log(app));
    }
    Ok(count)
}
