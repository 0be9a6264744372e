//! One payment, several events: once it is in the books it was credited before, for each of them; and what a later event
//! adds to its ids counts.

use serde_json::{Value, json};
use till::usecase::stripe_events::{inbox, retry};

use super::{id, status};
use crate::harness::Shop;
use crate::harness::canned;
use crate::harness::life::{self, Life, check};
use crate::harness::webhook::event;

fn list(rows: &[Value]) -> Value {
    json!({"object": "list", "has_more": false, "data": rows})
}

fn stranger_invoice(price: &str) -> Value {
    json!({"id": "in_twin", "object": "invoice", "status": "paid", "billing_reason": "manual", "total": 900,
        "amount_paid": 900, "currency": "usd", "customer": "cus_stranger", "metadata": {},
        "lines": list(&[json!({"id": "il_1", "amount": 900, "quantity": 1, "price": {"id": price}})])})
}

#[test]
fn of_two_events_of_one_payment_the_second_was_credited_before_once_the_first_is_assigned() {
    let session = json!({"id": "cs_test_twin", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "payment_intent": "pi_twin", "customer": "cus_stranger", "amount_total": 900,
        "currency": "usd", "metadata": {"plan": "topup_100"}});
    for (object, kinds) in [
        (stranger_invoice("price_starter"), ["invoice.paid", "invoice.payment_succeeded"]),
        (session.clone(), ["checkout.session.completed", "checkout.session.completed"]),
        (session, ["checkout.session.completed", "checkout.session.async_payment_succeeded"]),
    ] {
        for assigned in [0, 1] {
            let shop = Shop::open();
            shop.user("alice");
            let told = kinds.map(|kind| event(kind, &object));
            for event in &told {
                shop.webhook(event).must(200);
                assert_eq!(status(&shop, id(event)).0, "unmatched");
            }
            shop.till_prints(&["event", "assign", id(&told[assigned]), "alice"]);
            for event in &told {
                assert_eq!(status(&shop, id(event)).0, "applied", "{kinds:?}, {assigned} assigned");
                shop.till_prints(&["event", "replay", id(event)]);
            }
            let late = event(kinds[0], &object);
            shop.webhook(&late).must(200);
            assert_eq!(status(&shop, id(&late)).0, "applied");
            let refused = shop.till(&["event", "assign", id(&told[1 - assigned]), "alice"]);
            assert_eq!(refused.status.code(), Some(1));
            assert_eq!((shop.remaining("alice"), shop.ledger("alice").len()), (100, 1), "{kinds:?}");
            shop.verify_books();
        }
    }
}

/// A part of it cannot be told: that stays with the operator, whatever else tells of the payment.
#[test]
fn what_was_credited_in_part_stays_unmatched_beside_its_twin() {
    let shop = Shop::open();
    shop.user("alice");
    let mut invoice = stranger_invoice("price_starter");
    invoice["metadata"] = json!({"user_id": "alice"});
    let odd = json!({"id": "il_2", "amount": 500, "quantity": 1, "price": {"id": "price_other"}});
    invoice["lines"]["data"].as_array_mut().unwrap().push(odd);
    let told = ["invoice.paid", "invoice.payment_succeeded"].map(|kind| event(kind, &invoice));
    for event in &told {
        shop.webhook(event).must(200);
    }
    assert_eq!(
        (status(&shop, id(&told[0])).0.as_str(), status(&shop, id(&told[1])).0.as_str()),
        ("unmatched", "applied")
    );
    assert_eq!(shop.remaining("alice"), 100);
    assert_eq!(shop.till(&["event", "replay", id(&told[0])]).status.code(), Some(1));
    let (decided, detail) = status(&shop, id(&told[0]));
    assert!(decided == "unmatched" && detail.contains("price_other"), "{decided}: {detail}");
    shop.till_prints(&["event", "dismiss", id(&told[0])]);
    assert_eq!(status(&shop, id(&told[0])).0, "ignored");
}

/// A pack's session that says neither its invoice nor its payment intent, or one of the two.
fn session(more: &Value) -> Value {
    let mut session = json!({"id": "cs_test_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "payment_intent": null, "invoice": null, "customer": null, "amount_total": 900,
        "currency": "usd", "metadata": {"user_id": "alice", "plan": "topup_100"}});
    session.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    session
}

