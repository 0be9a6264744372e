//! The log line `low_balance`: one for each time that a balance falls below its threshold, in whatever way it falls, and
//! without any endpoint. On the library, whose log is captured in this process. All tests share it, so the users here have
//! names that no other test uses.

use std::sync::mpsc::channel;
use std::thread;

use serde_json::{Value, json};
use till::app::App;
use till::clock::Timestamp;
use till::error::Result;
use till::store::{entries, users as accounts};
use till::usecase::stripe_events::inbox;
use till::usecase::units::expire::expire;
use till::usecase::units::grant::{self, GrantRequest};
use till::usecase::units::hold::{self, Closing, HoldRequest};
use till::usecase::units::request::IdempotencyKey;
use till::usecase::units::spend::{self, SpendRequest};
use till::usecase::users::{self, UserPatch};

use crate::harness::life::{Life, event, stripe};
use crate::harness::log;

/// The built-in catalogue's.
const THRESHOLD: i64 = 10;
const NOTHING: [i64; 0] = [];

/// A till without an endpoint.
fn begin() -> Life {
    log::capture();
    Life::begin(&stripe().url())
}

/// What the log says was left, in the order of the lines.
pub fn logged(user: &str) -> Vec<i64> {
    let text = log::captured();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let low = lines.filter(|line| line["event"] == "low_balance" && line["user_id"] == user);
    low.map(|line| {
        assert_eq!(line["threshold"], THRESHOLD, "{line}");
        line["remaining"].as_i64().unwrap()
    })
    .collect()
}

/// What was left at each crossing in the user's ledger, in its order.
fn crossings(app: &App, user: &str) -> Vec<i64> {
    let newest_first = app.store.read(|tx| {
        let account = accounts::by_id(tx, user)?.account;
        entries::newest(tx, account, i64::MAX, 10_000)
    });
    let oldest_first = newest_first.unwrap().into_iter().rev();
    let crossing = |balance: i64, delta: i64| balance < THRESHOLD && balance - delta >= THRESHOLD;
    oldest_first.filter(|entry| crossing(entry.balance_after, entry.delta)).map(|entry| entry.balance_after).collect()
}

fn user(life: &Life, id: &'static str) -> &'static str {
    users::put(&life.app, id, UserPatch::default()).unwrap();
    id
}

fn give(life: &Life, user: &str, key: &str, units: i64, expires_at: Option<Timestamp>) {
    try_to_give(life, user, key, units, expires_at).unwrap();
}

fn try_to_give(life: &Life, user: &str, key: &str, units: i64, expires_at: Option<Timestamp>) -> Result<()> {
    let request = GrantRequest::new(units, "a test".into(), expires_at, parse(key))?;
    grant::grant(&life.app, user, &request).map(drop)
}

fn spend_of(user: &str, key: &str, units: i64) -> SpendRequest {
    SpendRequest::new(user.into(), units, None, parse(key)).unwrap()
}

fn parse(key: &str) -> IdempotencyKey {
    IdempotencyKey::parse(key).unwrap()
}

/// The answer to a call that answers after its commit.
fn answer<T: Send + 'static>(begin: impl FnOnce(Box<dyn FnOnce(Result<T>) + Send>)) -> Result<T> {
    let (answer, answered) = channel();
    begin(Box::new(move |result| answer.send(result).unwrap()));
    answered.recv().unwrap()
}

fn spend(life: &Life, user: &str, key: &str, units: i64) {
    answer(|then| spend::spend(&life.app, spend_of(user, key, units), then)).unwrap();
}

fn hear(life: &Life, id: &str, kind: &str, object: Value) {
    life.hear(&event(id, kind, 0, object));
}

fn pay_for_pack(life: &Life, id: &str, user: &str) {
    hear(
        life,
        &format!("session_{id}"),
        "checkout.session.completed",
        json!({"id": format!("cs_{id}"), "object": "checkout.session", "mode": "payment", "status": "complete",
            "payment_status": "paid", "payment_intent": format!("pi_{id}"), "amount_total": 900,
            "amount_subtotal": 900, "currency": "usd", "line_items": {"object": "list", "has_more": false, "data": [{"id": "li_1", "price": {"id": "price_topup_100"}, "quantity": 1}]}, "metadata": {"user_id": user, "plan": "topup_100"}}),
    );
}

fn in_a_minute(life: &Life) -> Option<Timestamp> {
    Some(life.clock.now().plus_seconds(60))
}

