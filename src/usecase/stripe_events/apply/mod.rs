//! What Stripe says, decided: the one door through which webhook, return page, timer, reconciliation and replay enter.
//! Runs inside the caller's transaction and talks to nobody: what Stripe had to be asked for is in the context's facts.
//! One file for each kind of thing that Stripe tells of.

mod checkout;
mod installments;
mod invoice;
mod reversal;
mod subscription;

use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::error::{Error, Fault, Result};
use crate::store::inbox::Status;
use crate::store::{Tx, customers};
use crate::stripe::{
    Charge, CheckoutSession, CreditNote, Customer, Dispute, Event, Invoice, InvoiceLine, InvoicePayment, LineItem,
    Refund, Subscription,
};

use crate::usecase::log_events::LogEvent;
use crate::usecase::units::posting;

pub use checkout::{Moment, is_bought, session};
pub use installments::post_due;
pub(crate) use subscription::describe;

/// What is known beside the event itself.
pub struct Context<'a> {
    /// What is on sale.
    pub catalog: &'a Catalog,
    /// What Stripe was asked for.
    pub facts: &'a Facts,
    /// Whom the operator says it is for.
    pub assigned: Option<Assignment>,
    /// When this is.
    pub now: Timestamp,
}

impl Context<'_> {
    /// What holds for every movement.
    fn rules(&self) -> posting::PostingContext {
        posting::PostingContext::of(self.catalog, self.now)
    }
}

/// What the operator knows and Stripe does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The account that paid.
    pub account: i64,
    /// The pack that was bought.
    pub offer: Option<String>,
}

/// What Stripe answered before the transaction began, for an event that does not say everything itself.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The invoice that an invoice payment paid.
    pub invoice: Option<Invoice>,
    /// All lines of the invoice.
    pub lines: Option<Vec<InvoiceLine>>,
    /// The payment intent that paid the invoice.
    pub payment_intent: Option<String>,
    /// The checkout session that made the invoice, for packs sold with one.
    pub session: Option<CheckoutSession>,
    /// The invoice that the payment intent paid.
    pub invoice_of_payment: Option<String>,
    /// All refunds of the payment.
    pub refunds: Option<Vec<Refund>>,
    /// The credit note, in a shape that says how it is divided.
    pub credit_note: Option<CreditNote>,
    /// All line items of the session.
    pub line_items: Option<Vec<LineItem>>,
    /// Stripe was asked and could not answer: what cannot be decided without it waits.
    pub unanswered: bool,
}

/// What an event came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventOutcome {
    /// What became of it.
    pub status: Status,
    /// In words, for the operator.
    pub detail: String,
    /// The id that it waits for.
    pub waits_for: Option<String>,
    /// Ids that are known from now on: what waits for one of them is tried again at once.
    pub known: Vec<String>,
    /// What is told once it is durable.
    pub told: Vec<LogEvent>,
}

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
    fn waiting(referent: &str, detail: impl Into<String>) -> EventOutcome {
        EventOutcome { waits_for: Some(referent.to_owned()), ..EventOutcome::of(Status::Waiting, detail) }
    }

    fn of(status: Status, detail: impl Into<String>) -> EventOutcome {
        EventOutcome { status, detail: detail.into(), waits_for: None, known: vec![], told: vec![] }
    }

    fn unmatched(object: &str, why: impl Into<String>) -> EventOutcome {
        let why = why.into();
        let told = vec![LogEvent::Unmatched { object: object.to_owned(), why: why.clone() }];
        EventOutcome { told, ..EventOutcome::of(Status::Unmatched, why) }
    }
}

/// What an event waits for when Stripe could not be asked: the timer asks again.
const STRIPE: &str = "stripe";

/// The types of event that change something here: what the webhook endpoint at Stripe is set up with.
pub const HANDLED: [&str; 26] = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice_payment.paid",
    "charge.refunded",
    "charge.refund.updated",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
];

/// Applies one event. An object that cannot be read is a fault: the event is kept with it and tried again.
pub fn event(tx: &mut dyn Tx, context: &Context<'_>, event: &Event) -> Result<EventOutcome> {
    let unreadable = |cause| Error::from(Fault::new(format!("the object of {} cannot be read", event.kind), cause));
    let object = &event.object;
    if !HANDLED.contains(&event.kind.as_str()) {
        return Ok(EventOutcome::ignored(format!("{} changes nothing here", event.kind)));
    }
    match event.kind.as_str() {
        "checkout.session.async_payment_failed" => {
            session(tx, context, &CheckoutSession::read(object).map_err(unreadable)?, Moment::AsyncFailed)
        }
        kind if kind.starts_with("checkout.session.") => {
            session(tx, context, &CheckoutSession::read(object).map_err(unreadable)?, Moment::Seen)
        }
        kind if kind.starts_with("customer.subscription.") => {
            let described = Subscription::read(object).map_err(unreadable)?;
            subscription::described(tx, context, &described, event)
        }
        "invoice.paid" | "invoice.payment_succeeded" => {
            invoice::invoice(tx, context, &Invoice::read(object).map_err(unreadable)?)
        }
        "invoice_payment.paid" => invoice::payment(tx, context, &InvoicePayment::read(object).map_err(unreadable)?),
        "charge.refunded" => reversal::charge_refunded(tx, context, &Charge::read(object).map_err(unreadable)?),
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            reversal::refund(tx, context, &Refund::read(object).map_err(unreadable)?)
        }
        kind if kind.starts_with("charge.dispute.") => {
            reversal::dispute(tx, context, kind, &Dispute::read(object).map_err(unreadable)?)
        }
        kind if kind.starts_with("credit_note.") => {
            reversal::credit_note(tx, context, &CreditNote::read(object).map_err(unreadable)?)
        }
        "customer.deleted" => {
            let gone = Customer::read(object).map_err(unreadable)?;
            Ok(match customers::gone(tx, &gone.id, context.now)? {
                true => EventOutcome::applied("the user's next purchase makes a new customer"),
                false => EventOutcome::ignored("not a customer of ours"),
            })
        }
        other => Ok(EventOutcome::ignored(format!("{other} changes nothing here"))),
    }
}