#[test]
fn ids_that_are_learnt_later_lead_refunds_and_credit_notes_to_the_payment_in_any_order() {
    let whole = session(&json!({"payment_intent": "pi_1", "invoice": "in_1"}));
    let invoice = json!({"id": "in_1", "object": "invoice", "status": "paid", "billing_reason": "manual",
        "total": 900, "amount_paid": 900, "currency": "usd", "parent": null, "metadata": {},
        "lines": list(&[json!({"id": "il_1", "amount": 900, "quantity": 1,
            "pricing": {"price_details": {"price": "price_topup_100"}}})])});
    let payment = json!({"id": "inpay_1", "object": "invoice_payment", "status": "paid", "invoice": "in_1",
        "is_default": true, "amount_paid": 900, "payment": {"type": "payment_intent", "payment_intent": "pi_1"}});
    let mut with_payments = invoice.clone();
    with_payments["payments"] = list(std::slice::from_ref(&payment));
    let stripe = canned::start(vec![
        ("/v1/checkout/sessions?payment_intent=pi_1", "200 OK", list(&[whole]).to_string()),
        ("/v1/invoices/in_1", "200 OK", with_payments.to_string()),
        ("/v1/invoice_payments", "200 OK", list(std::slice::from_ref(&payment)).to_string()),
        ("/v1/refunds", "200 OK", list(&[]).to_string()),
    ]);
    let refund = json!({"id": "re_1", "object": "refund", "status": "succeeded", "amount": 450, "currency": "usd",
        "payment_intent": "pi_1", "charge": "ch_1"});
    let note = json!({"id": "cn_1", "object": "credit_note", "invoice": "in_1", "amount": 450, "status": "issued",
        "currency": "usd", "pre_payment_amount": 0, "post_payment_amount": 450, "refunds": []});
    let charge = json!({"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "amount": 900,
        "amount_refunded": 450, "currency": "usd"});
    let told = |id: &str, kind: &str, object: &Value| life::event(id, kind, 0, object.clone());
    let later = told("later", "invoice.paid", &invoice);
    let tie = told("tie", "invoice_payment.paid", &payment);
    let (note, refund) = (told("note", "credit_note.created", &note), told("refund", "refund.created", &refund));
    let charge = told("charge", "charge.refunded", &charge);
    for (name, more) in [
        ("neither", json!({})),
        ("no invoice", json!({"payment_intent": "pi_1"})),
        ("no payment intent", json!({"invoice": "in_1"})),
    ] {
        let first = told("first", "checkout.session.completed", &session(&more));
        for (what, rest, units) in [
            ("a note", vec![later.clone(), note.clone()], 50),
            ("a note by the tie", vec![tie.clone(), note.clone()], 50),
            ("a refund", vec![later.clone(), refund.clone()], 50),
            ("a charge", vec![tie.clone(), charge.clone()], 50),
            ("a note and a refund", vec![later.clone(), note.clone(), refund.clone()], 0),
        ] {
            let events = [vec![first.clone()], rest].concat();
            check(&stripe, &format!("{name}, {what}"), &events, units);
        }
        // Nothing tells of the other ids: Stripe is asked, at once or by the timer.
        for reversal in [&note, &refund, &charge] {
            for order in [[&first, reversal], [reversal, &first]] {
                let life = Life::begin(&stripe);
                order.iter().for_each(|event| life.hear(event));
                life.clock.set(life.clock.now().plus_seconds(120));
                retry::retry_due(&life.app).unwrap();
                assert_eq!(life.remaining(), 50, "{name}, {}", reversal["type"]);
                life.prove();
            }
        }
    }
}

/// The invoice of a checkout may be told first. The checkout's line items say what was bought, as they do for the session.
#[test]
fn a_checkout_that_its_invoice_tells_of_is_credited_as_the_session_tells_it() {
    let (key, reference) = (json!({"user_id": "alice", "plan": "topup_100"}), json!("alice"));
    let item = json!({"id": "li_1", "price": {"id": "price_topup_100"}, "quantity": 3, "amount_total": 2700});
    let line = json!({"id": "il_1", "amount": 2700, "quantity": 3,
        "pricing": {"price_details": {"price": "price_topup_100"}}});
    for who in [json!({"metadata": key}), json!({"metadata": {}, "client_reference_id": reference})] {
        let mut session = session(&json!({"payment_intent": "pi_1", "invoice": "in_1", "amount_total": 2700}));
        session.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        let invoice = json!({"id": "in_1", "object": "invoice", "status": "paid", "billing_reason": "manual",
            "total": 2700, "amount_paid": 2700, "currency": "usd", "parent": null, "metadata": {},
            "lines": list(std::slice::from_ref(&line)),
            "payments": list(&[json!({"id": "inpay_1", "object": "invoice_payment", "status": "paid",
                "invoice": "in_1", "is_default": true, "amount_paid": 2700,
                "payment": {"type": "payment_intent", "payment_intent": "pi_1"}})])});
        let stripe = canned::start(vec![
            ("/v1/checkout/sessions/cs_test_1/line_items", "200 OK", list(std::slice::from_ref(&item)).to_string()),
            ("/v1/checkout/sessions?payment_intent=pi_1", "200 OK", list(std::slice::from_ref(&session)).to_string()),
            ("/v1/invoices/in_1", "200 OK", invoice.to_string()),
        ]);
        let events = [
            life::event("first", "checkout.session.completed", 0, session),
            life::event("later", "invoice.paid", 0, invoice),
        ];
        check(&stripe, &format!("{who}"), &events, 300);
        let life = Life::begin(&stripe);
        life.hear(&events[1]);
        assert_eq!((life.remaining(), life.unmatched()), (300, 0), "{who}: the invoice alone");
    }
}