fn wait_a_minute(life: &Life) {
    life.clock.set(life.clock.now().plus_seconds(60));
}

#[test]
fn a_spend_is_logged_when_it_crosses_the_threshold_and_not_when_it_is_repeated() {
    let life = begin();
    let user = user(&life, "low_spend");
    give(&life, user, "1", 20, None);
    spend(&life, user, "to the threshold", 10);
    assert_eq!(logged(user), NOTHING);
    spend(&life, user, "below it", 5);
    spend(&life, user, "below it", 5);
    spend(&life, user, "lower", 1);
    assert_eq!(logged(user), [5]);
    give(&life, user, "2", 20, None);
    spend(&life, user, "below it again", 20);
    assert_eq!(logged(user), [5, 4]);
}

#[test]
fn a_batch_logs_each_row_that_crosses_also_what_expired_before_a_row_was_refused() {
    let life = begin();
    let (one, other) = (user(&life, "low_batch_one"), user(&life, "low_batch_other"));
    give(&life, one, "1", 20, None);
    give(&life, other, "1", 20, in_a_minute(&life));
    wait_a_minute(&life);
    for _ in 0..2 {
        let rows = [(one, "1", 15), (other, "1", 5), (one, "2", 1)];
        let rows = rows.map(|(user, key, units)| Ok(spend_of(user, key, units)));
        let results = answer(|then| spend::batch(&life.app, rows.to_vec(), then)).unwrap();
        assert_eq!(results.iter().map(|row| row.is_ok()).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!((logged(one), logged(other)), (vec![5], vec![0]));
    }
}

#[test]
fn a_refused_spend_keeps_nothing_and_logs_nothing_until_the_sweep() {
    let life = begin();
    let user = user(&life, "low_refused");
    give(&life, user, "1", 20, in_a_minute(&life));
    wait_a_minute(&life);
    assert!(answer(|then| spend::spend(&life.app, spend_of(user, "1", 5), then)).is_err());
    assert_eq!(logged(user), NOTHING);
    expire(&life.app).unwrap();
    expire(&life.app).unwrap();
    assert_eq!(logged(user), [0]);
}

#[test]
fn a_hold_is_logged_when_it_is_captured() {
    let life = begin();
    let user = user(&life, "low_hold");
    give(&life, user, "1", 20, None);
    let wanted = HoldRequest::new(user.into(), 15, None, None, parse("1")).unwrap();
    let held = answer(|then| hold::hold(&life.app, wanted, then)).unwrap();
    assert_eq!(logged(user), NOTHING);
    for _ in 0..2 {
        answer(|then| hold::close(&life.app, &held.hold.id(), Closing::capture(None).unwrap(), then)).unwrap();
        assert_eq!(logged(user), [5]);
    }
    // What expires when a hold is made or released is logged as well.
    give(&life, user, "2", 20, in_a_minute(&life));
    wait_a_minute(&life);
    let wanted = HoldRequest::new(user.into(), 1, None, None, parse("2")).unwrap();
    let held = answer(|then| hold::hold(&life.app, wanted, then)).unwrap();
    assert_eq!(logged(user), [5, 5]);
    give(&life, user, "3", 20, in_a_minute(&life));
    wait_a_minute(&life);
    answer(|then| hold::close(&life.app, &held.hold.id(), Closing::Release, then)).unwrap();
    assert_eq!(logged(user), [5, 5, 5]);
}

#[test]
fn a_correction_and_an_expiry_that_is_found_when_the_user_is_shown_are_logged() {
    let life = begin();
    let user = user(&life, "low_shown");
    give(&life, user, "1", 20, None);
    give(&life, user, "2", -15, None);
    give(&life, user, "2", -15, None);
    assert_eq!(logged(user), [5]);
    give(&life, user, "3", 20, in_a_minute(&life));
    wait_a_minute(&life);
    for _ in 0..2 {
        users::show(&life.app, user).unwrap();
        assert_eq!(logged(user), [5, 5]);
    }
    give(&life, user, "4", 20, in_a_minute(&life));
    wait_a_minute(&life);
    give(&life, user, "5", 1, None);
    assert_eq!(logged(user), [5, 5, 5], "a grant closes what has expired first");
}

#[test]
fn refunds_disputes_and_downgrades_are_logged() {
    let life = begin();
    let [refunded, disputed, moved] = ["low_refund", "low_dispute", "low_plan"].map(|id| user(&life, id));
    pay_for_pack(&life, "r", refunded);
    let refund = |name: &str, amount: i64| {
        let refund = json!({"id": name, "object": "refund", "status": "succeeded", "amount": amount, "currency": "usd",
            "payment_intent": "pi_r", "charge": "ch_r"});
        hear(&life, name, "refund.updated", refund);
    };
    refund("re_1", 450);
    assert_eq!(logged(refunded), NOTHING);
    refund("re_2", 450);
    assert_eq!(logged(refunded), [0]);

    pay_for_pack(&life, "d", disputed);
    let dispute = |name: &str, kind: &str, status: &str, funds: &[i64]| {
        let funds: Vec<Value> = funds.iter().map(|amount| json!({"id": "txn", "amount": amount})).collect();
        let dispute = json!({"id": "du_1", "object": "dispute", "status": status, "amount": 900, "currency": "usd",
            "reason": "fraudulent", "charge": "ch_d", "payment_intent": "pi_d", "balance_transactions": funds});
        hear(&life, name, kind, dispute);
    };
    dispute("d1", "charge.dispute.created", "needs_response", &[-900]);
    dispute("d2", "charge.dispute.funds_withdrawn", "needs_response", &[-900]);
    dispute("d3", "charge.dispute.closed", "won", &[-900, 900]);
    assert_eq!(logged(disputed), [0]);

    let invoice = |id: &str, amount: i64| {
        let line = json!({"id": "il_1", "object": "line_item", "amount": amount, "quantity": 1,
            "pricing": {"price_details": {"price": "price_starter"}},
            "period": {"start": 1_790_000_000, "end": 1_792_592_000},
            "parent": {"subscription_item_details": {"proration": amount < 0, "subscription": "sub_1"}}});
        let invoice = json!({"id": id, "object": "invoice", "status": "paid", "billing_reason": "subscription_update",
            "customer": "cus_low", "amount_paid": amount.max(0), "total": amount, "currency": "usd",
            "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"user_id": moved}}},
            "lines": {"object": "list", "has_more": false, "data": [line]}});
        hear(&life, id, "invoice.paid", invoice);
    };
    invoice("in_1", 900);
    assert_eq!(logged(moved), NOTHING);
    invoice("in_2", -900);
    assert_eq!(logged(moved), [0]);
    for user in [refunded, disputed, moved] {
        assert_eq!(logged(user), crossings(&life.app, user), "{user}");
    }
    life.prove();
}

#[test]
fn a_purchase_logs_what_expired_before_it_and_a_dry_run_logs_nothing() {
    let life = begin();
    pay_for_pack(&life, "u", "low_dry_run");
    let user = user(&life, "low_dry_run");
    give(&life, user, "1", 20, in_a_minute(&life));
    wait_a_minute(&life);
    inbox::replay(&life.app, "evt_session_u", true).unwrap();
    assert_eq!(logged(user), NOTHING);
    inbox::replay(&life.app, "evt_session_u", false).unwrap();
    assert_eq!((logged(user), users::show(&life.app, user).unwrap().balance.remaining), (vec![0], 100));
}

#[test]
fn what_is_written_together_and_again_after_a_neighbour_was_refused_is_logged_once() {
    let life = begin();
    let ids = ["low_many_0", "low_many_1", "low_many_2"].map(|id| user(&life, id));
    thread::scope(|scope| {
        for caller in 0..6 {
            let (life, user) = (&life, ids[caller % ids.len()]);
            scope.spawn(move || {
                for turn in 0..40 {
                    let key = format!("{caller}_{turn}");
                    // Others move the clock meanwhile, also beyond the end that the units were to have.
                    let is_given = (0..100).any(|_| try_to_give(life, user, &key, 12, in_a_minute(life)).is_ok());
                    assert!(is_given);
                    life.clock.set(life.clock.now().plus_seconds(20));
                    // Some are refused, after lots have expired in the same transaction.
                    let _answer = answer(|then| spend::spend(&life.app, spend_of(user, &key, 7), then));
                }
            });
        }
    });
    for user in ids {
        let (mut logged, mut expected) = (logged(user), crossings(&life.app, user));
        assert!(expected.len() > 5, "{user}: {expected:?}");
        logged.sort_unstable();
        expected.sort_unstable();
        assert_eq!(logged, expected, "{user}");
    }
}
