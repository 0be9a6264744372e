//! Hundreds of users' lives at once: every event of Stripe's shuffled, each heard one to three times, must end in the books
//! that this file computes by itself.

use serde_json::{Value, json};
use till::usecase::users::{self, UserPatch};

use super::Chance;
use crate::harness::life::{Life, event, stripe};

const USERS: u64 = 200;

/// One payment of $9 for 100 pictures and what becomes of it; answers what is left of it.
fn payment(chance: &mut Chance, name: &str, events: &mut Vec<Value>) -> i64 {
    let mut refunded = 0;
    for number in 0..chance.below(4) {
        let amount = 1 + i64::try_from(chance.below(500)).unwrap();
        if refunded + amount > 900 {
            break;
        }
        let is_undone = chance.below(4) == 0;
        let states: &[&str] = match chance.below(3) {
            0 => &["pending", "succeeded"],
            1 => &["succeeded"],
            _ => &["pending", "requires_action", "succeeded"],
        };
        let states: Vec<&str> = states.iter().copied().chain(is_undone.then_some("failed")).collect();
        for status in states {
            let id = format!("{name}_re{number}_{status}");
            events.push(event(
                &id,
                "refund.updated",
                0,
                json!({"id": format!("re_{name}_{number}"), "object": "refund",
                "status": status, "amount": amount, "currency": "usd", "payment_intent": format!("pi_{name}")}),
            ));
        }
        refunded += if is_undone { 0 } else { amount };
    }
    let is_lost = match chance.below(6) {
        0 => dispute(name, "lost", &[-900], events),
        1 => !dispute(name, "won", &[-900, 900], events),
        _ => false,
    };
    match (is_lost, refunded) {
        (true, _) => 0,
        (false, refunded) => 100 - 100 * refunded / 900,
    }
}

fn dispute(name: &str, end: &str, funds: &[i64], events: &mut Vec<Value>) -> bool {
    let moves = |funds: &[i64]| funds.iter().map(|amount| json!({"id": "txn", "amount": amount})).collect::<Vec<_>>();
    for (kind, status, funds) in [
        ("created", "needs_response", &[][..]),
        ("funds_withdrawn", "under_review", &[-900][..]),
        ("closed", end, funds),
    ] {
        events.push(event(&format!("{name}_dp_{kind}"), &format!("charge.dispute.{kind}"), 0, json!({
            "id": format!("du_{name}"), "object": "dispute", "status": status, "amount": 900, "currency": "usd",
            "charge": format!("ch_{name}"), "payment_intent": format!("pi_{name}"), "balance_transactions": moves(funds)})));
    }
    true
}

/// A pack in the newer shape.
fn pack(chance: &mut Chance, user: &str, number: u64, events: &mut Vec<Value>) -> i64 {
    let name = format!("{user}p{number}");
    events.push(event(
        &format!("{name}_cs"),
        "checkout.session.completed",
        0,
        json!({"id": format!("cs_test_{name}"),
        "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
        "payment_intent": format!("pi_{name}"), "amount_total": 900, "currency": "usd",
        "metadata": {"user_id": user, "plan": "topup_100"}}),
    ));
    payment(chance, &name, events)
}

/// A plan's month in the older shape, whose invoice names its payment, told by two types.
fn month(chance: &mut Chance, user: &str, number: u64, events: &mut Vec<Value>) -> i64 {
    let name = format!("{user}m{number}");
    for kind in ["invoice.paid", "invoice.payment_succeeded"] {
        events.push(event(&format!("{name}_{kind}"), kind, 0, json!({"id": format!("in_{name}"), "object": "invoice",
            "status": "paid", "billing_reason": "subscription_cycle", "subscription": format!("sub_{user}"),
            "payment_intent": format!("pi_{name}"), "charge": format!("ch_{name}"), "amount_paid": 900, "currency": "usd",
            "subscription_details": {"metadata": {"user_id": user}},
            "lines": {"object": "list", "has_more": false, "data": [{"id": "il_1", "amount": 900, "quantity": 1,
                "price": {"id": "price_starter"}}]}})));
    }
    payment(chance, &name, events)
}

#[test]
fn shuffled_lives_end_in_the_books_computed_apart() {
    let stripe = stripe();
    let life = Life::begin(&stripe.url());
    let mut chance = Chance(20_261_124);
    let (mut expected, mut events) = (vec![], vec![]);
    for number in 0..USERS {
        let user = format!("u{number}");
        users::put(&life.app, &user, UserPatch::default()).unwrap();
        let mut units = 0;
        for which in 0..1 + chance.below(3) {
            units += match chance.below(2) {
                0 => pack(&mut chance, &user, which, &mut events),
                _ => month(&mut chance, &user, which, &mut events),
            };
        }
        expected.push((user, units));
    }
    let mut heard: Vec<Value> = vec![];
    for event in events {
        heard.extend(std::iter::repeat_n(event, 1 + usize::try_from(chance.below(3)).unwrap()));
    }
    for at in (1..heard.len()).rev() {
        heard.swap(at, usize::try_from(chance.below(at as u64 + 1)).unwrap());
    }
    heard.iter().for_each(|event| life.hear(event));
    for (user, units) in expected {
        assert_eq!(users::show(&life.app, &user).unwrap().balance.remaining, units, "{user}");
    }
    life.prove();
}
