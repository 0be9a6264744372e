//! What is paid after its user was erased. Nobody can enter that account any more, so nothing is credited to it: the operator
//! gives the money back, or assigns it to another user. What was paid before stays what it was.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::{Tx, erasure};
use crate::stripe::{CheckoutSession, Invoice};
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome};
use crate::usecase::stripe_events::apply::paid_span::PaidSpan;

const WHY: &str = "its user was erased before it was paid: refund it at Stripe, or assign it to another user";

/// The outcome of a paid checkout of somebody who had been erased; `None` for one that is to be credited. One that may
/// have been paid on either side of the erasure is the operator's.
pub(super) fn of_session(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    account: i64,
    session: &CheckoutSession,
) -> Result<Option<EventOutcome>> {
    let Some(erased_at) = erased_at(tx, context, account)? else { return Ok(None) };
    let paid = PaidSpan::of(session, context);
    Ok((paid.latest >= erased_at.seconds()).then(|| EventOutcome::unmatched(&session.id, WHY)))
}

/// The same of an invoice.
pub(super) fn of_invoice(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    account: i64,
    invoice: &Invoice,
) -> Result<Option<EventOutcome>> {
    let Some(erased_at) = erased_at(tx, context, account)? else { return Ok(None) };
    let paid_at = invoice.paid_at.unwrap_or(context.happened_at);
    let why = match &invoice.subscription {
        Some(subscription) => format!("{WHY}; cancel the subscription {subscription} too"),
        None => WHY.to_owned(),
    };
    Ok((paid_at.seconds() >= erased_at.seconds()).then(|| EventOutcome::unmatched(&invoice.id, why)))
}

/// When the person of the account was erased. What the operator assigns is credited.
fn erased_at(tx: &mut dyn Tx, context: &ApplyContext<'_>, account: i64) -> Result<Option<Timestamp>> {
    match context.assigned {
        Some(_) => Ok(None),
        None => erasure::erased_at(tx, account),
    }
}
