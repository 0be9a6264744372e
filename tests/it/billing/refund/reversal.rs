//! Refunds and disputes of a pack: whatever order Stripe's events come in, however often, the books end the same.

use serde_json::{Value, json};

use crate::harness::life::{check, event, stripe};
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Shop, webhook};

fn session() -> Value {
    event(
        "session",
        "checkout.session.completed",
        0,
        json!({"id": "cs_test_1", "object": "checkout.session",
        "mode": "payment", "status": "complete", "payment_status": "paid", "payment_intent": "pi_1",
        "amount_total": 900, "amount_subtotal": 900, "currency": "usd",
        "metadata": {"user_id": "alice", "plan": "topup_100"}}),
    )
}

fn refund(name: &str, id: &str, status: &str, amount: i64) -> Value {
    let kind = if status == "failed" { "refund.failed" } else { "refund.updated" };
    event(
        name,
        kind,
        0,
        json!({"id": id, "object": "refund", "status": status, "amount": amount, "currency": "usd",
        "payment_intent": "pi_1", "charge": "ch_1"}),
    )
}

fn charge_refunded(name: &str, amount_refunded: i64) -> Value {
    event(
        name,
        "charge.refunded",
        0,
        json!({"id": "ch_1", "object": "charge", "status": "succeeded", "amount": 900,
        "amount_refunded": amount_refunded, "refunded": amount_refunded == 900, "currency": "usd",
        "payment_intent": "pi_1"}),
    )
}

fn dispute(name: &str, kind: &str, status: &str, funds: &[i64]) -> Value {
    let moves: Vec<Value> =
        funds.iter().map(|amount| json!({"id": "txn", "amount": amount, "currency": "usd"})).collect();
    event(
        name,
        &format!("charge.dispute.{kind}"),
        0,
        json!({"id": "du_1", "object": "dispute", "status": status,
        "amount": 900, "currency": "usd", "reason": "fraudulent", "charge": "ch_1", "payment_intent": "pi_1",
        "balance_transactions": moves}),
    )
}

/// Where the account settles in another currency than it charges.
fn in_euros(name: &str, kind: &str, status: &str, funds: &[i64]) -> Value {
    let mut event = dispute(name, kind, status, funds);
    for funds in event["data"]["object"]["balance_transactions"].as_array_mut().unwrap() {
        funds["currency"] = json!("eur");
    }
    event
}

#[test]
fn refunds_and_disputes_of_a_pack_end_the_same_in_any_order() {
    let stripe = stripe();
    let url = stripe.url();
    let lost = [
        dispute("d1", "created", "needs_response", &[]),
        dispute("d2", "funds_withdrawn", "needs_response", &[-900]),
        dispute("d3", "closed", "lost", &[-900]),
    ];
    for (name, events, units) in [
        ("paid", vec![], 100),
        ("half refunded", vec![refund("r1", "re_1", "succeeded", 450), charge_refunded("c1", 450)], 50),
        ("cumulative alone", vec![charge_refunded("c1", 450)], 50),
        (
            "twice a third",
            vec![
                refund("r1", "re_1", "succeeded", 300),
                refund("r2", "re_2", "succeeded", 300),
                charge_refunded("c1", 600),
            ],
            34,
        ),
        ("all refunded", vec![charge_refunded("c1", 450), charge_refunded("c2", 900)], 0),
        ("pending", vec![refund("r1", "re_1", "pending", 450)], 100),
        (
            "failed after all",
            vec![
                refund("r1", "re_1", "succeeded", 450),
                refund("r2", "re_1", "failed", 450),
                charge_refunded("c1", 450),
            ],
            100,
        ),
        ("cancelled", vec![refund("r1", "re_1", "pending", 450), refund("r2", "re_1", "canceled", 450)], 100),
        ("disputed", lost[..2].to_vec(), 0),
        ("disputed and lost", lost.to_vec(), 0),
        ("disputed and won", vec![lost[0].clone(), lost[1].clone(), dispute("d3", "closed", "won", &[-900, 900])], 100),
        ("won, told before the funds", vec![lost[0].clone(), dispute("d3", "closed", "won", &[-900])], 100),
        (
            "won, at another rate of exchange",
            vec![
                in_euros("d2", "funds_withdrawn", "under_review", &[-830]),
                in_euros("d3", "closed", "won", &[-830, 800]),
            ],
            100,
        ),
        (
            "reinstated without a word of closing",
            vec![lost[1].clone(), dispute("d3", "funds_reinstated", "under_review", &[-900, 900])],
            100,
        ),
        ("reinstated in part", vec![lost[1].clone(), dispute("d3", "funds_reinstated", "lost", &[-900, 450])], 50),
        (
            "an inquiry",
            vec![
                dispute("d1", "created", "warning_needs_response", &[]),
                dispute("d3", "closed", "warning_closed", &[]),
            ],
            100,
        ),
        ("refund and dispute", vec![refund("r1", "re_1", "succeeded", 450), lost[1].clone(), lost[2].clone()], 0),
        (
            "a won dispute does not shield a refund",
            vec![refund("r1", "re_1", "succeeded", 450), dispute("d3", "closed", "won", &[-900, 900])],
            50,
        ),
    ] {
        let mut all = vec![session()];
        all.extend(events);
        check(&url, name, &all, units);
    }
}

/// A later total no longer has the refund that failed in it, and only Stripe's list tells which refunds it is made of.
#[test]
fn a_failed_refund_is_not_taken_off_a_total_that_never_had_it() {
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
    shop.user("alice");
    shop.stripe_control("webhooks/hold", &[]);
    let (session, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    let session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"));
    let intent = session["payment_intent"].as_str().unwrap();
    let stripe = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let refund = |amount: &str| {
        stripe.post_form("/v1/refunds", &[("payment_intent", intent), ("amount", amount)]).must(200).json()
    };
    let failed = refund("450");
    let charge = failed["charge"].as_str().unwrap();
    let total = |amount: i64| {
        json!({"id": charge, "object": "charge", "status": "succeeded", "amount": 900,
        "amount_refunded": amount, "refunded": false, "currency": "usd", "payment_intent": intent})
    };
    shop.stripe_control(&format!("refunds/{}/fail", failed["id"].as_str().unwrap()), &[]);
    let gone = shop.ask_stripe("GET", &format!("/v1/refunds/{}", failed["id"].as_str().unwrap()));
    refund("600");
    // Of the second refund only the total is told, and all of it before the payment is known.
    for (kind, object) in [
        ("refund.created", &failed),
        ("refund.failed", &gone),
        ("charge.refunded", &total(450)),
        ("charge.refunded", &total(600)),
        ("checkout.session.completed", &session),
    ] {
        shop.webhook(&webhook::event(kind, object)).must(200);
    }
    for row in shop.inbox(&["--status", "waiting"]) {
        shop.till_prints(&["event", "replay", row["id"].as_str().unwrap()]);
    }
    assert_eq!(shop.remaining("alice"), 34);
    assert!(shop.inbox(&["--status", "waiting"]).is_empty());
    shop.verify_books();
}
