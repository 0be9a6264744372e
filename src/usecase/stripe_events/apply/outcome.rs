//! What every event is applied with, and what it comes to.

use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::store::inbox::Status;
use crate::usecase::log_events::LogEvent;
use crate::usecase::units::posting::PostingContext;

/// What is known beside the event itself.
pub struct ApplyContext<'a> {
    pub catalog: &'a Catalog,
    pub assigned: Option<Assignment>,
    /// False when Stripe was asked about the event and could not answer: what cannot be decided without it waits.
    pub stripe_answered: bool,
    pub now: Timestamp,
}

impl<'a> ApplyContext<'a> {
    /// For an object that needs no answer of Stripe's and no assignment.
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

/// What the operator knows and Stripe does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The account that paid.
    pub account: i64,
    /// The pack that was bought.
    pub offer: Option<String>,
}

/// What an event came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventOutcome {
    pub status: Status,
    /// A sentence for the operator.
    pub detail: String,
    /// The id that it waits for.
    pub waits_for: Option<String>,
    /// Ids that the books know from now on. What waits for one of them is tried again at once.
    pub known_ids: Vec<String>,
    /// Log lines to write once it is durable.
    pub log_events: Vec<LogEvent>,
}

/// What an event waits for when Stripe could not be asked: the timer asks again.
const STRIPE: &str = "stripe";

impl EventOutcome {
    /// All that it means is in the books.
    pub fn applied(detail: impl Into<String>) -> EventOutcome {
        EventOutcome::of(Status::Applied, detail)
    }

    /// It changes nothing here.
    pub fn ignored(detail: impl Into<String>) -> EventOutcome {
        EventOutcome::of(Status::Ignored, detail)
    }

    /// What it refers to is not known yet.
    pub(super) fn waiting(referent: &str, detail: impl Into<String>) -> EventOutcome {
        EventOutcome { waits_for: Some(referent.to_owned()), ..EventOutcome::of(Status::Waiting, detail) }
    }

    /// It cannot be decided before Stripe answers.
    pub(super) fn waiting_for_stripe(detail: impl Into<String>) -> EventOutcome {
        EventOutcome::waiting(STRIPE, detail)
    }

    /// Somebody paid, and it cannot be told who or what for (`docs/rules.md`, rule 12).
    pub(super) fn unmatched(object: &str, why: impl Into<String>) -> EventOutcome {
        let why = why.into();
        let log_events = vec![LogEvent::Unmatched { object: object.to_owned(), why: why.clone() }];
        EventOutcome { log_events, ..EventOutcome::of(Status::Unmatched, why) }
    }

    fn of(status: Status, detail: impl Into<String>) -> EventOutcome {
        EventOutcome { status, detail: detail.into(), waits_for: None, known_ids: vec![], log_events: vec![] }
    }
}
