//! What is announced to the outside: messages into the outbox, in the transaction of what they tell of, so that one that
//! is undone is not told of and one that is kept is. A spend that crosses no threshold costs nothing here; without an
//! endpoint only a low balance leaves a message, for the log.

use serde::Serialize;

use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id;
use crate::ledger::{self, Entry};
use crate::notification::backoff::PATIENCE_MILLIS;
use crate::notification::{Topic, body};
use crate::store::outbox::{self, Message};
use crate::store::{Tx, payments, users, webhook_endpoints};

use crate::usecase::units::posting::{Opened, PostingContext};
use crate::usecase::users::entitlement;

/// Announces a movement that was just stored: what came in or was reversed, and a balance that fell below its threshold.
/// `payment` is what bought the lot that it opened.
pub(crate) fn moved(
    tx: &mut dyn Tx,
    rules: PostingContext,
    before: &Opened,
    entry: &Entry,
    payment: Option<&str>,
) -> Result<()> {
    let kind = match entry.kind {
        ledger::Kind::Topup => Some(Topic::ToppedUp),
        ledger::Kind::Subscription => Some(Topic::Allotted),
        ledger::Kind::Refund | ledger::Kind::Dispute => Some(Topic::Reversed),
        ledger::Kind::Spend | ledger::Kind::Grant | ledger::Kind::Expiry => None,
    };
    if let Some(kind) = kind {
        announce_entry(tx, rules, kind, entry, payment)?;
    }
    if before.remaining >= before.low_balance && entry.balance_after < before.low_balance {
        announce_low_balance(tx, rules, before, entry)?;
    }
    Ok(())
}

/// Does `change` to an account's subscriptions, and announces it where the user's plan is another one then.
pub(crate) fn plan_of<T>(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    account: i64,
    now: Timestamp,
    change: impl FnOnce(&mut dyn Tx) -> Result<T>,
) -> Result<T> {
    let endpoints = webhook_endpoints::wanting(tx, Topic::PlanChanged.as_str())?;
    if endpoints.is_empty() {
        return change(tx);
    }
    let user = users::by_account(tx, account)?;
    let before = entitlement::of_user(tx, catalog, user)?;
    let done = change(tx)?;
    let after = entitlement::of_user(tx, catalog, before.user)?;
    if before.plan != after.plan {
        let data = body::PlanChanged {
            user_id: &after.user.id,
            plan: &after.plan,
            previous_plan: &before.plan,
            features: &after.features,
            status: after.subscription.as_ref().map(|subscription| subscription.status.as_str()),
        };
        write(tx, Topic::PlanChanged, account, now, &data, &endpoints)?;
    }
    Ok(done)
}

fn announce_entry(
    tx: &mut dyn Tx,
    rules: PostingContext,
    topic: Topic,
    entry: &Entry,
    payment: Option<&str>,
) -> Result<()> {
    let endpoints = webhook_endpoints::wanting(tx, topic.as_str())?;
    if endpoints.is_empty() {
        return Ok(());
    }
    let user = users::by_account(tx, entry.account)?;
    let (user_id, units, balance) = (user.id.as_str(), entry.delta, entry.balance_after);
    let (reason, entry_id) = (entry.reason.as_str(), &entry.id());
    if topic == Topic::Reversed {
        let data = body::Reversed { user_id, units, balance, reason, entry_id, cause: entry.kind.as_str() };
        return write(tx, topic, entry.account, rules.now, &data, &endpoints);
    }
    let payment = payment.map(|reference| payments::find(tx, reference)).transpose()?.flatten();
    let plan = payment.as_ref().map(|payment| payment.offer.as_str());
    let data = body::Credited { user_id, units, balance, reason, entry_id, plan };
    write(tx, topic, entry.account, rules.now, &data, &endpoints)
}

fn announce_low_balance(tx: &mut dyn Tx, rules: PostingContext, before: &Opened, entry: &Entry) -> Result<()> {
    let endpoints = webhook_endpoints::wanting(tx, Topic::LowBalance.as_str())?;
    let user_id = users::by_account(tx, entry.account)?.id;
    let (remaining, threshold) = (entry.balance_after, before.low_balance);
    let data = body::LowBalance { user_id, remaining, threshold, topup_url: None };
    write(tx, Topic::LowBalance, entry.account, rules.now, &data, &endpoints)
}

fn write(
    tx: &mut dyn Tx,
    topic: Topic,
    account: i64,
    now: Timestamp,
    data: &impl Serialize,
    endpoints: &[String],
) -> Result<()> {
    let message = Message {
        id: &id::ordered_id("msg", now)?,
        account,
        kind: topic.as_str(),
        body: &body::write(topic, now, data)?,
        untold: topic == Topic::LowBalance,
        now,
        give_up_at: Timestamp::from_millis(now.millis().saturating_add(PATIENCE_MILLIS)),
    };
    outbox::write(tx, &message, endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;
    use crate::ledger::Account;
    use crate::store::{Row, Value};

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    /// A transaction in which nothing can be asked.
    struct Closed;

    impl Tx for Closed {
        fn execute(&mut self, sql: &'static str, _: &[Value<'_>]) -> std::result::Result<usize, Fault> {
            Err(Fault::bare(sql))
        }

        fn query(&mut self, sql: &'static str, _: &[Value<'_>]) -> std::result::Result<Vec<Row>, Fault> {
            Err(Fault::bare(sql))
        }

        fn mark_changed(&mut self, _: i64) {}
    }

    #[test]
    fn a_spend_that_crosses_no_threshold_runs_no_statement() {
        use ledger::Kind::{Dispute, Expiry, Grant, Refund, Spend, Subscription, Topup};
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
            let account = Account { remaining: before, ..Account::open(1) };
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
            let rules = PostingContext { now: NOW, low_balance: 10 };
            let done = moved(&mut Closed, rules, &Opened { account, low_balance: 10, is_simple: false }, &entry, None);
            assert_eq!(done.is_ok(), silent, "{kind:?} {before} {after}");
        }
    }
}
