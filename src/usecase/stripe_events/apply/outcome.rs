//! What every event is applied with, and its outcome.

use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::store::inbox::Status;
use crate::usecase::log_events::LogEvent;
use crate::usecase::units::posting::PostingContext;

/// What is known besides the event itself.
pub struct ApplyContext<'a> {
    pub catalog: &'a Catalog,
    pub assigned: Option<Assignment>,
    /// False if Stripe was asked about the event but did not answer. What cannot be decided without Stripe waits.
    pub stripe_answered: bool,
    pub now: Timestamp,
}

impl<'a> ApplyContext<'a> {
    /// For an object that needs no answer from Stripe and no assignment.
    pub fn new(catalog: &'a Catalog, now: Timestamp) -> ApplyContext<'a> {
        ApplyContext { catalog, assigned: None, stripe_answered: true, now }
    }

    pub(super) fn posting(&self) -> PostingContext {
        PostingContext::of(self.catalog, self.now)
    }
}

/// The log lines that the postings of one context leave.
pub(super) fn low_balances(posting: PostingContext) -> impl Iterator<Item = LogEvent> {
    posting.to_log.into_iter().map(LogEvent::LowBalance)
}

/// What the operator says where Stripe does not: the account that paid, and the pack that was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub account: i64,
    pub offer: Option<String>,
}

/// The outcome of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventOutcome {
    pub status: Status,
    /// A sentence for the operator.
    pub detail: String,
    pub waits_for: Option<String>,
    /// Ids that the books know from now on. Events that wait for one of them are tried again at once.
    pub known_ids: Vec<String>,
    /// To be logged once the outcome is durable.
    pub log_events: Vec<LogEvent>,
}

/// What an event waits for if Stripe could not be asked. The timer asks again.
const STRIPE: &str = "stripe";

impl EventOutcome {
    /// Everything that it means is in the books.
    pub fn applied(detail: impl Into<String>) -> EventOutcome {
        EventOutcome::of(Status::Applied, detail)
    }

    /// It changes nothing here.
    pub fn ignored(detail: impl Into<String>) -> EventOutcome {
        EventOutcome::of(Status::Ignored, detail)
    }

    /// It refers to something that is not known yet.
    pub(super) fn waiting(referent: &str, detail: impl Into<String>) -> EventOutcome {
        EventOutcome { waits_for: Some(referent.to_owned()), ..EventOutcome::of(Status::Waiting, detail) }
    }

    /// It cannot be decided before Stripe answers.
    pub(super) fn waiting_for_stripe(detail: impl Into<String>) -> EventOutcome {
        EventOutcome::waiting(STRIPE, detail)
    }

    /// Somebody paid, but it is unknown who or for what (`docs/rules.md`, rule 12).
    pub(super) fn unmatched(object: &str, why: impl Into<String>) -> EventOutcome {
        let why = why.into();
        let log_events = vec![LogEvent::Unmatched { object: object.to_owned(), why: why.clone() }];
        EventOutcome { log_events, ..EventOutcome::of(Status::Unmatched, why) }
    }

    /// The outcome where a part of what was paid for could not be told: that part is left to the operator.
    pub(super) fn with_rest(mut self, object: &str, unknown: Option<String>) -> EventOutcome {
        let Some(why) = unknown.filter(|_| self.status == Status::Applied) else { return self };
        let rest = EventOutcome::unmatched(object, format!("{}, but {why}", self.detail));
        self.log_events.extend(rest.log_events);
        EventOutcome { status: rest.status, detail: rest.detail, ..self }
    }

    fn of(status: Status, detail: impl Into<String>) -> EventOutcome {
        EventOutcome { status, detail: detail.into(), waits_for: None, known_ids: vec![], log_events: vec![] }
    }
}
