//! The operator says whose a customer is: by assigning an event, or by `till user link`.

use serde_json::{Value, json};

use super::{event_of, id, is_told, pay_link, post, shows, status};
use crate::harness::Shop;
use crate::harness::shop::GOOD_CARD;

/// A shop where somebody subscribed by a payment link that names nobody; the session.
fn stranger_subscribed() -> (Shop, Value) {
    let shop = Shop::open();
    shop.user("alice");
    let session = pay_link(&shop, "price_starter", None);
    is_told(&shop);
    let told = event_of(&shop, "invoice.paid", session["invoice"].as_str().unwrap());
    assert_eq!(status(&shop, id(&told)).0, "unmatched");
    assert_eq!(shop.remaining("alice"), 0);
    (shop, session)
}

/// The plan, its renewal, and nothing left to do.
fn is_alices(shop: &Shop) {
    assert_eq!(shop.remaining("alice"), 100);
    shows(shop, "alice", "starter", "active");
    assert_eq!(shop.inbox(&["--status", "unmatched"]), Vec::<Value>::new());
    shop.stripe_control("clock/advance", &[("by", "month"), ("times", "1")]);
    shop.wait_for_units("alice", 200);
    is_told(shop);
    assert_eq!(shop.inbox(&["--status", "unmatched"]), Vec::<Value>::new());
    shop.verify_books();
    shop.till_prints(&["reconcile"]);
}

#[test]
fn assigning_an_invoice_makes_its_customer_and_subscription_the_users() {
    for kind in ["invoice.paid", "invoice_payment.paid", "customer.subscription.created", "checkout.session.completed"]
    {
        let (shop, session) = stranger_subscribed();
        let about = match kind {
            "customer.subscription.created" => &session["subscription"],
            "checkout.session.completed" => &session["id"],
            _ => &session["invoice"],
        };
        let told = event_of(&shop, kind, about.as_str().unwrap());
        shop.till_prints(&["event", "assign", id(&told), "alice"]);
        assert_eq!(status(&shop, id(&told)).0, "applied", "{kind}");
        is_alices(&shop);
    }
}

#[test]
fn linking_a_customer_applies_what_waited_and_says_so_before() {
    let (shop, session) = stranger_subscribed();
    let customer = session["customer"].as_str().unwrap();
    let line = ["user", "link", "alice", customer];
    let said = shop.till_prints(&[&line[..], &["--dry-run"]].concat());
    assert!(said.contains("would become a customer of alice") && said.contains("100 units for alice"), "{said}");
    assert_eq!((shop.remaining("alice"), shop.inbox(&["--status", "unmatched"]).len()), (0, 3), "nothing is changed");
    let said = shop.till_prints(&[&line[..], &["--json"]].concat());
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&said["user_id"], &said["customer"], &said["dry_run"], &said["is_new"]),
        (&json!("alice"), &json!(customer), &json!(false), &json!(true))
    );
    assert!(said["events"].as_array().unwrap().iter().any(|row| row["type"] == "invoice.paid"), "{said}");
    let again = shop.till_prints(&line);
    assert!(again.contains("already"), "{again}");
    is_alices(&shop);
}

#[test]
fn linking_asks_stripe_for_what_no_webhook_brought_also_for_what_was_given_back() {
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
    shop.user("alice");
    shop.stripe_control("webhooks/drop", &[("times", "100")]);
    let session = pay_link(&shop, "price_starter", None);
    let invoice = session["invoice"].as_str().unwrap();
    let paid = shop.ask_stripe("GET", &format!("/v1/invoice_payments?invoice={invoice}"));
    let intent = paid["data"][0]["payment"]["payment_intent"].as_str().unwrap();
    post(&shop, "/v1/refunds", &[("payment_intent", intent), ("amount", "450")]);
    assert_eq!(shop.inbox(&[]), Vec::<Value>::new());
    let line = ["user", "link", "alice", session["customer"].as_str().unwrap()];
    shop.till_prints(&[&line[..], &["--dry-run"]].concat());
    assert_eq!((shop.remaining("alice"), shop.inbox(&[]).len()), (0, 0));
    shop.till_prints(&line);
    assert_eq!(shop.remaining("alice"), 50);
    shows(&shop, "alice", "starter", "active");
    shop.verify_books();
    shop.till_prints(&["reconcile"]);
    assert_eq!(shop.remaining("alice"), 50);
}

#[test]
fn a_customer_of_another_user_is_refused_in_words() {
    let shop = Shop::open();
    shop.user("alice");
    shop.user("bob");
    let (bobs, checkout) = shop.checkout("bob", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    let bobs = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{bobs}"))["customer"].clone();
    for (line, code, says) in [
        (["alice", bobs.as_str().unwrap()], 1, "belongs to the user \"bob\""),
        (["alice", "cus_nobody"], 1, "no customer cus_nobody"),
        (["alice", "sub_1"], 2, "cus_"),
        (["carol", "cus_nobody"], 1, "no user \"carol\""),
    ] {
        for dry_run in [&[][..], &["--dry-run"]] {
            let output = shop.till(&[&["user", "link"], &line[..], dry_run].concat());
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(code), "{line:?}: {said}");
            assert!(said.contains(says), "{said}");
        }
    }
    // A payment of bob's customer may be assigned to alice. The customer stays his.
    let item = json!({"id": "li_1", "price": {"id": "price_other"}, "quantity": 1});
    let theirs = json!({"id": "cs_test_his", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "customer": bobs, "payment_intent": "pi_his", "amount_total": 900, "currency": "usd",
        "metadata": {}, "line_items": {"object": "list", "has_more": false, "data": [item]}});
    let told = crate::harness::webhook::event("checkout.session.completed", &theirs);
    shop.webhook(&told).must(200);
    shop.till_prints(&["event", "assign", id(&told), "alice", "--plan", "topup_100"]);
    assert_eq!(shop.remaining("alice"), 100);
    let again = shop.till(&["user", "link", "alice", bobs.as_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    shop.verify_books();
}

/// A customer that Stripe does not show to this key any more: what the inbox has of it was signed by Stripe.
#[test]
fn linking_a_customer_that_stripe_does_not_show_applies_what_the_inbox_has() {
    let shop = Shop::open();
    shop.user("alice");
    let line = json!({"id": "il_1", "amount": 900, "quantity": 1,
        "pricing": {"price_details": {"price": "price_starter"}}});
    let invoice = json!({"id": "in_old", "object": "invoice", "status": "paid", "total": 900, "amount_paid": 900,
        "currency": "usd", "customer": "cus_old", "metadata": {},
        "lines": {"object": "list", "has_more": false, "data": [line]}});
    let told = crate::harness::webhook::event("invoice.paid", &invoice);
    shop.webhook(&told).must(200);
    assert_eq!(status(&shop, id(&told)).0, "unmatched");
    shop.till_prints(&["user", "link", "alice", "cus_old"]);
    assert_eq!((status(&shop, id(&told)).0.as_str(), shop.remaining("alice")), ("applied", 100));
    shop.verify_books();
}
