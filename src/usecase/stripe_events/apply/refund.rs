//! Refunds: one by one, or in total as a charge states them (`docs/rules.md`, rule 7).

use crate::error::Result;
use crate::store::Tx;
use crate::store::payments::{self, Payment, RefundRecord, RefundState};
use crate::stripe::{Charge, Refund};
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome};
use crate::usecase::stripe_events::apply::reassess::{Cause, Lookup, find_payment, reassess_for};

/// One refund, at any stage.
pub(super) fn refund(tx: &mut dyn Tx, context: &ApplyContext<'_>, refund: &Refund) -> Result<EventOutcome> {
    let ids = [refund.payment_intent.as_deref(), refund.charge.as_deref()];
    let payment = match find_payment(tx, context, ids, &refund.origin)? {
        Lookup::Found(payment) => payment,
        Lookup::Undecided(outcome) => return Ok(outcome),
    };
    put(tx, context, &payment, refund)?;
    let what = format!("the refund {} is {}", refund.id, refund.status);
    reassess_for(tx, context, &payment, &Cause::refund(&refund.id), &what)
}

/// A charge states how much of it is refunded in total, and perhaps by which refunds.
pub(super) fn charge_refunded(tx: &mut dyn Tx, context: &ApplyContext<'_>, charge: &Charge) -> Result<EventOutcome> {
    let ids = [charge.payment_intent.as_deref(), Some(charge.id.as_str())];
    let payment = match find_payment(tx, context, ids, &charge.origin)? {
        Lookup::Found(payment) => payment,
        Lookup::Undecided(outcome) => return Ok(outcome),
    };
    for refund in charge.refunds.iter().flat_map(|list| &list.rows) {
        put(tx, context, &payment, refund)?;
    }
    let stated = charge.amount_refunded.unwrap_or(0);
    payments::raise_refunded_total(tx, &payment.reference, stated, context.happened_at)?;
    let what = format!("{stated} of {} refunded in all", charge.id);
    let outcome = reassess_for(tx, context, &payment, &Cause::refund(&charge.id), &what)?;
    // A refund that failed is no longer in a later total, and only Stripe's list tells which refunds a total is made of.
    let is_told = context.stripe_answered || charge.refunds.is_some();
    if is_told || !payments::has_untold_refunds(tx, &payment.reference)? {
        return Ok(outcome);
    }
    let waiting =
        EventOutcome::waiting_for_stripe(format!("{}; Stripe could not say by which refunds", outcome.detail));
    Ok(EventOutcome { log_events: outcome.log_events, known_ids: outcome.known_ids, ..waiting })
}

fn put(tx: &mut dyn Tx, context: &ApplyContext<'_>, payment: &Payment, refund: &Refund) -> Result<()> {
    let state = match refund {
        refund if refund.is_undone() => RefundState::Failed,
        refund if refund.is_succeeded() => RefundState::Succeeded,
        _ => RefundState::Pending,
    };
    let made_at = refund.created.unwrap_or(context.happened_at);
    let record = RefundRecord {
        id: &refund.id,
        amount: refund.amount.unwrap_or(0).max(0),
        state,
        times: [made_at, context.happened_at.max(made_at)],
    };
    payments::put_refund(tx, &payment.reference, &record)
}
