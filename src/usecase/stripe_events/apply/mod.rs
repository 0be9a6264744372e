//! Turns what Stripe says into what the books say. Webhook, return page, timer, reconciliation and replay all enter
//! here, each in its own transaction. Nothing here talks to Stripe; `prefetch` has asked before.
//!
//! One file for each kind of object. Several of them use `owner` (whose is it), `signs` (is it ours at all),
//! `known_payment` (is it in the books already) and `reassess` (what the reversals of a payment take together).

mod checkout;
mod credit_note;
mod direction;
mod dispute;
mod erased;
mod installments;
mod invoice;
mod known_payment;
mod letters;
pub(super) mod opening;
mod outcome;
mod owner;
mod pack;
mod paid_span;
mod plan_checkout;
mod plan_line;
mod reassess;
mod receipt;
mod refund;
mod signs;
mod subscription;

use self::subscription::Description;
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::store::{Tx, customers};
use crate::stripe::{Customer, Event};

pub use checkout::checkout;
pub(crate) use checkout::is_as_ordered;
pub use installments::post_due;
pub(crate) use letters::end_of_plan;
pub use outcome::{ApplyContext, Assignment, EventOutcome};
pub(crate) use owner::{Clues, buyer_of, owner_of};
pub(crate) use plan_checkout::{link, plan_of};
pub(crate) use reassess::reverse;
pub(crate) use signs::{is_foreign_invoice, is_foreign_payment, is_foreign_session, is_our_subscription};
pub(crate) use subscription::{describe, keep_payments_due, plan_change};

/// Applies one event. An object that cannot be read is a fault: the event is stored with it and tried again.
pub fn apply(tx: &mut dyn Tx, context: &ApplyContext<'_>, event: &Event) -> Result<EventOutcome> {
    match event {
        Event::Checkout(session, step) => checkout(tx, context, session, *step),
        Event::Invoice(invoice) => {
            let outcome = invoice::invoice(tx, context, invoice)?;
            receipt::keep_document(tx, invoice)?;
            Ok(outcome)
        }
        Event::PaymentFailed(invoice) => letters::payment_failed(tx, context, invoice),
        Event::InvoicePayment(payment) => invoice::invoice_payment(tx, context, payment),
        Event::Charge(charge) => {
            receipt::keep_charge(tx, context, charge)?;
            refund::charge_refunded(tx, context, charge)
        }
        Event::ChargeMade(charge) => receipt::charge_made(tx, context, charge),
        Event::Refund(refund) => refund::refund(tx, context, refund),
        Event::Dispute(dispute, step) => dispute::dispute(tx, context, dispute, *step),
        Event::CreditNote(note) => credit_note::credit_note(tx, context, note),
        Event::Subscription { subscription, step, before, as_of } => {
            let description = Description { subscription, step: *step, before: before.as_deref(), as_of: *as_of };
            subscription::subscription(tx, context, &description)
        }
        Event::Schedule { hint, subscription } => subscription::schedule(tx, context, hint, subscription.as_deref()),
        Event::CustomerDeleted(customer) => customer_deleted(tx, customer, context.now),
        Event::Unhandled { kind } => Ok(EventOutcome::ignored(format!("{kind} changes nothing here"))),
        Event::Unreadable { kind, cause } => {
            Err(Fault::new(format!("the object of {kind} cannot be read"), cause.clone()).into())
        }
    }
}

fn customer_deleted(tx: &mut dyn Tx, customer: &Customer, now: Timestamp) -> Result<EventOutcome> {
    Ok(match customers::gone(tx, &customer.id, now)? {
        true => EventOutcome::applied("the user's next purchase makes a new customer"),
        false => EventOutcome::ignored("not a customer of ours"),
    })
}
