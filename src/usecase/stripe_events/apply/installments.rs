//! The months of a yearly plan: parts of a payment that become due later.

use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::ledger::{self, Credit, Entry, Kind, Units};
use crate::store::payments::{self, Payment};
use crate::store::{Tx, users};
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::Context;
use crate::usecase::stripe_events::apply::reversal::{Cause, reassess, to_take};
use crate::usecase::units::posting;

/// Posts units of a plan's payment: a credit, or what a downgrade takes back.
pub(super) fn post(
    tx: &mut dyn Tx,
    payment: &Payment,
    units: i64,
    reason: String,
    expires_at: Option<Timestamp>,
    rules: posting::PostingContext,
) -> Result<Entry> {
    let account = posting::open(tx, rules, payment.account, None)?;
    let moved =
        Units::new(units.saturating_abs()).ok_or_else(|| Fault::bare("an allotment's units were not checked"))?;
    let (posting, bought) = if units > 0 {
        let credit = Credit { kind: Kind::Subscription, units: moved, reason, note: None, expires_at };
        (ledger::credit(&account.account, credit, rules.now), Some(payment.reference.as_str()))
    } else {
        (ledger::correct(&account.account, Kind::Subscription, moved, reason, None, rules.now), None)
    };
    let posting = posting.map_err(posting::impossible)?;
    let entry = posting::post(tx, rules, &account, &posting, bought)?;
    Ok(entry.ok_or_else(|| Fault::bare(format!("{} is in the ledger already", posting.entry.reason)))?)
}

/// Posts one part that is due; `None` when it was posted before, or when the payment is reversed as a whole: then it is
/// looked at again a day later, for a dispute may still be won.
pub fn post_due(
    tx: &mut dyn Tx,
    context: &Context<'_>,
    reference: &str,
    month: i64,
    units: i64,
) -> Result<Vec<LogEvent>> {
    let payment = payments::find(tx, reference)?;
    let payment = payment.ok_or_else(|| Fault::bare(format!("the payment {reference} is gone")))?;
    if payment.units_granted > 0 && to_take(tx, &payment)? == payment.units_granted {
        payments::postpone(tx, reference, month, context.now.plus_seconds(86_400))?;
        return Ok(vec![]);
    }
    if !payments::allotted(tx, reference, month, context.now)? {
        return Ok(vec![]);
    }
    let reason = format!("sub_{reference}_{}", month + 1);
    let entry = post(tx, &payment, units, reason, None, context.rules())?;
    payments::set_totals(
        tx,
        reference,
        payment.units_granted + units.max(0),
        payment.units_reversed,
        payment.reversals,
    )?;
    let mut told = vec![LogEvent::Allotted {
        user_id: users::by_account(tx, payment.account)?.id,
        plan: payment.offer.clone(),
        units,
        invoice: reference.to_owned(),
        reason: entry.reason,
        balance: entry.balance_after,
    }];
    told.extend(reassess(tx, context, reference, &Cause::refund(reference))?);
    Ok(told)
}
