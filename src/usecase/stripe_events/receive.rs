//! A webhook arrives. It is verified, stored by its id, and applied, all in one transaction. So every event in the
//! inbox was applied, or its row says why not.

use crate::app::App;
use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::config::Mode;
use crate::error::{Error, Fault, Refused, Result};
use crate::metrics::EventLabels;
use crate::store::Tx;
use crate::store::inbox::{self, IncomingEvent, Status};
use crate::stripe::event::TYPES;
use crate::stripe::{EventEnvelope, signature, storable};
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::{self, ApplyContext, EventOutcome};
use crate::usecase::stripe_events::prefetch::{PrefetchedEvent, prefetch};
use crate::usecase::stripe_events::retry;

/// Handles a webhook's raw body. Success means that everything it says is durable. A refusal means that it is not from
/// Stripe, or cannot be read. A fault means that the database failed, and that Stripe should send it again.
pub fn receive(app: &App, header: Option<&[u8]>, body: &[u8]) -> Result<Status> {
    // With a key of another account, the events are of that account too.
    app.stripe()?;
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
    let text = storable(body).map_err(|cause| rejected(cause.to_string()))?;
    let envelope = EventEnvelope::parse(text.as_bytes()).map_err(|cause| rejected(cause.to_string()))?;
    ingest(app, envelope, text.into_owned(), now)
}

/// Stores and applies an event once. The event must certainly come from Stripe.
pub(super) fn ingest(app: &App, envelope: EventEnvelope, body: String, now: Timestamp) -> Result<Status> {
    let incoming = IncomingEvent {
        id: envelope.id.clone(),
        kind: envelope.kind.clone(),
        api_version: envelope.api_version.clone(),
        livemode: envelope.livemode.unwrap_or(false),
        object: envelope.object.get("id").and_then(|id| id.as_str()).map(str::to_owned),
        body,
        created_at: envelope.created,
        received_at: now,
    };
    let foreign = foreign(&envelope, app.config.stripe.mode());
    let prefetched = match foreign {
        Some(_) => PrefetchedEvent::as_sent(&envelope),
        None => prefetch(app, &envelope)?,
    };
    let catalog = app.catalog.clone();
    let row = incoming.clone();
    let outcome = app.store.write(move |tx| {
        if let Some(known) = inbox::by_id(tx, &row.id)? {
            return Ok((known.decision.status, vec![]));
        }
        let outcome = match &foreign {
            Some(why) => EventOutcome::ignored(why.clone()),
            None => {
                let stripe_answered = prefetched.stripe_answered;
                let context = ApplyContext { catalog: &catalog, assigned: None, stripe_answered, now };
                apply::apply(tx, &context, &prefetched.event)?
            }
        };
        store(tx, &catalog, &row, outcome, now)
    });
    let (status, log_events) = match outcome {
        Err(Error::Fault(fault)) if !fault.is_retryable() => (store_failed(app, incoming, &fault, now)?, vec![]),
        other => other?,
    };
    log_events.iter().for_each(|event| event.log(app));
    let kind = if TYPES.contains(&envelope.kind.as_str()) { envelope.kind.as_str() } else { "other" };
    app.metrics.webhook_events.get_or_create(&EventLabels { kind: kind.to_owned(), status: status.as_str() }).inc();
    tracing::debug!(event = "webhook_received", id = envelope.id, kind = envelope.kind, status = status.as_str());
    Ok(status)
}

/// Why an event is not ours to apply, although Stripe signed it.
pub(super) fn foreign(envelope: &EventEnvelope, mode: Option<Mode>) -> Option<String> {
    if envelope.thin {
        return Some("a thin event carries nothing to apply".to_owned());
    }
    if let Some(account) = &envelope.account {
        return Some(format!("it concerns the connected account {account}"));
    }
    let live = envelope.livemode?;
    match mode {
        Some(mode) if live != (mode == Mode::Live) => {
            let (theirs, ours) = if live { ("live", "test") } else { ("test", "live") };
            tracing::warn!(event = "webhook_wrong_mode", id = envelope.id, theirs, ours);
            Some(format!("a {theirs} mode event, and the key is a {ours} mode key"))
        }
        _ => None,
    }
}

fn store(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    row: &IncomingEvent,
    outcome: EventOutcome,
    now: Timestamp,
) -> Result<(Status, Vec<LogEvent>)> {
    if !inbox::add(tx, row, &retry::decision(&outcome, 1, now))? {
        return Err(Fault::bare("the event arrived twice at once").retryable().into());
    }
    let mut log_events = outcome.log_events;
    log_events.extend(retry::retry_waiting_for(tx, catalog, &outcome.known_ids, now)?);
    Ok((outcome.status, log_events))
}

/// Stores an event that could not be applied, with the reason. Stripe gets a success, because sending the event again
/// would not help. The timer tries it again.
fn store_failed(app: &App, row: IncomingEvent, fault: &Fault, now: Timestamp) -> Result<Status> {
    let decision = retry::failed(fault, 1, now);
    tracing::error!(event = "webhook_not_applied", id = row.id, kind = row.kind, fault = %fault);
    app.store.write(move |tx| inbox::add(tx, &row, &decision))?;
    Ok(Status::Failed)
}
