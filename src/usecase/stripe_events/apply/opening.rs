//! What an opening balance has in it: what the users of an earlier backend paid there is counted in what they have left, and is
//! not credited again (`docs/rules.md`, rule 18).

use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::{Tx, inbox, orders, users};
use crate::stripe::{CheckoutSession, Invoice};
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome};
use crate::usecase::stripe_events::apply::paid_span::PaidSpan;

const COVERED: &str = "it was paid before the user was imported, so the opening balance has it";

/// The outcome of an invoice that an opening balance has; `None` for one that is to be credited.
pub(super) fn of_invoice(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    account: i64,
    invoice: &Invoice,
) -> Result<Option<EventOutcome>> {
    let Some(until) = until(tx, context, account)? else { return Ok(None) };
    let order = invoice.subscription_metadata.get("order_id").or(invoice.metadata.get("order_id"));
    let at = invoice.paid_at.or(invoice.created).unwrap_or(context.happened_at);
    let is_ours = order.map(|order| orders::by_id(tx, order)).transpose()?.flatten().is_some();
    Ok((!is_ours && at.seconds() <= until.seconds()).then(|| EventOutcome::ignored(COVERED)))
}

/// The same of a checkout that did not begin here. One that may have been paid on either side of the moment is the operator's.
pub(super) fn of_session(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    account: i64,
    session: &CheckoutSession,
) -> Result<Option<EventOutcome>> {
    let Some(until) = until(tx, context, account)? else { return Ok(None) };
    let paid = PaidSpan::of(session, context);
    Ok(match () {
        () if paid.earliest > until.seconds() => None,
        // Stripe's own event may have said it before. If a list told of it first, that could not be decided, and is now.
        () if paid.latest <= until.seconds() || has(tx, &session.id)? => {
            Some(EventOutcome { known_ids: vec![session.id.clone()], ..EventOutcome::ignored(COVERED) })
        }
        () => {
            let why = "it was begun before the user was imported, and may have been paid before or after";
            Some(EventOutcome::unmatched(&session.id, why))
        }
    })
}

/// Whether what was paid by this session or invoice is in an opening balance, as an event of it was found to be.
pub(in crate::usecase::stripe_events) fn has(tx: &mut dyn Tx, object: &str) -> Result<bool> {
    inbox::is_ignored_as(tx, object, COVERED)
}

/// Until when what the account paid is in its opening balance. What the operator assigns is credited.
fn until(tx: &mut dyn Tx, context: &ApplyContext<'_>, account: i64) -> Result<Option<Timestamp>> {
    match context.assigned {
        Some(_) => Ok(None),
        None => users::imported_at(tx, account),
    }
}