/// The same without a word from Stripe: the ids come with the events alone.
#[test]
fn ids_that_only_events_bring_lead_to_the_payment_in_any_order() {
    let stripe = canned::start(vec![]);
    let told = |id: &str, kind: &str, object: &Value| life::event(id, kind, 0, object.clone());
    let first = told("first", "checkout.session.completed", &session(&json!({})));
    let whole = session(&json!({"payment_intent": "pi_1", "invoice": "in_1"}));
    let again = told("again", "checkout.session.async_payment_succeeded", &whole);
    let half = told("half", "checkout.session.completed", &session(&json!({"payment_intent": "pi_1"})));
    let tie = json!({"id": "inpay_1", "object": "invoice_payment", "status": "paid", "invoice": "in_1",
        "is_default": true, "amount_paid": 900, "payment": {"type": "payment_intent", "payment_intent": "pi_1"}});
    let tie = told("tie", "invoice_payment.paid", &tie);
    let note = json!({"id": "cn_1", "object": "credit_note", "invoice": "in_1", "amount": 450, "status": "issued",
        "currency": "usd", "pre_payment_amount": 0, "post_payment_amount": 450, "refunds": []});
    let note = told("note", "credit_note.created", &note);
    let refund = json!({"id": "re_1", "object": "refund", "status": "succeeded", "amount": 450, "currency": "usd",
        "payment_intent": "pi_1", "charge": "ch_1"});
    let refund = told("refund", "refund.created", &refund);
    let dispute = json!({"id": "du_1", "object": "dispute", "status": "needs_response", "amount": 900,
        "currency": "usd", "charge": "ch_1", "balance_transactions": [{"id": "txn", "amount": -900}]});
    let dispute = told("dispute", "charge.dispute.created", &dispute);
    for (name, events, units) in [
        ("the session again", vec![first.clone(), again.clone(), note.clone(), refund.clone()], 0),
        ("a tie to the intent", vec![half.clone(), tie.clone(), note.clone()], 50),
        ("a charge learnt from a refund", vec![half, refund, dispute], 0),
        ("the session again, alone", vec![first, again], 100),
    ] {
        check(&stripe, name, &events, units);
    }
    let life = Life::begin(&stripe);
    life.hear(&tie);
    assert_eq!(life.remaining(), 0);
}

/// Stripe does not know the invoice, or not the checkout that made it: then its checkout may tell of the same money later,
/// by ids that the invoice does not have.
#[test]
fn a_packs_invoice_that_stripe_does_not_know_is_credited_by_nobody_but_its_checkout_and_the_operator() {
    let mut invoice = stranger_invoice("price_topup_100");
    invoice["metadata"] = json!({"user_id": "alice"});
    let told = life::event("invoice", "invoice.paid", 0, invoice);
    let paid = session(&json!({"payment_intent": "pi_1"}));
    let paid = life::event("session", "checkout.session.completed", 0, paid);
    let stripe = canned::start(vec![]);
    for order in [[&told, &paid], [&paid, &told]] {
        let life = Life::begin(&stripe);
        order.iter().for_each(|event| life.hear(event));
        assert_eq!((life.remaining(), life.unmatched()), (100, 1));
        life.prove();
    }
    let life = Life::begin(&stripe);
    life.hear(&told);
    assert_eq!(life.remaining(), 0);
    inbox::assign(&life.app, "evt_invoice", "alice", None).unwrap();
    assert_eq!((life.remaining(), life.unmatched()), (100, 0));
}
