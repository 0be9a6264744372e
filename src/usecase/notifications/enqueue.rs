//! Notifications are written into the outbox in the transaction that they report: one that is rolled back is never sent,
//! and one that is committed is not lost. A spend that crosses no threshold runs no statement here.

use serde::Serialize;

use crate::backoff::NOTIFICATION_PATIENCE_MILLIS;
use crate::catalog::Catalog;
use crate::clock::{Timestamp, rfc3339};
use crate::error::Result;
use crate::id;
use crate::ledger::{Entry, Kind};
use crate::notification::Topic;
use crate::notification::body::{self, Credit, LowBalance, PlanChange, Reversal, UnitsExpiring};
use crate::store::lots::ExpiringUnits;
use crate::store::outbox::{self, Message};
use crate::store::{Tx, payments, users, webhook_endpoints};

use crate::usecase::users::entitlement;

/// Enqueues what an entry that was just stored means to the endpoints: units that came in or were reversed, and a
/// balance that fell below `threshold`. The low balance is returned too, whether or not an endpoint wants it: it is
/// logged after the commit. `payment` is what bought the lot that the entry opened.
pub(crate) fn enqueue_for_entry(
    tx: &mut dyn Tx,
    now: Timestamp,
    entry: &Entry,
    threshold: i64,
    payment: Option<&str>,
) -> Result<Option<LowBalance>> {
    match entry.kind {
        Kind::Topup => enqueue_credit(tx, now, Topic::ToppedUp, entry, payment)?,
        Kind::Subscription => enqueue_credit(tx, now, Topic::Allotted, entry, payment)?,
        Kind::Refund | Kind::Dispute => enqueue_reversal(tx, now, entry)?,
        Kind::Spend | Kind::Grant | Kind::Expiry => {}
    }
    let balance_before = entry.balance_after.saturating_sub(entry.delta);
    if balance_before < threshold || entry.balance_after >= threshold {
        return Ok(None);
    }
    let user_id = users::by_account(tx, entry.account)?.id;
    let low = LowBalance { user_id, remaining: entry.balance_after, threshold };
    let endpoints = endpoints_for(tx, Topic::LowBalance)?;
    write(tx, now, Topic::LowBalance, entry.account, &low, &endpoints)?;
    Ok(Some(low))
}

/// Enqueues that units expire soon.
pub(super) fn enqueue_expiring(tx: &mut dyn Tx, now: Timestamp, account: i64, expiring: ExpiringUnits) -> Result<()> {
    let endpoints = endpoints_for(tx, Topic::UnitsExpiring)?;
    if endpoints.is_empty() {
        return Ok(());
    }
    let user_id = users::by_account(tx, account)?.id;
    let data = UnitsExpiring { user_id: &user_id, units: expiring.units, at: rfc3339(expiring.at) };
    write(tx, now, Topic::UnitsExpiring, account, &data, &endpoints)
}

/// Whether any endpoint wants to know that units expire.
pub(super) fn is_expiry_wanted(tx: &mut dyn Tx) -> Result<bool> {
    Ok(!endpoints_for(tx, Topic::UnitsExpiring)?.is_empty())
}

/// Runs `change`, which changes an account's subscriptions, and enqueues a notification if the user has another plan
/// after it.
pub(crate) fn notify_if_plan_changes<T>(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    account: i64,
    now: Timestamp,
    change: impl FnOnce(&mut dyn Tx) -> Result<T>,
) -> Result<T> {
    let endpoints = endpoints_for(tx, Topic::PlanChanged)?;
    if endpoints.is_empty() {
        return change(tx);
    }
    let user = users::by_account(tx, account)?;
    let before = entitlement::of_user(tx, catalog, user)?;
    let changed = change(tx)?;
    let after = entitlement::of_user(tx, catalog, before.user)?;
    if before.plan != after.plan {
        let data = PlanChange {
            user_id: &after.user.id,
            plan: &after.plan,
            previous_plan: &before.plan,
            features: &after.features,
            status: after.subscription.as_ref().map(|subscription| subscription.status.as_str()),
        };
        write(tx, now, Topic::PlanChanged, account, &data, &endpoints)?;
    }
    Ok(changed)
}

