//! Refunds and disputes of a pack: whatever order Stripe's events come in, however often, the books end the same.

use serde_json::{Value, json};

use crate::harness::life::{check, event, stripe};

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
