//! What the same Stripe account sells besides: ignored, counted apart, and never asked about. What the operator closes.

use serde_json::{Value, json};
use till::usecase::stripe_events::{bodies, inbox, retry};

use super::{event_of, foreign_price, id, is_told, pay_link, post, status};
use crate::harness::life::{self, Life};
use crate::harness::webhook::event;
use crate::harness::{Shop, canned, eventually};

fn reconciled(shop: &Shop) -> Value {
    let output = shop.till(&["reconcile", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_is_not_ours_is_ignored_counted_apart_and_compared_with_nothing() {
    let shop = Shop::open();
    shop.user("alice");
    let (once, monthly) = (foreign_price(&shop, None), foreign_price(&shop, Some("month")));
    let pack = pay_link(&shop, &once, Some("somebody-of-the-blog"));
    let plan = pay_link(&shop, &monthly, None);
    let ours = pay_link(&shop, "price_topup_100", Some("alice"));
    shop.wait_for_units("alice", 100);
    post(&shop, "/v1/refunds", &[("payment_intent", pack["payment_intent"].as_str().unwrap()), ("amount", "200")]);
    is_told(&shop);
    for (kind, about) in [
        ("checkout.session.completed", id(&pack)),
        ("invoice.paid", plan["invoice"].as_str().unwrap()),
        ("invoice_payment.paid", plan["invoice"].as_str().unwrap()),
        ("customer.subscription.created", plan["subscription"].as_str().unwrap()),
        ("refund.created", pack["payment_intent"].as_str().unwrap()),
    ] {
        let (status, detail) = status(&shop, id(&event_of(&shop, kind, about)));
        assert_eq!(status, "ignored", "{kind}: {detail}");
    }
    for word in ["unmatched", "waiting", "failed"] {
        assert_eq!(shop.inbox(&["--status", word]), Vec::<Value>::new(), "{word}");
    }
    let report = reconciled(&shop);
    assert_eq!((&report["agrees"], &report["foreign"]), (&json!(true), &json!(2)), "{report}");
    assert!(shop.till_prints(&["reconcile"]).contains("not ours     2"));
    let metrics = shop.visitor().get("/metrics").must(200).body;
    assert!(!metrics.contains("till_inbox_events{kind=\"foreign\"} 0"), "{metrics}");
    assert!(metrics.contains("till_inbox_events{kind=\"dismissed\"} 0"), "{metrics}");

    // A renewal of it, and a refund of ours, which counts.
    post(&shop, "/v1/refunds", &[("payment_intent", ours["payment_intent"].as_str().unwrap()), ("amount", "450")]);
    shop.wait_for_units("alice", 50);
    shop.stripe_control("clock/advance", &[("by", "month"), ("times", "1")]);
    is_told(&shop);
    assert_eq!(shop.inbox(&["--status", "unmatched"]), Vec::<Value>::new());
    shop.verify_books();
}

/// What has any sign of ours stays with the operator.
#[test]
fn one_sign_of_ours_is_enough_to_ask_the_operator() {
    let shop = Shop::open();
    shop.user("alice");
    let (own, _) = shop.checkout("alice", "topup_100");
    let customer = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{own}"))["customer"].clone();
    let foreign = json!({"id": "price_other", "product": "prod_other"});
    let row = |price: &Value| json!({"id": "li_1", "price": price, "quantity": 1});
    let list = |rows: &[Value]| json!({"object": "list", "has_more": false, "data": rows});
    let mut number = 0;
    let mut check = |kind: &str, object: Value, expected: &str| {
        number += 1;
        let mut object = object;
        object["id"] = json!(format!("{}_{number}", object["id"].as_str().unwrap()));
        let told = event(kind, &object);
        shop.webhook(&told).must(200);
        let (status, detail) = status(&shop, id(&told));
        assert_eq!(status, expected, "{object}: {detail}");
    };
    for (more, price, expected) in [
        (json!({}), &foreign, "ignored"),
        (
            json!({"customer": "cus_blog", "client_reference_id": "42", "metadata": {"site": "blog"}}),
            &foreign,
            "ignored",
        ),
        (json!({"metadata": {"plan": "gold", "order_id": "1017"}}), &foreign, "ignored"),
        (json!({"customer_details": {"email": "alice@example.org"}}), &foreign, "ignored"),
        (json!({"metadata": {"plan": "starter"}}), &foreign, "unmatched"),
        (json!({"metadata": {"user_id": "carol"}}), &foreign, "unmatched"),
        (json!({"metadata": {"order_id": "ord_lost"}}), &foreign, "unmatched"),
        (json!({"client_reference_id": "alice"}), &foreign, "unmatched"),
        (json!({"customer": customer}), &foreign, "unmatched"),
        (json!({}), &json!({"id": "price_topup_100"}), "unmatched"),
        (json!({}), &json!({"id": "price_new", "product": "till_topup_100"}), "unmatched"),
    ] {
        let mut session = json!({"id": "cs_test_other", "object": "checkout.session", "mode": "payment",
            "status": "complete", "payment_status": "paid", "amount_total": 500, "currency": "usd", "metadata": {},
            "line_items": list(&[row(price)])});
        session.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check("checkout.session.completed", session, expected);
    }
    for (more, price, expected) in [
        (json!({}), "price_other", "ignored"),
        (json!({"customer": "cus_blog", "metadata": {"site": "blog"}}), "price_other", "ignored"),
        (json!({"metadata": {"user_id": "carol"}}), "price_other", "unmatched"),
        (json!({"subscription_details": {"metadata": {"order_id": "ord_lost"}}}), "price_other", "unmatched"),
        (json!({"customer": customer}), "price_other", "unmatched"),
        (json!({"customer": "cus_blog"}), "price_starter", "unmatched"),
    ] {
        let line = json!({"id": "il_1", "amount": 500, "quantity": 1, "price": {"id": price}});
        let mut invoice = json!({"id": "in_other", "object": "invoice", "status": "paid", "total": 500,
            "amount_paid": 500, "currency": "usd", "metadata": {}, "lines": list(&[line])});
        invoice.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check("invoice.paid", invoice, expected);
    }
    assert_eq!(shop.remaining("alice"), 0);
}

#[test]
fn a_subscription_to_something_else_does_not_stand_in_the_way_of_a_plan() {
    let shop = Shop::open();
    shop.user("alice");
    let (own, _) = shop.checkout("alice", "topup_100");
    let customer = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{own}"))["customer"].clone();
    let price = foreign_price(&shop, Some("month"));
    let form = [
        ("customer", customer.as_str().unwrap()),
        ("items[0][price]", &price),
        ("default_payment_method", "pm_card_visa"),
    ];
    let other = post(&shop, "/v1/subscriptions", &form);
    is_told(&shop);
    let told = event_of(&shop, "customer.subscription.created", id(&other));
    assert_eq!(status(&shop, id(&told)).0, "ignored");
    let shown = shop.api.get("/v1/users/alice").must(200).json();
    assert_eq!((&shown["plan"], &shown["subscription"]), (&json!("free"), &json!(null)));
    shop.checkout("alice", "starter");
}

#[test]
fn what_the_operator_dismissed_stays_closed_and_can_be_opened_again() {
    let shop = Shop::open();
    shop.user("alice");
    let session = pay_link(&shop, "price_topup_100", None);
    is_told(&shop);
    let told = event_of(&shop, "checkout.session.completed", id(&session));
    let again = event("checkout.session.async_payment_succeeded", &session);
    shop.webhook(&again).must(200);
    let report = reconciled(&shop);
    assert_eq!(report["agrees"], json!(false), "{report}");

    let dismiss = |more: &[&str]| {
        let output = shop.till(&[&["event", "dismiss", id(&told)], more].concat());
        (output.status.code().unwrap(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, said) = dismiss(&["--dry-run", "--reason", "a friend of mine"]);
    assert!(code == 0 && said.contains("would be ignored (dismissed by the operator: a friend of mine)"), "{said}");
    assert_eq!(status(&shop, id(&told)).0, "unmatched");
    let (code, said) = dismiss(&["--reason", "a friend of mine", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &said["status"], &said["dry_run"]), (0, &json!("ignored"), &json!(false)), "{said}");
    for event in [&told, &again] {
        let (status, detail) = status(&shop, id(event));
        assert_eq!((status.as_str(), detail.as_str()), ("ignored", "dismissed by the operator: a friend of mine"));
    }
    assert_eq!(dismiss(&[]).0, 0, "twice is once");

    // Whatever else Stripe sends of it, a replay and a comparison leave it closed.
    let third = event("checkout.session.completed", &session);
    shop.webhook(&third).must(200);
    assert_eq!(status(&shop, id(&third)).0, "ignored");
    shop.till_prints(&["event", "replay", id(&told)]);
    assert_eq!(status(&shop, id(&told)).0, "ignored");
    post(&shop, "/v1/refunds", &[("payment_intent", session["payment_intent"].as_str().unwrap()), ("amount", "450")]);
    is_told(&shop);
    let report = reconciled(&shop);
    assert_eq!((&report["agrees"], &report["foreign"]), (&json!(true), &json!(1)), "{report}");
    let metrics = shop.visitor().get("/metrics").must(200).body;
    assert!(!metrics.contains("till_inbox_events{kind=\"dismissed\"} 0"), "{metrics}");

    // The operator was wrong.
    shop.till_prints(&["event", "assign", id(&told), "alice"]);
    eventually("what it gave, less the refund", || (shop.remaining("alice") == 50).then_some(()));
    for event in [&told, &again, &third] {
        assert_eq!(status(&shop, id(event)).0, "applied");
    }
    let (code, said) = dismiss(&[]);
    assert!(code == 1 && said.contains("is applied: only one that is unmatched"), "{code} {said}");
    assert_eq!(shop.till(&["event", "dismiss", "evt_unknown"]).status.code(), Some(1));
    shop.verify_books();
}

/// Many events may wait for Stripe: what the operator closes among them is one payment, and not the others.
#[test]
fn to_dismiss_one_payment_that_waits_for_stripe_closes_no_other() {
    let away = [("/", "500 Internal Server Error\r\nStripe-Should-Retry: false", "{}".to_owned())];
    let life = Life::begin(&canned::start(away.to_vec()));
    let session = |name: &str, reference: Option<&str>| {
        json!({"id": format!("cs_test_{name}"), "object": "checkout.session", "mode": "payment", "status": "complete",
            "payment_status": "paid", "payment_intent": format!("pi_{name}"), "amount_total": 900, "currency": "usd",
            "metadata": {}, "client_reference_id": reference})
    };
    let told = |id: &str, object: Value| life::event(id, "checkout.session.completed", 0, object);
    let status = |event: &Value| inbox::show(&life.app, id(event)).unwrap().decision.status.as_str();
    let theirs = told("theirs", session("theirs", None));
    let ours = told("ours", session("ours", Some("alice")));
    let later = told("later", session("later", Some("alice")));
    life.hear(&theirs);
    life.hear(&ours);
    assert_eq!((status(&theirs), status(&ours)), ("waiting", "waiting"));
    let (closed, _) = inbox::dismiss(&life.app, id(&theirs), None, false).unwrap();
    assert_eq!(closed, [id(&theirs)]);
    life.hear(&later);
    assert_eq!((status(&theirs), status(&ours), status(&later)), ("ignored", "waiting", "waiting"));
    life.clock.set(life.clock.now().plus_seconds(120));
    retry::retry_due(&life.app).unwrap();
    assert_eq!((status(&theirs), status(&ours), status(&later)), ("ignored", "waiting", "waiting"));
    // What else tells of the closed payment is closed too, once Stripe can be asked.
    let items = json!({"object": "list", "has_more": false, "data": [
        {"id": "li_1", "price": {"id": "price_topup_100"}, "quantity": 1}]});
    let mut whole = session("theirs", None);
    whole["line_items"] = items;
    let again = told("again", whole);
    life.hear(&again);
    assert_eq!(status(&again), "ignored");
}

/// All of a payment that was given back: three events name its payment intent, and the last its invoice.
fn given_back() -> [Value; 4] {
    let of_intent = |id: &str, kind: &str, status: &str| {
        json!({"id": id, "object": kind, "status": status, "amount": 500, "currency": "usd", "payment_intent": "pi_1",
            "charge": "ch_1"})
    };
    let charge = json!({"id": "ch_1", "object": "charge", "amount": 500, "amount_refunded": 500, "currency": "usd",
        "payment_intent": "pi_1"});
    let note = json!({"id": "cn_1", "object": "credit_note", "invoice": "in_1", "status": "issued", "amount": 500,
        "currency": "usd", "pre_payment_amount": 0, "post_payment_amount": 500, "refunds": []});
    [
        ("refund.created", of_intent("re_1", "refund", "succeeded")),
        ("charge.refunded", charge),
        ("charge.dispute.created", of_intent("du_1", "dispute", "needs_response")),
        ("credit_note.created", note),
    ]
    .map(|(kind, object)| life::event(kind, kind, 0, object))
}

/// Where a payment came from decides about what is given back of it. One sign of ours is enough to wait for the payment.
#[test]
fn what_is_given_back_of_what_is_not_ours_is_not_asked_about() {
    let list = |rows: &[&Value]| json!({"object": "list", "has_more": false, "data": rows}).to_string();
    let by_both = given_back();
    let by_intent = &by_both[..3];
    for (metadata, expected) in [(json!({"site": "blog"}), "ignored"), (json!({"user_id": "carol"}), "waiting")] {
        let session = json!({"id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete",
            "payment_status": "paid", "payment_intent": "pi_1", "metadata": metadata});
        let item = json!({"id": "li_1", "price": {"id": "price_other"}, "quantity": 1});
        let line = json!({"id": "il_1", "amount": 500, "pricing": {"price_details": {"price": "price_other"}}});
        let tie = json!({"id": "inpay_1", "object": "invoice_payment", "status": "paid", "invoice": "in_1",
            "payment": {"type": "payment_intent", "payment_intent": "pi_1"}});
        let invoice = json!({"id": "in_1", "object": "invoice", "status": "paid", "total": 500, "amount_paid": 500,
            "currency": "usd", "metadata": metadata, "payments": {"object": "list", "has_more": false, "data": [tie]},
            "lines": {"object": "list", "has_more": false, "data": [line]}});
        let intent = json!({"id": "pi_1", "object": "payment_intent", "customer": null, "metadata": metadata});
        let (none, ok) = (list(&[]), "200 OK");
        for (origin, answers, events) in [
            (
                "a checkout",
                vec![
                    ("/v1/checkout/sessions/cs_1/line_items", ok, list(&[&item])),
                    ("/v1/checkout/sessions?", ok, list(&[&session])),
                    ("/v1/invoice_payments", ok, none.clone()),
                ],
                by_intent,
            ),
            (
                "an invoice",
                vec![
                    ("/v1/checkout/sessions?", ok, none.clone()),
                    ("/v1/invoice_payments", ok, list(&[&tie])),
                    ("/v1/invoices/in_1", ok, invoice.to_string()),
                ],
                &by_both[..],
            ),
            (
                "neither",
                vec![
                    ("/v1/checkout/sessions?", ok, none.clone()),
                    ("/v1/invoice_payments", ok, none.clone()),
                    ("/v1/payment_intents/pi_1", ok, intent.to_string()),
                ],
                by_intent,
            ),
        ] {
            let life = Life::begin(&canned::start(answers));
            for event in events {
                life.hear(event);
                let decision = inbox::show(&life.app, id(event)).unwrap().decision;
                let (status, kind) = (decision.status.as_str(), &event["type"]);
                assert_eq!(status, expected, "{kind} of {origin} with {metadata}: {}", decision.detail);
            }
        }
    }
}

/// What was given back of a payment that the operator had closed counts when it is assigned after all, however late; nobody's
/// name is kept for it.
#[test]
fn a_refund_of_what_was_closed_counts_when_that_is_assigned_after_its_time() {
    let session = json!({"id": "cs_test_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "payment_intent": "pi_1", "customer": "cus_stranger", "amount_total": 900,
        "currency": "usd", "metadata": {"plan": "topup_100"}});
    let list = |rows: &[Value]| json!({"object": "list", "has_more": false, "data": rows}).to_string();
    let item = json!({"id": "li_1", "price": {"id": "price_topup_100"}, "quantity": 1});
    let stripe = canned::start(vec![
        ("/v1/checkout/sessions?payment_intent=pi_1", "200 OK", list(std::slice::from_ref(&session))),
        ("/v1/checkout/sessions/cs_test_1/line_items", "200 OK", list(&[item])),
        ("/v1/invoice_payments", "200 OK", list(&[])),
        ("/v1/refunds", "200 OK", list(&[])),
    ]);
    let refund = json!({"id": "re_1", "object": "refund", "status": "succeeded", "amount": 450, "currency": "usd",
        "payment_intent": "pi_1", "charge": "ch_1", "description": "for Erika"});
    let charge = json!({"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "amount": 900,
        "amount_refunded": 450, "currency": "usd", "billing_details": {"name": "Erika Mustermann"}});
    let day = 86_400;
    for (kind, object) in [("refund.created", refund), ("charge.refunded", charge)] {
        let life = Life::begin(&stripe);
        life.hear(&life::event("paid", "checkout.session.completed", 0, session.clone()));
        inbox::dismiss(&life.app, "evt_paid", None, false).unwrap();
        life.hear(&life::event("back", kind, 1, object));
        let body = |id: &str| inbox::show(&life.app, id).unwrap().event.body;
        assert!(body("evt_back").unwrap().contains("Erika"), "{kind}");
        life.clock.set(life.clock.now().plus_seconds(95 * day));
        assert_eq!((bodies::remove_old(&life.app).unwrap(), bodies::remove_old(&life.app).unwrap()), (2, 0));
        assert!(body("evt_paid").is_none() && !body("evt_back").unwrap().contains("Erika"), "{kind}");
        let refused = inbox::assign(&life.app, "evt_paid", "alice", None).unwrap_err().to_string();
        assert!(refused.contains("till user grant"), "{refused}");

        let kind = "checkout.session.async_payment_succeeded";
        life.hear(&life::event("late", kind, 95 * day, session.clone()));
        inbox::assign(&life.app, "evt_late", "alice", None).unwrap();
        assert_eq!(life.remaining(), 50, "{kind}");
        life.prove();
    }
}
