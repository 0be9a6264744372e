//! Credit notes: money back is units back, whether it went to the card, to the customer's balance or past Stripe, once for
//! each of them, whatever else tells of the same money, and in whatever order. One on an open invoice lowers what it buys.

use serde_json::{Value, json};

use crate::harness::life::{check, event, stripe};
use crate::harness::shop::GOOD_CARD;
use crate::harness::webhook;
use crate::harness::{Client, Shop, eventually};

/// A month of the plan for $9 in all, of which credit notes took `before` off before it was paid, and a credit balance
/// paid what was not charged.
fn invoice(charged: i64, before: i64) -> Value {
    event(
        "invoice",
        "invoice.paid",
        0,
        json!({"id": "in_1", "object": "invoice", "status": "paid", "billing_reason": "subscription_cycle",
            "total": 900, "amount_paid": charged, "pre_payment_credit_notes_amount": before, "currency": "usd",
            "payment_intent": "pi_1", "subscription": "sub_1",
            "subscription_details": {"metadata": {"user_id": "alice"}},
            "lines": {"object": "list", "has_more": false, "data": [{"id": "il_1", "amount": 900, "quantity": 1,
                "price": {"id": "price_starter"}}]}}),
    )
}

/// A credit note that gave `after` back, of which `refunded` by the refund `re_…` of the same number.
fn note(name: &str, number: u8, kind: &str, (before, after): (i64, i64), refunded: i64) -> Value {
    let refund = json!({"refund": format!("re_{number}"), "amount_refunded": refunded, "type": "refund"});
    let refunds = if refunded > 0 { vec![refund] } else { vec![] };
    event(
        name,
        &format!("credit_note.{kind}"),
        0,
        json!({"id": format!("cn_{number}"), "object": "credit_note", "invoice": "in_1", "amount": before + after,
            "status": if kind == "voided" { "void" } else { "issued" }, "currency": "usd",
            "pre_payment_amount": before, "post_payment_amount": after, "refunds": refunds}),
    )
}

fn refund(name: &str, number: u8, status: &str, amount: i64) -> Value {
    event(
        name,
        "refund.updated",
        0,
        json!({"id": format!("re_{number}"), "object": "refund", "status": status, "amount": amount, "currency": "usd",
            "payment_intent": "pi_1", "charge": "ch_1"}),
    )
}

fn charge_refunded(amount: i64) -> Value {
    event(
        "charge",
        "charge.refunded",
        0,
        json!({"id": "ch_1", "object": "charge", "status": "succeeded", "amount": 900, "amount_refunded": amount,
            "currency": "usd", "payment_intent": "pi_1"}),
    )
}

#[test]
fn credit_notes_refunds_and_disputes_of_an_invoice_end_the_same_in_any_order() {
    let stripe = stripe();
    let older = json!({"id": "cn_1", "object": "credit_note", "invoice": "in_1", "status": "issued", "amount": 450,
        "type": "post_payment", "refund": null, "customer_balance_transaction": "cbtxn_1"});
    let dispute = event(
        "dispute",
        "charge.dispute.funds_withdrawn",
        0,
        json!({"id": "du_1", "object": "dispute", "status": "needs_response", "amount": 900, "currency": "usd",
            "charge": "ch_1", "payment_intent": "pi_1", "balance_transactions": [{"id": "txn", "amount": -900}]}),
    );
    let half = note("n1", 1, "created", (0, 450), 0);
    for (name, charged, before, events, units) in [
        ("to the balance", 900, 0, vec![half.clone()], 50),
        ("told again", 900, 0, vec![half.clone(), note("n2", 1, "updated", (0, 450), 0)], 50),
        ("in the older shape", 900, 0, vec![event("n1", "credit_note.created", 0, older)], 50),
        ("all of it", 900, 0, vec![note("n1", 1, "created", (0, 900), 0)], 0),
        (
            "two of a third",
            900,
            0,
            vec![note("n1", 1, "created", (0, 300), 0), note("n2", 2, "created", (0, 300), 0)],
            34,
        ),
        ("voided", 900, 0, vec![half.clone(), note("n2", 1, "voided", (0, 450), 0)], 100),
        (
            "by a refund, of which three events tell",
            900,
            0,
            vec![note("n1", 1, "created", (0, 450), 450), refund("r1", 1, "succeeded", 450), charge_refunded(450)],
            50,
        ),
        (
            "a third by a refund and a third to the balance",
            900,
            0,
            vec![note("n1", 1, "created", (0, 600), 300), refund("r1", 1, "succeeded", 300), charge_refunded(300)],
            34,
        ),
        (
            "its refund fails",
            900,
            0,
            vec![
                note("n1", 1, "created", (0, 600), 300),
                refund("r1", 1, "succeeded", 300),
                refund("r2", 1, "failed", 300),
            ],
            67,
        ),
        ("a refund beside it", 900, 0, vec![half.clone(), refund("r2", 2, "succeeded", 300)], 17),
        ("a dispute beside it", 900, 0, vec![half.clone(), dispute], 0),
        ("while it was open", 600, 300, vec![note("n1", 1, "created", (300, 0), 0)], 66),
        (
            "while it was open, and after",
            600,
            300,
            vec![note("n1", 1, "created", (300, 0), 0), note("n2", 2, "created", (0, 300), 0)],
            33,
        ),
        ("written off while it was open", 0, 900, vec![note("n1", 1, "created", (900, 0), 0)], 0),
        ("paid by a credit balance", 0, 0, vec![half.clone()], 50),
        ("paid by a credit balance in part", 500, 0, vec![half.clone()], 50),
        ("the same, and a tenth of the charge refunded", 500, 0, vec![half, refund("r2", 2, "succeeded", 50)], 40),
    ] {
        let mut all = vec![invoice(charged, before)];
        all.extend(events);
        check(&stripe.url(), name, &all, units);
    }
}

