//! The customer at Stripe has the user's e-mail address and name, also after they change: in the order of the changes, and
//! sooner or later, whatever Stripe answers meanwhile.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Recorder, Shop, eventually};

/// A shop where alice has a customer, what is asked of Stripe, and the customer's id.
fn shop_with_customer() -> (Shop, Recorder, String) {
    let recorder = Recorder::start();
    let shop = Shop::open_with(&[("SPRITE_STRIPE_API_BASE", &recorder.url)]);
    recorder.lead_to(&shop.stripe.url());
    put(&shop, "alice", json!({ "email": "alice@example.org", "name": "Alice" }), 201);
    let (session, _) = shop.checkout("alice", "topup_100");
    let session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"));
    let customer = session["customer"].as_str().unwrap().to_owned();
    (shop, recorder, customer)
}

fn put(shop: &Shop, user: &str, body: Value, status: u16) {
    shop.api.call("PUT", &format!("/v1/users/{user}"), &body).must(status);
}

fn at_stripe(shop: &Shop, customer: &str) -> (Value, Value) {
    let customer = shop.ask_stripe("GET", &format!("/v1/customers/{customer}"));
    (customer["email"].clone(), customer["name"].clone())
}

fn wait_for(shop: &Shop, customer: &str, email: &str, name: &str) {
    eventually(&format!("{email} and {name} at Stripe"), || {
        (at_stripe(shop, customer) == (json!(email), json!(name))).then_some(())
    });
}

/// The changes that were sent: the body and the idempotency key.
fn sent(recorder: &Recorder, customer: &str) -> Vec<(String, String)> {
    let path = format!("/v1/customers/{customer}");
    let asked = recorder.asked().into_iter().filter(|asked| asked.method == "POST" && asked.path == path);
    let line = |form: &[(String, String)]| {
        let pairs: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(" ")
    };
    asked.map(|asked| (line(&asked.form), asked.header("idempotency-key").to_owned())).collect()
}

#[test]
fn a_change_reaches_stripe_by_itself_and_what_is_the_same_is_not_sent() {
    let (shop, recorder, customer) = shop_with_customer();
    put(&shop, "alice", json!({ "email": "alice@example.org" }), 200);
    put(&shop, "alice", json!({ "name": "Alice" }), 200);
    put(&shop, "alice", json!({}), 200);
    put(&shop, "alice", json!({ "email": "new@example.org" }), 200);
    wait_for(&shop, &customer, "new@example.org", "Alice");
    assert_eq!(sent(&recorder, &customer).len(), 1);
    put(&shop, "alice", json!({ "email": "newer@example.org", "name": "Alice B" }), 200);
    put(&shop, "alice", json!({ "name": "Alice C" }), 200);
    // Without a customer there is nobody to tell.
    put(&shop, "bob", json!({ "email": "bob@example.org" }), 201);
    put(&shop, "bob", json!({ "email": "bob2@example.org" }), 200);
    wait_for(&shop, &customer, "newer@example.org", "Alice C");
    let bodies: Vec<String> = sent(&recorder, &customer).into_iter().map(|(body, _)| body).collect();
    assert_eq!(bodies, ["email=new@example.org", "email=newer@example.org name=Alice B", "name=Alice C"]);
}

#[test]
fn the_checkout_and_the_portal_show_what_was_changed_just_before() {
    let (shop, _, customer) = shop_with_customer();
    put(&shop, "alice", json!({ "email": "one@example.org" }), 200);
    let (session, _) = shop.checkout("alice", "topup_250");
    let session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"));
    assert_eq!(session["customer_details"]["email"], "one@example.org");
    put(&shop, "alice", json!({ "name": "Two" }), 200);
    let browser = shop.sign_in("alice");
    let csrf = browser.get("/dashboard").form("/billing/checkout?plan=topup_100")[0].1.clone();
    browser.post_form("/billing/portal", &[("csrf", &csrf)]).must(303);
    assert_eq!(at_stripe(&shop, &customer), (json!("one@example.org"), json!("Two")));
}

