//! A plan's units and state: once for each paid invoice, and never back, whatever order Stripe's events come in.

use serde_json::{Value, json};
use till::usecase::users;

use crate::harness::life::{Life, check, event, permutations, stripe};

fn invoice(name: &str, id: &str, created: i64, lines: &[(&str, i64)]) -> Value {
    // What is neither a whole price nor a trial is a proration of the last half of the month.
    let line = |(price, amount): &(&str, i64)| {
        let is_proration = ![0, 100, 900, 2900].contains(amount);
        let start = if is_proration { 1_791_296_000 } else { 1_790_000_000 };
        json!({"id": format!("il_{price}_{amount}"), "object": "line_item", "amount": amount, "quantity": 1,
        "pricing": {"price_details": {"price": price}}, "period": {"start": start, "end": 1_792_592_000},
        "parent": {"subscription_item_details": {"proration": is_proration, "subscription": "sub_1"}}})
    };
    event(
        name,
        "invoice.paid",
        created,
        json!({"id": id, "object": "invoice", "status": "paid", "billing_reason": "subscription_cycle",
        "customer": "cus_alice", "amount_paid": 900, "total": 900, "currency": "usd",
        "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"user_id": "alice"}}},
        "lines": {"object": "list", "has_more": false, "data": lines.iter().map(line).collect::<Vec<_>>()}}),
    )
}

fn subscription(name: &str, kind: &str, created: i64, status: &str, price: &str) -> Value {
    event(
        name,
        &format!("customer.subscription.{kind}"),
        created,
        json!({"id": "sub_1", "object": "subscription", "status": status,
        "customer": "cus_alice", "created": 1_790_000_000, "metadata": {"user_id": "alice"}, "cancel_at_period_end": false,
        "ended_at": (status == "canceled").then_some(1_790_000_000 + created),
        "items": {"object": "list", "has_more": false, "data": [{"id": "si_1", "price": {"id": price}, "quantity": 1,
            "current_period_start": 1_790_000_000, "current_period_end": 1_792_592_000}]}}),
    )
}

#[test]
fn a_plan_allots_once_for_each_invoice_and_its_state_never_goes_back() {
    let stripe = stripe();
    let url = stripe.url();
    let first = invoice("i1", "in_1", 1, &[("price_starter", 900)]);
    let mut again = first.clone();
    again["id"] = json!("evt_i1b");
    again["type"] = json!("invoice.payment_succeeded");
    for (name, events, units) in [
        ("first month", vec![first.clone(), again, subscription("s1", "created", 1, "active", "price_starter")], 100),
        (
            "upgrade",
            vec![first.clone(), invoice("i2", "in_2", 2, &[("price_starter", -450), ("price_pro", 1450)])],
            300,
        ),
        ("trial", vec![invoice("i0", "in_0", 0, &[("price_starter", 0)])], 0),
        (
            "an unknown price beside",
            vec![invoice("i3", "in_3", 0, &[("price_starter", 900), ("price_other", 100)])],
            100,
        ),
    ] {
        check(&url, name, &events, units);
    }
    let ended = [
        subscription("s1", "created", 1, "active", "price_starter"),
        subscription("s2", "deleted", 3, "canceled", "price_starter"),
        subscription("s3", "updated", 3, "active", "price_starter"),
    ];
    for order in permutations(&ended) {
        let life = Life::begin(&url);
        order.iter().for_each(|event| life.hear(event));
        let alice = users::show(&life.app, "alice").unwrap();
        assert_eq!((alice.plan.as_str(), alice.subscription), ("free", None), "an ended subscription was revived");
    }
}
