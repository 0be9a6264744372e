//! A webhook arrives. It is verified, stored by its id, and applied, all in one transaction. So every event in the
//! inbox was applied, or its row says why not.

use crate::app::App;
use crate::catalog::Catalog;
use crate::clock::{Judgement, Timestamp};
use crate::config::Mode;
use crate::error::{Error, Fault, Refused, Result};
use crate::metrics::EventLabels;
use crate::store::inbox::{self, IncomingEvent, Status};
use crate::store::{Tx, erasure};
use crate::stripe::event::TYPES;
use crate::stripe::signature::{SignatureFault, TOLERANCE_SECONDS};
use crate::stripe::{EventEnvelope, Verification, probe, signature, storable};
use crate::usecase::stripe_events::apply::{ApplyContext, EventOutcome};
use crate::usecase::stripe_events::prefetcher::{PrefetchedEvent, Prefetcher};
use crate::usecase::stripe_events::{bodies, retry};

/// Refuses by the header `Stripe-Signature` alone what cannot be Stripe's, before the body is read.
pub fn check_header(app: &App, header: Option<&[u8]>) -> Result<()> {
    if app.config.stripe.is_polled() {
        let what = "No webhooks are taken here, because SPRITE_STRIPE_WEBHOOK_SECRET is not set: till asks Stripe for its \
                    events instead. Set the secret of this endpoint, or disable the endpoint at Stripe.";
        return Err(reject(app, Refused::NotFound(what.into())));
    }
    let checked = signature::check_header(header, app.clock.now());
    // A signature of the time that is in doubt may confirm it.
    let checked = checked.or_else(|fault| match doubted_clock(app) {
        Some(doubted) => signature::check_header(header, doubted.wall),
        None => Err(fault),
    });
    let refused = match checked {
        Ok(()) => return Ok(()),
        // Whether the signature is right, is not known yet.
        Err(SignatureFault::Stale { age_seconds: apart } | SignatureFault::Ahead { ahead_seconds: apart }) => format!(
            "The time in Stripe-Signature is {apart} s from this server's clock, and {TOLERANCE_SECONDS} s are allowed. \
             Check this server's clock."
        ),
        Err(fault) => fault.to_string(),
    };
    Err(reject(app, Refused::InvalidRequest(refused)))
}

/// Counts a webhook that is not accepted, and logs it. Anybody can send one, so there is a line a second at most.
pub fn reject(app: &App, refused: Refused) -> Error {
    app.metrics.webhook_rejected.inc();
    if let Some(left_out) = app.metrics.webhook_rejected_lines.next() {
        tracing::warn!(event = "webhook_rejected", reason = refused.detail(), left_out);
    }
    refused.into()
}

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub status: Status,
    /// Whether `till check` sent it: it has the signature of a secret that only Stripe and we know, and a type that Stripe
    /// has not.
    pub is_probe: bool,
}

/// Handles a webhook's raw body. Success means that everything it says is durable. A refusal means that it is not from
/// Stripe, or cannot be read. A fault means that the database failed, and that Stripe should send it again.
pub fn receive(app: &App, header: Option<&[u8]>, body: &[u8]) -> Result<Receipt> {
    // With a key of another account, the events are of that account too.
    app.stripe()?;
    let now = app.clock.now();
    let rejected = |reason: String| reject(app, Refused::InvalidRequest(reason));
    let verified = signature::verify(header, body, &app.config.stripe.webhook_secrets, now);
    let verified = verified.or_else(|fault| confirmed_by_signature(app, header, body).ok_or(fault));
    let verified = verified.map_err(|fault| rejected(fault.to_string()))?;
    if verified.ahead_seconds > 0 {
        let advice = "check this server's clock";
        tracing::warn!(event = "webhook_from_the_future", ahead_seconds = verified.ahead_seconds, advice);
    }
    let text = storable(body).map_err(|cause| rejected(cause.to_string()))?;
    let envelope = EventEnvelope::parse(text.as_bytes()).map_err(|cause| rejected(cause.to_string()))?;
    let is_probe = envelope.kind == probe::KIND;
    // The signature may have confirmed the clock.
    let status = ingest(app, envelope, text.into_owned(), app.clock.now())?;
    Ok(Receipt { status, is_probe })
}

/// While the clock is implausible because it is far beyond what is known, as after a long stop, a signature of its time
/// proves it right: Stripe signs nothing ahead of time. A signature that is older than what is known proves nothing, since
/// it may be sent again by anybody.
fn confirmed_by_signature(app: &App, header: Option<&[u8]>, body: &[u8]) -> Option<Verification> {
    let doubted = doubted_clock(app)?;
    let verified = signature::verify(header, body, &app.config.stripe.webhook_secrets, doubted.wall).ok()?;
    if verified.signed_at <= doubted.known {
        return None;
    }
    app.clock.stripe_said(verified.signed_at);
    Some(verified)
}