#[test]
fn a_change_outlives_failures_and_a_crash() {
    let (shop, recorder, customer) = shop_with_customer();
    let path = format!("/v1/customers/{customer}");
    let fault = |kind: &str| {
        shop.stripe_control("faults", &[("path", &path), ("method", "POST"), ("kind", kind), ("times", "1")]);
    };
    // The work is done and the answer is lost: the same request is sent again.
    fault("close");
    put(&shop, "alice", json!({ "email": "one@example.org" }), 200);
    wait_for(&shop, &customer, "one@example.org", "Alice");
    let is_sent = |line: &Value| line["event"] == "worker_done" && line["task"] == "send_customer_changes";
    shop.till.wait_for_log("the end of the round", is_sent);
    // Stripe keeps a 500 for the key, so the change gets another key, also if the crash comes before it is stored.
    fault("status:500");
    put(&shop, "alice", json!({ "email": "two@example.org" }), 200);
    put(&shop, "alice", json!({ "name": "Later" }), 200);
    let times = |body: &str| sent(&recorder, &customer).iter().filter(|(found, _)| found == body).count();
    eventually("a change that failed", || (times("email=two@example.org") >= 2).then_some(()));
    let shop = shop.crash_and_restart();
    shop.checkout("alice", "topup_100");
    wait_for(&shop, &customer, "two@example.org", "Later");
    let sent = sent(&recorder, &customer);
    let keys: BTreeSet<&String> =
        sent.iter().filter(|(body, _)| body == "email=two@example.org").map(|(_, key)| key).collect();
    assert_eq!(keys.len(), 2, "{sent:?}");
    let later = sent.iter().position(|(body, _)| body == "name=Later").unwrap();
    assert!(sent[later..].iter().all(|(body, _)| body == "name=Later"), "in the order of the changes: {sent:?}");
}

#[test]
fn what_stripe_refuses_for_good_is_said_once_and_keeps_nothing_waiting() {
    let (shop, recorder, customer) = shop_with_customer();
    put(&shop, "alice", json!({ "email": "alice@localhost" }), 200);
    put(&shop, "alice", json!({ "name": "Alice B" }), 200);
    wait_for(&shop, &customer, "alice@example.org", "Alice B");
    let line = shop.till.wait_for_log("the refusal", |line| line["event"] == "customer_change_refused");
    assert_eq!(line["customer"], customer.as_str());
    shop.checkout("alice", "topup_100");
    // A press may send what the timer is sending at this moment, with the same key.
    let keys: BTreeSet<String> = sent(&recorder, &customer).into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys.len(), 2);
}

#[test]
fn a_change_while_the_customer_is_made_is_not_lost() {
    let recorder = Recorder::start();
    let shop = Shop::open_with(&[("SPRITE_STRIPE_API_BASE", &recorder.url)]);
    recorder.lead_to(&shop.stripe.url());
    put(&shop, "alice", json!({ "email": "old@example.org" }), 201);
    recorder.withhold("/v1/customers");
    let session = std::thread::scope(|scope| {
        let press = scope.spawn(|| shop.checkout("alice", "topup_100").0);
        recorder.wait_for_answer();
        put(&shop, "alice", json!({ "email": "new@example.org", "name": "Alice" }), 200);
        recorder.release();
        press.join().unwrap()
    });
    let session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"));
    assert_eq!(at_stripe(&shop, session["customer"].as_str().unwrap()), (json!("new@example.org"), json!("Alice")));
}

#[test]
fn what_is_taken_away_is_taken_away_at_stripe_too() {
    let (shop, recorder, customer) = shop_with_customer();
    put(&shop, "alice", json!({ "email": null }), 200);
    put(&shop, "alice", json!({ "email": null, "name": null }), 200);
    eventually("neither at Stripe", || (at_stripe(&shop, &customer) == (Value::Null, Value::Null)).then_some(()));
    let bodies: Vec<String> = sent(&recorder, &customer).into_iter().map(|(body, _)| body).collect();
    assert_eq!(bodies, ["email=", "name="]);
}

#[test]
fn what_is_more_than_an_address_keeps_nobody_from_buying_and_none_is_logged() {
    let (shop, _recorder, _) = shop_with_customer();
    for (user, email) in [("eve", "Eve <eve@secret.example>"), ("joe", "x@secret.example, y@b.example")] {
        put(&shop, user, json!({ "email": email, "name": "Somebody" }), 201);
        let (session, _) = shop.checkout(user, "topup_100");
        let session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"));
        let customer = session["customer"].as_str().unwrap().to_owned();
        assert_eq!(at_stripe(&shop, &customer), (Value::Null, json!("Somebody")), "{email}");
        put(&shop, user, json!({ "email": format!("{user}@example.org") }), 200);
        wait_for(&shop, &customer, &format!("{user}@example.org"), "Somebody");
        put(&shop, user, json!({ "email": email }), 200);
        eventually("none at Stripe", || (at_stripe(&shop, &customer).0 == Value::Null).then_some(()));
    }
    put(&shop, "bob", json!({ "email": "bob@secret" }), 201);
    shop.api.call("POST", "/v1/users/bob/checkout", &json!({ "plan": "topup_100" })).must(502);
    assert!(!shop.till.log().contains("@secret"));
}
