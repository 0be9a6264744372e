//! Posts a plan's units: at once, or month by month for a yearly plan.

use crate::clock::{DAY_SECONDS, Timestamp};
use crate::error::{Fault, Result};
use crate::ledger::{self, Credit, Entry, Kind, Units};
use crate::store::payments::{self, Payment};
use crate::store::{Tx, users};
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::outcome::ApplyContext;
use crate::usecase::stripe_events::apply::reassess::{Cause, reassess, units_reversed};
use crate::usecase::units::posting;

/// Posts units of a plan's payment: a credit, or a correction for a downgrade.
pub(super) fn post(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    payment: &Payment,
    units: i64,
    reason: String,
    expires_at: Option<Timestamp>,
) -> Result<Entry> {
    let account = posting::open(tx, context.posting(), payment.account, None)?;
    let count = Units::new(units.saturating_abs());
    let count = count.ok_or_else(|| Fault::bare("an allotment's units were not checked"))?;
    let (posting, bought_by) = if units > 0 {
        let credit = Credit { kind: Kind::Subscription, units: count, reason, note: None, expires_at };
        (ledger::credit(&account, credit, context.now), Some(payment.reference.as_str()))
    } else {
        (ledger::correct(&account, Kind::Subscription, count, reason, None, context.now), None)
    };
    let posting = posting.map_err(posting::impossible)?;
    let entry = posting::post(tx, context.posting(), &account, &posting, bought_by)?;
    Ok(entry.ok_or_else(|| Fault::bare(format!("{} is in the ledger already", posting.entry.reason)))?)
}

/// Posts one month that is due, unless it was posted before. A payment that is completely reversed gets nothing now. It
/// is looked at again a day later, since a dispute may still be won.
pub fn post_due(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    reference: &str,
    month: i64,
    units: i64,
) -> Result<Vec<LogEvent>> {
    let payment = payments::find(tx, reference)?;
    let payment = payment.ok_or_else(|| Fault::bare(format!("the payment {reference} is gone")))?;
    if payment.gave > 0 && units_reversed(tx, &payment)? == payment.gave {
        payments::postpone(tx, reference, month, context.now.plus_seconds(DAY_SECONDS))?;
        return Ok(vec![]);
    }
    if !payments::allotted(tx, reference, month, context.now)? {
        return Ok(vec![]);
    }
    let reason = format!("sub_{reference}_{}", month + 1);
    let entry = post(tx, context, &payment, units, reason, None)?;
    payments::moved(tx, reference, payment.gave + units.max(0), payment.taken, payment.reversals)?;
    let mut log_events = vec![LogEvent::Allotted {
        user_id: users::by_account(tx, payment.account)?.id,
        plan: payment.offer.clone(),
        units,
        invoice: reference.to_owned(),
        reason: entry.reason,
        balance: entry.balance_after,
    }];
    log_events.extend(reassess(tx, context, reference, &Cause::refund(reference))?);
    Ok(log_events)
}