fn doubted_clock(app: &App) -> Option<Judgement> {
    app.clock.judgement().filter(|judgement| !judgement.is_plausible)
}

/// Stores and applies an event once. The event must certainly come from Stripe.
pub(super) fn ingest(app: &App, envelope: EventEnvelope, body: String, now: Timestamp) -> Result<Status> {
    let incoming = incoming(&envelope, body, now);
    let foreign = foreign(&envelope, app.config.stripe.mode());
    // Stripe waits for our answer, and so do those who wait for a thread: all questions about an event share one deadline.
    let mut prefetcher = Prefetcher::new(app);
    let prefetched = match foreign {
        Some(_) => PrefetchedEvent::as_sent(&envelope),
        None => prefetcher.prefetch(&envelope)?,
    };
    let (catalog, happened_at) = (app.catalog.clone(), envelope.happened_at());
    let customer = envelope.customer().or_else(|| envelope.customer_itself());
    let mut row = incoming.clone();
    let outcome = app.store.write(move |tx| {
        if let Some(known) = inbox::by_id(tx, &row.id)? {
            return Ok(EventOutcome::before(&known.decision));
        }
        let outcome = match &foreign {
            Some(why) => EventOutcome::ignored(why.clone()),
            None => {
                let stripe_answered = prefetched.stripe_answered;
                let context = ApplyContext { stripe_answered, happened_at, ..ApplyContext::new(&catalog, now) };
                retry::outcome_of(tx, &context, &prefetched.event)?
            }
        };
        if let Some(customer) = &customer
            && erasure::is_customer_erased(tx, customer)?
        {
            row.body = row.body.as_deref().and_then(bodies::without_people);
        }
        store(tx, &catalog, &row, outcome, now)
    });
    let outcome = match outcome {
        Err(Error::Fault(fault)) if !fault.is_retryable() => store_failed(app, incoming, &fault, now)?,
        other => other?,
    };
    let status = outcome.status;
    outcome.log_events.iter().for_each(|event| event.log(app));
    retry::ask_now(app, outcome.unsure_subscription.as_deref(), prefetcher.left());
    let kind = if TYPES.contains(&envelope.kind.as_str()) { envelope.kind.as_str() } else { "other" };
    app.metrics.webhook_events.get_or_create(&EventLabels { kind: kind.to_owned(), status: status.as_str() }).inc();
    tracing::debug!(event = "webhook_received", id = envelope.id, kind = envelope.kind, status = status.as_str());
    Ok(status)
}

/// The inbox's row of an event that arrives now.
pub(super) fn incoming(envelope: &EventEnvelope, body: String, now: Timestamp) -> IncomingEvent {
    let is_handled = TYPES.contains(&envelope.kind.as_str());
    IncomingEvent {
        id: envelope.id.clone(),
        kind: envelope.kind.clone(),
        api_version: envelope.api_version.clone(),
        livemode: envelope.livemode.unwrap_or(false),
        object: envelope.object.get("id").and_then(|id| id.as_str()).map(str::to_owned),
        customer: envelope.customer().filter(|_| is_handled),
        invoice: envelope.paid_invoice(),
        body: Some(body),
        created_at: envelope.created,
        received_at: now,
    }
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

/// Stores an event with its outcome, and applies what waits for the ids that are known now.
pub(super) fn store(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    row: &IncomingEvent,
    outcome: EventOutcome,
    now: Timestamp,
) -> Result<EventOutcome> {
    if !inbox::add(tx, row, &retry::decision(&outcome, 1, now))? {
        return Err(Fault::bare("the event arrived twice at once").retryable().into());
    }
    let mut outcome = outcome;
    outcome.log_events.extend(retry::release(tx, catalog, &outcome.known_ids, now)?);
    Ok(outcome)
}

/// Stores an event that could not be applied, with the reason. Stripe gets a success, because sending the event again
/// would not help. The timer tries it again.
fn store_failed(app: &App, row: IncomingEvent, fault: &Fault, now: Timestamp) -> Result<EventOutcome> {
    let decision = retry::failed(fault, 1, now);
    tracing::error!(event = "webhook_not_applied", id = row.id, kind = row.kind, fault = %fault);
    app.store.write(move |tx| inbox::add(tx, &row, &decision))?;
    Ok(EventOutcome::failed(fault.to_string()))
}
