//! Posts a plan's units: at once, or month by month for a yearly plan.

use crate::clock::{DAY_SECONDS, Timestamp};
use crate::error::{Fault, Result};
use crate::ledger::{self, Credit, Entry, Kind, Units};
use crate::store::allotments::{self, DueAllotment};
use crate::store::payments::{self, Payment};
use crate::store::{Tx, users};
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, low_balances};
use crate::usecase::stripe_events::apply::reassess::{Cause, reassess, units_reversed};
use crate::usecase::units::posting::{self, PostingContext};

/// Posts units of a plan's payment with their part of what it cost: a credit, or a correction for a downgrade.
pub(super) fn post(
    tx: &mut dyn Tx,
    context: &mut PostingContext,
    payment: &Payment,
    (units, cost): (i64, i64),
    reason: String,
    expires_at: Option<Timestamp>,
) -> Result<Entry> {
    let account = posting::open(tx, context, payment.account, None)?;
    let count = Units::new(units.saturating_abs());
    let count = count.ok_or_else(|| Fault::bare("an allotment's units were not checked"))?;
    let (posting, bought_by) = if units > 0 {
        let cost = payment.part(cost);
        let credit = Credit { kind: Kind::Subscription, units: count, reason, note: None, expires_at, cost };
        (ledger::credit(&account.account, credit, context.now), Some(payment.reference.as_str()))
    } else {
        (ledger::correct(&account.account, Kind::Subscription, count, reason, None, context.now), None)
    };
    let posting = posting.map_err(posting::impossible)?;
    let entry = posting::post(tx, context, &account, &posting, bought_by)?;
    Ok(entry.ok_or_else(|| Fault::bare(format!("{} is in the ledger already", posting.entry.reason)))?)
}

/// Posts one month that is due, unless it was posted before. A payment that is completely reversed gets nothing now. It
/// is looked at again a day later, and as soon as the reversal ends, since a dispute may still be won.
pub fn post_due(tx: &mut dyn Tx, context: &ApplyContext<'_>, part: &DueAllotment) -> Result<Vec<LogEvent>> {
    let DueAllotment { reference, month, units, cost, .. } = part;
    let payment = payments::find(tx, reference)?;
    let payment = payment.ok_or_else(|| Fault::bare(format!("the payment {reference} is gone")))?;
    if payment.units_granted > 0 && units_reversed(tx, &payment)? == payment.units_granted {
        allotments::postpone(tx, reference, *month, context.now.plus_seconds(DAY_SECONDS))?;
        return Ok(vec![]);
    }
    if !allotments::mark_posted(tx, reference, *month, context.now)? {
        return Ok(vec![]);
    }
    let reason = format!("sub_{reference}_{}", month + 1);
    let mut posting_context = context.posting();
    let entry = post(tx, &mut posting_context, &payment, (*units, *cost), reason, expiry_of(part, context.now))?;
    let granted = payment.units_granted + (*units).max(0);
    payments::set_totals(tx, reference, granted, payment.units_reversed, payment.reversals)?;
    let mut log_events = vec![LogEvent::Allotted {
        user_id: users::by_account(tx, payment.account)?.id,
        plan: payment.offer.clone(),
        units: *units,
        invoice: reference.clone(),
        reason: entry.reason,
        balance: entry.balance_after,
    }];
    log_events.extend(low_balances(posting_context));
    log_events.extend(reassess(tx, context, reference, &Cause::refund(reference))?);
    Ok(log_events)
}

/// As planned; a part that is posted after its planned end lives as long as it would have, from now on.
fn expiry_of(part: &DueAllotment, now: Timestamp) -> Option<Timestamp> {
    let life = |end: Timestamp| end.millis().saturating_sub(part.due_at.millis());
    part.expires_at.map(|end| if end > now { end } else { now.plus_millis(life(end)) })
}
