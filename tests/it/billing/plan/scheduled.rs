//! A downgrade in the customer portal waits for the end of the period, and the dashboard says so.

use serde_json::{Value, json};

use super::subscriber::Subscriber;
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Shop, eventually};

/// Subscribed to Pro, at the portal.
fn at_the_portal() -> (Subscriber, String) {
    let shop = Shop::open();
    shop.user("alice");
    let (id, checkout) = shop.checkout("alice", "pro");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 500);
    let session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{id}"));
    let text = |field: &str| session[field].as_str().unwrap().to_owned();
    let alice = Subscriber { plan: text("subscription"), customer: text("customer"), shop };
    alice.is_told();
    let portal = alice.post("/v1/billing_portal/sessions", &format!("customer={}", alice.customer));
    let page = portal["url"].as_str().unwrap().strip_prefix(&alice.shop.stripe.url()).unwrap().to_owned();
    (alice, page)
}

fn press(alice: &Subscriber, page: &str, fields: &[(&str, &str)]) {
    let fields = [fields, &[("subscription", alice.plan.as_str())]].concat();
    Client::browser(&alice.shop.stripe.url()).post_form(page, &fields).must(303);
    alice.is_told();
}

fn subscription(alice: &Subscriber) -> Value {
    alice.shop.ask_stripe("GET", &format!("/v1/subscriptions/{}?expand[]=schedule", alice.plan))
}

/// Waits until the dashboard says so, or no longer.
#[track_caller]
fn dashboard_says(alice: &Subscriber, words: &str, expected: bool) {
    let browser = alice.shop.sign_in("alice");
    eventually(&format!("{words}: {expected}"), || {
        let page = browser.get("/dashboard").must(200);
        (page.body.contains(words) == expected).then_some(())
    });
}

#[test]
fn a_downgrade_in_the_portal_takes_nothing_back_and_begins_with_the_next_period() {
    let (alice, page) = at_the_portal();
    alice.advance("day", "10");
    press(&alice, &page, &[("action", "change"), ("price", "price_starter")]);
    assert_eq!(alice.remaining(), 500, "nothing is taken back");
    alice.shows("pro", "active");
    dashboard_says(&alice, "Starter from ", true);
    let planned = subscription(&alice);
    let starts = &planned["schedule"]["phases"][1]["start_date"];
    assert_eq!(*starts, planned["items"]["data"][0]["current_period_end"]);

    alice.advance("month", "1");
    alice.shows("starter", "active");
    assert_eq!(alice.remaining(), 600, "the next period is Starter's");
    dashboard_says(&alice, "Starter from ", false);
    assert_eq!(alice.shop.ask_stripe("GET", "/v1/invoices?limit=100")["data"].as_array().unwrap().len(), 2);
    alice.shop.verify_books();
    alice.shop.till_prints(&["reconcile"]);
}

#[test]
fn what_waits_is_no_longer_shown_once_it_is_given_up_and_an_upgrade_is_made_at_once() {
    let (alice, page) = at_the_portal();
    press(&alice, &page, &[("action", "change"), ("price", "price_starter")]);
    dashboard_says(&alice, "Starter from ", true);
    press(&alice, &page, &[("action", "keep")]);
    dashboard_says(&alice, "Starter from ", false);
    assert_eq!(subscription(&alice)["schedule"], Value::Null);

    // An event from before the plan, delivered late, changes nothing: Stripe is asked.
    press(&alice, &page, &[("action", "change"), ("price", "price_starter")]);
    dashboard_says(&alice, "Starter from ", true);
    let events = alice.shop.ask_stripe("GET", "/v1/events?type=customer.subscription.updated&limit=100");
    let without = |event: &&Value| event["data"]["object"]["schedule"].is_null();
    let mut old = events["data"].as_array().unwrap().iter().find(without).unwrap().clone();
    old["id"] = json!("evt_late");
    alice.shop.webhook(&old).must(200);
    dashboard_says(&alice, "Starter from ", true);
    alice.advance("month", "1");
    alice.shows("starter", "active");
    press(&alice, &page, &[("action", "change"), ("price", "price_pro")]);
    alice.shows("pro", "active");
    dashboard_says(&alice, "Starter from ", false);
}

#[test]
fn what_stripe_could_not_say_is_asked_later() {
    let (alice, page) = at_the_portal();
    alice.shop.stripe_control("faults", &[("path", "/v1/subscriptions/"), ("kind", "status:500"), ("times", "6")]);
    press(&alice, &page, &[("action", "change"), ("price", "price_starter")]);
    alice.shop.stripe_control("faults/clear", &[]);
    dashboard_says(&alice, "Starter from ", true);
}
