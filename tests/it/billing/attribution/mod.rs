//! Whose a payment is that did not begin here: by a payment link's reference, by the operator, or nobody's; and that one
//! payment stays one, whatever events tell of it and whichever of its ids they know.

mod foreign;
mod operator;
mod payment_link;
mod twins;

use serde_json::{Value, json};

use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Shop, eventually};

/// Pays a session that a payment link of Stripe's opens; the session.
#[track_caller]
fn pay_link(shop: &Shop, price: &str, reference: Option<&str>) -> Value {
    let link = post(shop, "/v1/payment_links", &[("line_items[0][price]", price), ("line_items[0][quantity]", "1")]);
    let query = reference.map(|reference| {
        let encoded: String = form_urlencoded::byte_serialize(reference.as_bytes()).collect();
        format!("?client_reference_id={encoded}")
    });
    let browser = Client::browser(&shop.stripe.url());
    let opened = browser.get(&format!("{}{}", link["url"].as_str().unwrap(), query.unwrap_or_default())).must(303);
    let checkout = opened.header("location").to_owned();
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    let id = checkout.rsplit('/').next().unwrap();
    shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{id}"))
}

/// A call of Stripe's API that is granted.
#[track_caller]
fn post(shop: &Shop, path: &str, form: &[(&str, &str)]) -> Value {
    let client = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    client.post_form(path, form).must(200).json()
}

/// A price at Stripe of something that till does not sell.
fn foreign_price(shop: &Shop, recurring: Option<&str>) -> String {
    let product = post(shop, "/v1/products", &[("name", "A blog")]);
    let mut form = vec![("product", product["id"].as_str().unwrap()), ("unit_amount", "500"), ("currency", "usd")];
    form.extend(recurring.map(|interval| ("recurring[interval]", interval)));
    post(shop, "/v1/prices", &form)["id"].as_str().unwrap().to_owned()
}

/// Waits until every webhook was confirmed.
fn is_told(shop: &Shop) {
    eventually("all webhooks", || shop.deliveries().iter().all(|row| row["progress"] == "delivered").then_some(()));
}

/// The plan and the subscription's status, once both are these.
#[track_caller]
fn shows(shop: &Shop, user: &str, plan: &str, status: &str) {
    eventually(&format!("{user} has {plan}, {status}"), || {
        let shown = shop.api.get(&format!("/v1/users/{user}")).must(200).json();
        let has = shown["subscription"]["status"].as_str().unwrap_or("none");
        (shown["plan"] == json!(plan) && has == status).then_some(())
    });
}

/// The newest event of this type at Stripe whose object has this text in it.
#[track_caller]
fn event_of(shop: &Shop, kind: &str, text: &str) -> Value {
    let events = shop.ask_stripe("GET", &format!("/v1/events?limit=100&type={kind}"));
    let is_its = |event: &&Value| event["data"]["object"].to_string().contains(text);
    let found = events["data"].as_array().unwrap().iter().find(is_its);
    found.unwrap_or_else(|| panic!("no {kind} about {text}")).clone()
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

/// What the inbox says of an event.
#[track_caller]
fn status(shop: &Shop, event: &str) -> (String, String) {
    let shown = shop.till_prints(&["event", "show", event, "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let text = |field: &str| shown[field].as_str().unwrap_or("-").to_owned();
    (text("status"), text("detail"))
}
