//! What people are written when Stripe's events change something of theirs. Each letter goes into the outbox in the
//! transaction that applies the event, once for what it tells.

use crate::catalog::{Catalog, Offer};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::mail::letter::{Letter, PackReceipt, PaymentFailure};
use crate::store::payments::{self, Payment};
use crate::store::subscriptions::Subscription;
use crate::store::{Tx, users};
use crate::stripe::Invoice;
use crate::usecase::mail;
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome};
use crate::usecase::stripe_events::apply::owner::{Clues, owner_of};

/// Statuses of a subscription that never began: its buyer saw in the checkout that it did not.
const NEVER_BEGUN: [&str; 2] = ["incomplete", "incomplete_expired"];

/// The receipt of packs that were credited, by their keys.
pub(super) fn receipt(tx: &mut dyn Tx, context: &ApplyContext<'_>, payment: &Payment, packs: &[&str]) -> Result<()> {
    let letter = Letter::Receipt(PackReceipt {
        offers: packs.iter().map(|key| (*key).to_owned()).collect(),
        units: payment.units_granted,
        amount: payment.amount,
        currency: payment.currency.clone(),
        paid_at: context.happened_at.min(context.now).millis(),
        balance: users::balance_of(tx, payment.account)?.remaining,
    });
    let reason = format!("receipt_{}", payment.reference);
    mail::tell(tx, context.catalog, (context.now, context.happened_at), payment.account, &reason, &letter)
}

/// A payment for a plan that was not taken, once for each attempt. Of a plan's first payment its buyer knows already.
pub(super) fn payment_failed(tx: &mut dyn Tx, context: &ApplyContext<'_>, invoice: &Invoice) -> Result<EventOutcome> {
    if invoice.status != "open" || payments::find(tx, &invoice.id)?.is_some() {
        return Ok(EventOutcome::ignored("it is paid, or nothing is to be paid"));
    }
    let plan = invoice.lines.rows.iter().find_map(|line| match context.catalog.by_price(line.price.as_deref()?) {
        Some(Offer::Plan(plan)) => Some(plan),
        _ => None,
    });
    let Some(plan) = plan.filter(|_| invoice.billing_reason != "subscription_create") else {
        return Ok(EventOutcome::ignored("a payment that failed changes nothing here"));
    };
    let Some(account) = owner_of(tx, Clues::of_invoice(invoice, context.assigned.as_ref()))? else {
        return Ok(EventOutcome::ignored("an invoice of a user who is not known here"));
    };
    let letter = Letter::PaymentFailed(PaymentFailure {
        plan: plan.key.clone(),
        amount: invoice.amount_remaining.or(invoice.total).unwrap_or(0),
        currency: invoice.currency.clone().unwrap_or_else(|| context.catalog.currency.clone()),
        next_attempt_at: invoice.next_attempt_at.map(Timestamp::millis),
    });
    let reason = format!("payment_failed_{}_{}", invoice.id, invoice.attempts);
    mail::tell(tx, context.catalog, (context.now, context.happened_at), account, &reason, &letter)?;
    Ok(EventOutcome::ignored("a payment that failed: it moves no units"))
}

/// A subscription that is now set to end, or has ended, and was not before. `happened_at` is when Stripe said so.
pub(crate) fn end_of_plan(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    (now, happened_at): (Timestamp, Timestamp),
    before: Option<&Subscription>,
    new: &Subscription,
) -> Result<()> {
    let Some(before) = before.filter(|before| before.ended_at.is_none()) else { return Ok(()) };
    if NEVER_BEGUN.contains(&before.status.as_str()) {
        return Ok(());
    }
    let (at, has_ended, reason) = match (new.ended_at, new.ends_at) {
        (Some(at), _) => (at, true, format!("plan_ended_{}", new.id)),
        (None, Some(at)) if before.ends_at != Some(at) => (at, false, format!("plan_ends_{}_{}", new.id, at.seconds())),
        _ => return Ok(()),
    };
    // A description that came late may name no plan of the catalogue any more.
    let plan = if catalog.plan(&new.offer).is_some() { &new.offer } else { &before.offer }.clone();
    let letter = Letter::PlanEnds { plan, at: at.millis(), has_ended };
    mail::tell(tx, catalog, (now, happened_at), new.account, &reason, &letter)
}
