//! Events are made ready to be applied, one after another, by asking Stripe for what they lack (`prefetch`), as long as it
//! answers. If it cannot answer, an event is stored anyway and waits.

use std::time::Duration;

use crate::app::App;
use crate::clock::Deadline;
use crate::error::Result;
use crate::stripe::{Event, EventEnvelope, StripeErrorKind};
use crate::usecase::stripe_events::prefetch::{Gap, complete};

/// How long Stripe may take to answer. Meanwhile Stripe itself waits for our answer to its webhook.
const PATIENCE: Duration = Duration::from_secs(4);

/// An event that is ready to be applied.
#[derive(Clone)]
pub(super) struct PrefetchedEvent {
    pub(super) event: Event,
    /// False if Stripe was asked but did not answer. What cannot be decided without the answer waits.
    pub(super) stripe_answered: bool,
}

impl PrefetchedEvent {
    /// As Stripe sent it, where Stripe has nothing to add.
    pub(super) fn as_sent(envelope: &EventEnvelope) -> PrefetchedEvent {
        PrefetchedEvent { event: envelope.event(), stripe_answered: true }
    }

    /// Where Stripe cannot be asked, as inside a transaction: what needs an answer waits for the timer.
    pub(super) fn unasked(envelope: &EventEnvelope) -> PrefetchedEvent {
        PrefetchedEvent { event: envelope.event(), stripe_answered: false }
    }
}

/// Completes one event after another, for somebody who waits for all of them. Once Stripe does not answer, it is asked no
/// more: what cannot be decided without it waits for the timer.
pub(super) struct Prefetcher<'a> {
    app: &'a App,
    /// How long Stripe may take about the event at hand.
    deadline: Deadline,
    is_silent: bool,
}

impl Prefetcher<'_> {
    pub(super) fn new(app: &App) -> Prefetcher<'_> {
        Prefetcher { app, deadline: Deadline::after(PATIENCE), is_silent: false }
    }

    /// Reads the object of an event and completes it. Most objects are complete already, and then Stripe is not asked.
    /// Fails only if the database does.
    pub(super) fn prefetch(&mut self, envelope: &EventEnvelope) -> Result<PrefetchedEvent> {
        self.deadline = Deadline::after(if self.is_silent { Duration::ZERO } else { PATIENCE });
        match complete(self.app, envelope.event(), self.deadline) {
            Ok(event) => Ok(PrefetchedEvent { event, stripe_answered: true }),
            // This is an answer: Stripe has no such object.
            Err(Gap::Stripe(error)) if error.is_missing() => Ok(PrefetchedEvent::as_sent(envelope)),
            Err(Gap::Stripe(error)) => {
                if !self.is_silent {
                    tracing::warn!(event = "stripe_not_answered", id = envelope.id, kind = envelope.kind, error = %error);
                }
                self.is_silent |= error.kind == StripeErrorKind::Unavailable;
                Ok(PrefetchedEvent::unasked(envelope))
            }
            Err(Gap::NoKey) => Ok(PrefetchedEvent::unasked(envelope)),
            Err(Gap::Failed(error)) => Err(error),
        }
    }

    /// Whether Stripe did not answer.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// What is left of the time in which Stripe may be asked about the event at hand.
    pub(super) fn left(&self) -> Duration {
        if self.is_silent { Duration::ZERO } else { self.deadline.left() }
    }
}
