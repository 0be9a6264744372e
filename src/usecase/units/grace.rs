//! Whether the units of a plan's period that has ended wait for the next period's (`docs/rules.md`, rule 9). Stripe makes
//! the renewal's invoice a draft for an hour and tries a late payment for days; who keeps the plan meanwhile keeps the
//! units.

use crate::catalog::{Catalog, Expiry, Plan};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ledger::{GRACE_LIMIT_SECONDS, Lot};
use crate::store::subscriptions::{self, Subscription};
use crate::store::{Tx, payments};

use crate::usecase::users::entitlement::keeps_plan;

/// Until when a lot lives on after its own time. `None` where it does not: a plan did not buy it, its units live for a
/// number of days, no subscription keeps the plan, or the next period's lot is there.
pub(super) fn grace_of(tx: &mut dyn Tx, catalog: &Catalog, account: i64, lot: &Lot) -> Result<Option<Timestamp>> {
    let Some(period_end) = lot.expires_at else { return Ok(None) };
    let Some(offer) = payments::plan_of_lot(tx, account, lot.seq)? else { return Ok(None) };
    let Some(plan) = catalog.plan(&offer).filter(|plan| plan.expiry == Expiry::PeriodEnd) else { return Ok(None) };
    let Some(kept) = kept_plan(tx, catalog, account, plan, period_end)? else { return Ok(None) };
    if payments::has_later_lot(tx, account, [&plan.key, &kept], lot.seq, period_end)? {
        return Ok(None);
    }
    Ok(Some(period_end.plus_seconds(catalog.grace_seconds().clamp(0, GRACE_LIMIT_SECONDS)))
        .filter(|at| *at > period_end))
}

/// The key of the plan whose next period the lot waits for: its own, or the dearer one that the user changed to. A cheaper
/// one does not keep it. Where Stripe has not described any subscription of the user's yet, the plan counts as kept.
fn kept_plan(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    account: i64,
    plan: &Plan,
    period_end: Timestamp,
) -> Result<Option<String>> {
    if !subscriptions::has_any(tx, account)? {
        return Ok(Some(plan.key.clone()));
    }
    // One that is set to end with the period has no next one.
    let goes_on = |subscription: &Subscription| {
        keeps_plan(&subscription.status) && subscription.ends_at.is_none_or(|end| end > period_end)
    };
    let live = subscriptions::live_of(tx, account)?;
    let keeping = live.iter().filter(|subscription| goes_on(subscription));
    let plans = keeping.filter_map(|subscription| catalog.plan(&subscription.offer));
    let plans = plans.filter(|other| other.key == plan.key || other.amount >= plan.amount);
    // The lot's own plan comes first: with several subscriptions each waits for its own next period.
    Ok(plans.max_by_key(|other| (other.key == plan.key, other.amount)).map(|plan| plan.key.clone()))
}
