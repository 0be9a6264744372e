//! Nobody pays for two plans: an account has one open checkout for a plan, in however many tabs it presses.

use std::thread;

use serde_json::{Value, json};

use crate::harness::client::Answer;
use crate::harness::shop::{CATALOG, GOOD_CARD};
use crate::harness::webhook::event;
use crate::harness::{Recorder, Shop, eventually};

fn press(shop: &Shop, body: Value) -> Answer {
    shop.api.call("POST", "/v1/users/alice/checkout", &body)
}

/// The sessions that Stripe would take money for.
fn open_sessions(shop: &Shop) -> Vec<String> {
    let listed = shop.ask_stripe("GET", "/v1/checkout/sessions?status=open&limit=100");
    listed["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

fn subscriptions(shop: &Shop) -> usize {
    shop.ask_stripe("GET", "/v1/subscriptions?limit=100")["data"].as_array().unwrap().len()
}

fn shop_with_alice() -> Shop {
    let shop = Shop::open();
    shop.user("alice");
    shop
}

#[test]
fn the_same_plan_is_handed_out_again_and_another_ends_it() {
    let shop = shop_with_alice();
    let (starter, starter_page) = shop.checkout("alice", "starter");
    assert_eq!(shop.checkout("alice", "tier1"), (starter.clone(), starter_page.clone()), "by its alias too");
    let (pack, _) = shop.checkout("alice", "topup_100");
    let (pro, pro_page) = shop.checkout("alice", "pro");
    let mut open = open_sessions(&shop);
    open.sort();
    let mut expected = [pack, pro];
    expected.sort();
    assert_eq!(open, expected, "a pack's checkout stays as it is");
    shop.pay(&starter_page, &[("card", GOOD_CARD)]).must(409);
    shop.pay(&pro_page, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 500);
    assert_eq!(subscriptions(&shop), 1);
    let browser = shop.sign_in("alice");
    let page = browser.get(&format!("/billing/return?session_id={starter}")).must(200);
    assert!(page.body.contains("The checkout has expired"), "{}", page.body);
    assert_eq!(press(&shop, json!({ "plan": "starter" })).must(409).code(), "already_subscribed");
}

#[test]
fn an_open_checkout_on_other_terms_is_not_handed_out() {
    let shop = Shop::open_with_catalog(CATALOG);
    shop.user("alice");
    let (first, _) = shop.checkout("alice", "starter");
    let back = press(&shop, json!({ "plan": "starter", "return_url": "/done" })).must(200).json();
    assert_ne!(back["session_id"], first.as_str());
    let shop = shop.crash_and_restart_with(&[
        ("SPRITE_STRIPE_STARTER_PRICE_ID", "price_pro"),
        ("SPRITE_STRIPE_PRO_PRICE_ID", "price_starter"),
    ]);
    let (dearer, _) = shop.checkout("alice", "starter");
    assert_eq!(open_sessions(&shop), [dearer]);
}

#[test]
fn presses_at_the_same_moment_leave_one_open_checkout() {
    let shop = shop_with_alice();
    let plans = ["starter", "pro", "starter", "pro", "starter", "starter"];
    thread::scope(|scope| {
        for plan in plans {
            let shop = &shop;
            scope.spawn(move || {
                let answer = press(shop, json!({ "plan": plan }));
                assert!([200, 503].contains(&answer.status), "{}", answer.body);
            });
        }
    });
    assert_eq!(open_sessions(&shop).len(), 1);
    let (session, _) = shop.checkout("alice", "pro");
    assert_eq!(open_sessions(&shop), [session]);
}

#[test]
fn what_was_paid_in_the_other_tab_is_known_before_a_second_plan_is_sold() {
    let shop = shop_with_alice();
    shop.stripe_control("webhooks/hold", &[]);
    let (_, page) = shop.checkout("alice", "starter");
    shop.pay(&page, &[("card", GOOD_CARD)]).must(303);
    for plan in ["pro", "starter", "pro"] {
        let refused = press(&shop, json!({ "plan": plan })).must(409);
        assert_eq!(refused.code(), "already_subscribed", "no webhook has told of it");
        assert!(refused.json()["detail"].as_str().unwrap().contains("just subscribed to Starter"), "{}", refused.body);
        assert!(refused.json()["portal_url"].as_str().unwrap().starts_with(&shop.stripe.url()));
    }
    press(&shop, json!({ "plan": "topup_100" })).must(200);
    shop.stripe_control("webhooks/release", &[]);
    shop.wait_for_units("alice", 100);
    assert_eq!(subscriptions(&shop), 1);
}

#[test]
fn a_checkout_whose_answer_was_lost_is_found_and_ended() {
    let recorder = Recorder::start();
    let shop = Shop::open_with(&[("SPRITE_STRIPE_API_BASE", &recorder.url)]);
    recorder.lead_to(&shop.stripe.url());
    shop.user("alice");
    // Stripe makes the session, and the appliance dies before it has the answer.
    recorder.withhold("/v1/checkout/sessions");
    let program = shop.program("admin");
    let body = b"{\"plan\":\"starter\"}";
    let json = [("content-type", "application/json")];
    let press = thread::spawn(move || program.send("POST", "/v1/users/alice/checkout", &json, body));
    recorder.wait_for_answer();
    let shop = shop.crash_and_restart();
    recorder.release();
    // The connection broke: there is no answer to look at.
    let _broken = press.join();
    let lost = open_sessions(&shop);
    assert_eq!(lost.len(), 1);
    let (pro, _) = shop.checkout("alice", "pro");
    assert_eq!(open_sessions(&shop), std::slice::from_ref(&pro));
    assert_ne!(lost, [pro]);
}

#[test]
fn a_checkout_that_ended_by_itself_makes_room_for_the_next() {
    let shop = shop_with_alice();
    shop.stripe_control("webhooks/hold", &[]);
    let (starter, _) = shop.checkout("alice", "starter");
    shop.stripe_control(&format!("sessions/{starter}/expire"), &[]);
    let (next, _) = shop.checkout("alice", "starter");
    assert_ne!(next, starter);
    let mut slow = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{next}"));
    slow["status"] = json!("complete");
    shop.webhook(&event("checkout.session.completed", &slow)).must(200);
    let refused = press(&shop, json!({ "plan": "pro" })).must(409);
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("payment for Starter is on its way") && detail.contains("No need to pay again"),
        "{detail}"
    );
    shop.webhook(&event("checkout.session.async_payment_failed", &slow)).must(200);
    press(&shop, json!({ "plan": "pro" })).must(200);
}

#[test]
fn two_subscriptions_are_told_to_the_buyer_and_to_the_operator() {
    let shop = shop_with_alice();
    let (_, page) = shop.checkout("alice", "starter");
    shop.pay(&page, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let browser = shop.sign_in("alice");
    let says = || browser.get("/dashboard").must(200).body.contains("You have 2 subscriptions");
    assert!(!says());
    let mut second = shop.ask_stripe("GET", "/v1/subscriptions")["data"][0].clone();
    second["id"] = json!("sub_second");
    second["items"]["data"][0]["price"]["id"] = json!("price_pro");
    shop.webhook(&event("customer.subscription.created", &second)).must(200);
    shop.till.wait_for_log("two subscriptions", |line| {
        line["event"] == "several_subscriptions" && line["user_id"] == "alice" && line["count"] == 2
    });
    let dashboard = browser.get("/dashboard").must(200);
    for words in ["You have 2 subscriptions", "Starter", "Pro", "End one of them"] {
        assert!(dashboard.body.contains(words), "{words}: {}", dashboard.body);
    }
    second["status"] = json!("canceled");
    second["ended_at"] = json!(crate::harness::webhook::now().seconds());
    shop.webhook(&event("customer.subscription.deleted", &second)).must(200);
    eventually("the end of the notice", || (!says()).then_some(()));
}