/// An invoice may be paid by several payments, and the one of a refund may become known last.
#[test]
fn a_refund_of_a_further_payment_of_an_invoice_counts_in_any_order() {
    let stripe = stripe();
    let further = event(
        "further",
        "invoice_payment.paid",
        0,
        json!({"id": "inpay_2", "object": "invoice_payment", "status": "paid", "invoice": "in_1", "amount_paid": 450,
            "payment": {"type": "payment_intent", "payment_intent": "pi_2"}}),
    );
    let mut back = refund("r1", 1, "succeeded", 450);
    back["data"]["object"]["payment_intent"] = json!("pi_2");
    back["data"]["object"]["charge"] = json!("ch_2");
    check(&stripe.url(), "half of it", &[invoice(900, 0), further, back], 50);
}

#[test]
fn a_pack_by_invoice_that_a_credit_balance_paid_gives_back_its_share() {
    let stripe = stripe();
    let mut bought = invoice(0, 0);
    let object = &mut bought["data"]["object"];
    object["payment_intent"] = json!(null);
    object["subscription"] = json!(null);
    object["lines"]["data"][0]["price"]["id"] = json!("price_topup_100");
    check(&stripe.url(), "a third back", &[bought, note("n1", 1, "created", (0, 300), 0)], 67);
}

/// A subscriber, and the invoice that was paid.
fn subscribed(shop: &Shop) -> String {
    shop.user("alice");
    let (_, checkout) = shop.checkout("alice", "starter");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    shop.ask_stripe("GET", "/v1/invoices?limit=1")["data"][0]["id"].as_str().unwrap().to_owned()
}

fn stripe_of(shop: &Shop) -> Client {
    Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")])
}

#[test]
fn a_plan_cancelled_at_once_with_a_credit_note_gives_the_units_of_the_rest_back() {
    let shop = Shop::open();
    let invoice = subscribed(&shop);
    let stripe = stripe_of(&shop);
    let plan = shop.ask_stripe("GET", "/v1/subscriptions?limit=1")["data"][0]["id"].as_str().unwrap().to_owned();
    stripe.send("DELETE", &format!("/v1/subscriptions/{plan}"), &[], b"").must(200);
    let form = [("invoice", invoice.as_str()), ("amount", "600"), ("refund_amount", "300"), ("credit_amount", "300")];
    let note = stripe.post_form("/v1/credit_notes", &form).must(200).json();
    shop.wait_for_units("alice", 34);
    eventually("the end of the plan", || (shop.api.get("/v1/users/alice").json()["plan"] == "free").then_some(()));
    let reasons: Vec<String> = shop.ledger("alice").into_iter().map(|(reason, ..)| reason).collect();
    assert!(reasons.iter().any(|reason| *reason == format!("refund_{}", note["id"].as_str().unwrap())), "{reasons:?}");

    // The same note in a shape from before 2024, which does not say how it is divided: Stripe is asked.
    let older = json!({"id": note["id"], "object": "credit_note", "invoice": invoice, "status": "issued", "amount": 600,
        "type": "post_payment", "refund": note["refunds"][0]["refund"],
        "customer_balance_transaction": note["customer_balance_transaction"]});
    let again = webhook::event("credit_note.updated", &older);
    shop.webhook(&again).must(200);
    assert!(shop.inbox(&[]).iter().any(|row| row["id"] == again["id"] && row["status"] == "applied"));
    assert_eq!(shop.remaining("alice"), 34);
    shop.verify_books();
    shop.till_prints(&["reconcile"]);
}

#[test]
fn a_credit_note_of_which_no_webhook_told_is_found_by_comparing() {
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
    let invoice = subscribed(&shop);
    shop.stripe_control("webhooks/hold", &[]);
    stripe_of(&shop)
        .post_form("/v1/credit_notes", &[("invoice", &invoice), ("amount", "450"), ("credit_amount", "450")]);
    assert_eq!(shop.remaining("alice"), 100);
    shop.till_prints(&["reconcile"]);
    assert_eq!(shop.remaining("alice"), 50);
    shop.stripe_control("webhooks/release", &[]);
    shop.till_prints(&["reconcile"]);
    assert_eq!((shop.remaining("alice"), shop.ledger("alice").len()), (50, 2));
    shop.verify_books();
}