fn enqueue_credit(tx: &mut dyn Tx, now: Timestamp, topic: Topic, entry: &Entry, payment: Option<&str>) -> Result<()> {
    let endpoints = endpoints_for(tx, topic)?;
    if endpoints.is_empty() {
        return Ok(());
    }
    let payment = payment.map(|reference| payments::find(tx, reference)).transpose()?.flatten();
    let data = Credit {
        user_id: &users::by_account(tx, entry.account)?.id,
        units: entry.delta,
        balance: entry.balance_after,
        reason: &entry.reason,
        entry_id: &entry.id(),
        plan: payment.as_ref().map(|payment| payment.offer.as_str()),
    };
    write(tx, now, topic, entry.account, &data, &endpoints)
}

fn enqueue_reversal(tx: &mut dyn Tx, now: Timestamp, entry: &Entry) -> Result<()> {
    let endpoints = endpoints_for(tx, Topic::Reversed)?;
    if endpoints.is_empty() {
        return Ok(());
    }
    let data = Reversal {
        user_id: &users::by_account(tx, entry.account)?.id,
        units: entry.delta,
        balance: entry.balance_after,
        reason: &entry.reason,
        entry_id: &entry.id(),
        cause: entry.kind.as_str(),
    };
    write(tx, now, Topic::Reversed, entry.account, &data, &endpoints)
}

fn endpoints_for(tx: &mut dyn Tx, topic: Topic) -> Result<Vec<String>> {
    webhook_endpoints::wanting(tx, topic.as_str())
}

/// Without endpoints there is nothing to write.
fn write(
    tx: &mut dyn Tx,
    now: Timestamp,
    topic: Topic,
    account: i64,
    data: &impl Serialize,
    endpoints: &[String],
) -> Result<()> {
    if endpoints.is_empty() {
        return Ok(());
    }
    let message = Message {
        id: &id::ordered_id("msg", now)?,
        account,
        kind: topic.as_str(),
        body: &body::write(topic, now, data)?,
        now,
        give_up_at: Timestamp::from_millis(now.millis().saturating_add(NOTIFICATION_PATIENCE_MILLIS)),
    };
    outbox::write(tx, &message, endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;
    use crate::store::{DbResult, FigureChange, Param, Row};

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    /// A transaction in which every statement fails.
    struct UnusableTx;

    impl Tx for UnusableTx {
        fn execute(&mut self, sql: &'static str, _: &[&dyn Param]) -> DbResult<usize> {
            Err(Fault::bare(sql))
        }

        fn query(
            &mut self,
            sql: &'static str,
            _: &[&dyn Param],
            _: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
        ) -> DbResult<()> {
            Err(Fault::bare(sql))
        }

        fn mark_changed(&mut self, _: i64) {}

        fn add_to_figure(&mut self, _: FigureChange) {}
    }

    #[test]
    fn a_spend_that_crosses_no_threshold_runs_no_statement() {
        use Kind::{Dispute, Expiry, Grant, Refund, Spend, Subscription, Topup};
        for (kind, before, after, silent) in [
            (Spend, 100, 10, true),
            (Spend, 9, 5, true),
            (Spend, 10, 9, false),
            (Spend, 100, 0, false),
            (Grant, 0, 100, true),
            (Grant, 20, 5, false),
            (Expiry, 20, 10, true),
            (Expiry, 20, 0, false),
            (Topup, 0, 100, false),
            (Subscription, 0, 100, false),
            (Refund, -5, -10, false),
            (Dispute, -5, -10, false),
        ] {
            let (reason, delta) = ("r".to_owned(), after - before);
            let entry = Entry {
                account: 1,
                seq: 1,
                kind,
                delta,
                balance_after: after,
                reason,
                note: None,
                lot: None,
                expires_at: None,
                created_at: NOW,
                previous: [0; 32],
            };
            let enqueued = enqueue_for_entry(&mut UnusableTx, NOW, &entry, 10, None);
            assert_eq!(enqueued.is_ok_and(|low| low.is_none()), silent, "{kind:?} {before} {after}");
        }
    }
}
