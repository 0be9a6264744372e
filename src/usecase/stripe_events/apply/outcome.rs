//! What every event is applied with, and its outcome.

use crate::actor::Actor;
use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::store::inbox::{Decision, IgnoreReason, STRIPE, Status};
use crate::usecase::log_events::LogEvent;
use crate::usecase::units::posting::PostingContext;

/// What is known besides the event itself.
pub struct ApplyContext<'a> {
    pub catalog: &'a Catalog,
    pub assigned: Option<Assignment>,
    /// False if Stripe was asked about the event but did not answer. What cannot be decided without Stripe waits.
    pub stripe_answered: bool,
    /// When Stripe says that it happened: long ago, where a comparison finds it late.
    pub happened_at: Timestamp,
    pub now: Timestamp,
    /// Whom the entries name: Stripe, or the operator who decides against what Stripe says.
    pub actor: Actor,
}

impl<'a> ApplyContext<'a> {
    /// For an object as it is now, that needs no answer from Stripe and no assignment.
    pub fn new(catalog: &'a Catalog, now: Timestamp) -> ApplyContext<'a> {
        ApplyContext { catalog, assigned: None, stripe_answered: true, happened_at: now, now, actor: Actor::stripe() }
    }

    pub(super) fn posting(&self) -> PostingContext {
        PostingContext { actor: self.actor.clone(), ..PostingContext::of(self.catalog, self.now) }
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
    /// Why a payment is ignored.
    pub ignore_reason: Option<IgnoreReason>,
    /// A sentence for the operator.
    pub detail: String,
    /// An id; when the books learn it, the event is applied again.
    pub waits_for: Option<String>,
    /// Ids that the books know from now on. Events that wait for one of them are tried again at once.
    pub known_ids: Vec<String>,
    /// A subscription whose order of descriptions only Stripe can tell. It is asked after the transaction.
    pub unsure_subscription: Option<String>,
    /// To be logged once the outcome is durable.
    pub log_events: Vec<LogEvent>,
}

/// In place of the id of a payment that its event does not name.
pub(super) const NO_ID: &str = "-";

impl EventOutcome {
    /// Everything that it means is in the books.
    pub fn applied(detail: impl Into<String>) -> EventOutcome {
        EventOutcome::of(Status::Applied, detail)
    }

    /// It changes nothing here.
    pub fn ignored(detail: impl Into<String>) -> EventOutcome {
        EventOutcome::of(Status::Ignored, detail)
    }

    /// It was decided before.
    pub(crate) fn before(decision: &Decision) -> EventOutcome {
        EventOutcome::of(decision.status, decision.detail.clone())
    }

    /// It could not be applied.
    pub(crate) fn failed(detail: impl Into<String>) -> EventOutcome {
        EventOutcome::of(Status::Failed, detail)
    }

    /// It refers to something that is not known yet.
    pub(super) fn waiting(referent: &str, detail: impl Into<String>) -> EventOutcome {
        EventOutcome { waits_for: Some(referent.to_owned()), ..EventOutcome::of(Status::Waiting, detail) }
    }

    /// It cannot be decided before Stripe answers. The timer asks again.
    pub(super) fn waiting_for_stripe(detail: impl Into<String>) -> EventOutcome {
        EventOutcome::waiting(STRIPE, detail)
    }

    /// Somebody paid, but it is unknown who or for what (`docs/rules.md`, rule 12). Another event may tell of the same
    /// money: once one of them is in the books, this one is applied again.
    pub(super) fn unmatched(object: &str, why: impl Into<String>) -> EventOutcome {
        let why = why.into();
        let log_events = vec![LogEvent::Unmatched { object: object.to_owned(), why: why.clone() }];
        EventOutcome { log_events, waits_for: own_id(object), ..EventOutcome::of(Status::Unmatched, why) }
    }

    /// Nothing in it is ours: the same Stripe account sells something else (`docs/rules.md`, rule 12).
    pub(super) fn foreign(object: &str, why: impl Into<String>) -> EventOutcome {
        let ignore_reason = Some(IgnoreReason::Foreign);
        EventOutcome { ignore_reason, waits_for: own_id(object), ..EventOutcome::ignored(why) }
    }

    /// The same, closed by the operator with these words.
    pub(crate) fn dismissed(self, detail: String) -> EventOutcome {
        let ignore_reason = Some(IgnoreReason::Dismissed);
        EventOutcome { ignore_reason, waits_for: self.waits_for, ..EventOutcome::ignored(detail) }
    }

    /// The outcome where a part of what was paid for could not be told: that part is left to the operator.
    pub(super) fn with_rest(mut self, object: &str, unknown: Option<String>) -> EventOutcome {
        let Some(why) = unknown.filter(|_| self.status == Status::Applied) else { return self };
        let rest = EventOutcome::unmatched(object, format!("{}, but {why}", self.detail));
        self.log_events.extend(rest.log_events);
        EventOutcome { status: rest.status, detail: rest.detail, ..self }
    }

    fn of(status: Status, detail: impl Into<String>) -> EventOutcome {
        EventOutcome {
            status,
            ignore_reason: None,
            detail: detail.into(),
            waits_for: None,
            known_ids: vec![],
            unsure_subscription: None,
            log_events: vec![],
        }
    }
}

/// The id of what was paid, where the object names it.
fn own_id(object: &str) -> Option<String> {
    Some(object.to_owned()).filter(|id| id != NO_ID)
}
