//! What we ask of Stripe, written down on its way and held against Stripe's OpenAPI description; and what becomes of a
//! purchase when Stripe's answer is late, lost or a lie.

use crate::harness::openapi;
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Recorder, Shop, left_out};

const SESSIONS: &str = "/v1/checkout/sessions";

fn watched_shop() -> (Shop, Recorder) {
    let recorder = Recorder::start();
    let shop = Shop::open_with(&[("SPRITE_STRIPE_API_BASE", &recorder.url)]);
    recorder.lead_to(&shop.stripe.url());
    (shop, recorder)
}

/// The ids of all sessions that Stripe has made.
fn sessions(shop: &Shop) -> Vec<String> {
    let listed = shop.ask_stripe("GET", &format!("{SESSIONS}?limit=100"));
    listed["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_request_is_one_that_stripe_takes() {
    let (shop, recorder) = watched_shop();
    shop.user("alice");
    shop.api
        .call("PUT", "/v1/users/bob", &serde_json::json!({ "email": "bob@example.org", "name": "Bob & Söhne" }))
        .must(201);
    for user in ["alice", "bob"] {
        let browser = shop.sign_in(user);
        let checkout = shop.press_buy(&browser, "topup_250");
        let back = shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
        browser.get(back.header("location")).must(200);
    }
    let asked = recorder.asked();
    let paths: Vec<&str> = asked.iter().map(|asked| asked.path.trim_end_matches(char::is_alphanumeric)).collect();
    for path in ["/v1/customers", SESSIONS] {
        let posts = asked.iter().filter(|asked| asked.method == "POST" && asked.path == path);
        assert_eq!(posts.count(), 2, "{paths:?}");
    }
    for asked in &asked {
        assert_eq!(asked.header("stripe-version"), "2026-05-27.dahlia", "{}", asked.path);
        assert_eq!(asked.header("authorization"), "bearer sk_test_stories", "{}", asked.path);
        assert_eq!(asked.header("idempotency-key").is_empty(), asked.method == "GET", "{}", asked.path);
        let sent = |name: &str| asked.form.iter().any(|(field, _)| field.starts_with(name));
        assert!(!sent("payment_method_types") && !sent("ui_mode"), "hard cases 73: {:?}", asked.form);
    }
    let Some(api) = openapi::load() else {
        return left_out("our requests against stripe/openapi.json.gz, which is not on this machine");
    };
    for asked in asked {
        assert_eq!(api.check_request(&asked.method, &asked.path, &asked.form), Ok(()), "{:?}", asked.form);
    }
}

/// Metadata is never inherited at Stripe, so it is on the session and on the payment intent.
#[test]
fn our_facts_are_on_the_session_and_on_the_payment() {
    let (shop, recorder) = watched_shop();
    shop.user("alice");
    shop.checkout("alice", "topup_100");
    let asked = recorder.asked();
    let made = asked.iter().find(|asked| asked.path == SESSIONS).unwrap();
    let sent = |name: String| made.form.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str());
    for (fact, expected) in [("user_id", Some("alice")), ("plan", Some("topup_100"))] {
        assert_eq!(sent(format!("metadata[{fact}]")), expected);
        assert_eq!(sent(format!("payment_intent_data[metadata][{fact}]")), expected);
    }
    assert_eq!(sent("metadata[order_id]".to_owned()), Some(made.header("idempotency-key")));
    assert!(sent("success_url".to_owned()).unwrap().ends_with("/billing/return?session_id={CHECKOUT_SESSION_ID}"));
}

#[test]
fn a_connection_lost_after_stripe_made_the_session_makes_no_second_one() {
    let (shop, recorder) = watched_shop();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    for path in ["/v1/customers", SESSIONS] {
        shop.stripe_control("faults", &[("path", path), ("method", "POST"), ("kind", "close"), ("times", "1")]);
    }
    let checkout = shop.press_buy(&browser, "topup_100");
    for path in ["/v1/customers", SESSIONS] {
        let asked: Vec<_> = recorder.asked().into_iter().filter(|asked| asked.path == path).collect();
        assert_eq!(asked.len(), 2, "{path} was asked for again");
        assert_eq!(asked[0].form, asked[1].form, "with the same body");
        assert_eq!(asked[0].header("idempotency-key"), asked[1].header("idempotency-key"), "and the same key");
    }
    assert_eq!(sessions(&shop).len(), 1);
    assert!(checkout.ends_with(&sessions(&shop)[0]), "and the buyer is sent there");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
}

/// Paid and credited before we have heard that the session exists.
#[test]
fn a_webhook_overtakes_stripes_answer_to_our_own_request() {
    let (shop, recorder) = watched_shop();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    recorder.withhold(SESSIONS);
    std::thread::scope(|scope| {
        let press = scope.spawn(|| shop.press_buy(&browser, "topup_100"));
        recorder.wait_for_answer();
        let session = sessions(&shop).remove(0);
        let back = shop.pay(&format!("{}/c/pay/{session}", shop.stripe.url()), &[("card", GOOD_CARD)]).must(303);
        shop.wait_for_units("alice", 100);
        recorder.release();
        assert!(press.join().unwrap().ends_with(&session));
        let page = browser.get(back.header("location")).must(200);
        assert!(page.body.contains("100 pictures added"), "{}", page.body);
    });
    assert_eq!(shop.ledger("alice").len(), 1);
    shop.verify_books();
}

/// Stripe did the work, said that it failed, and says so again for the same key: nobody was sent there, but if somebody
/// pays all the same, it counts.
#[test]
fn a_session_that_stripe_denied_having_made_counts_when_it_is_paid() {
    let shop = Shop::open();
    shop.user("alice");
    shop.stripe_control("faults", &[("path", SESSIONS), ("method", "POST"), ("kind", "after:400"), ("times", "1")]);
    let answer = shop.api.call("POST", "/v1/users/alice/checkout", &serde_json::json!({ "plan": "topup_100" }));
    assert_eq!((answer.status, answer.code().as_str()), (502, "stripe_rejected"));
    let session = sessions(&shop).remove(0);
    shop.pay(&format!("{}/c/pay/{session}", shop.stripe.url()), &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let (_, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 200);
    shop.verify_books();
}

#[test]
fn a_customer_deleted_at_stripe_who_buys_again_is_a_new_customer() {
    for word_arrives in [true, false] {
        let (shop, recorder) = watched_shop();
        shop.user("alice");
        let (first, _) = shop.checkout("alice", "topup_100");
        let customer_of = |session: &str| {
            let session = shop.ask_stripe("GET", &format!("{SESSIONS}/{session}"));
            session["customer"].as_str().unwrap().to_owned()
        };
        let customer = customer_of(&first);
        if !word_arrives {
            shop.stripe_control("webhooks/drop", &[("times", "1")]);
        }
        shop.ask_stripe("DELETE", &format!("/v1/customers/{customer}"));
        if word_arrives {
            crate::harness::eventually("customer.deleted", || {
                let is_applied = |row: &&serde_json::Value| row["type"] == "customer.deleted";
                shop.inbox(&["--status", "applied"]).iter().find(is_applied).map(drop)
            });
        }
        let (second, checkout) = shop.checkout("alice", "topup_100");
        assert_ne!(customer_of(&second), customer);
        shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
        shop.wait_for_units("alice", 100);
        let (third, _) = shop.checkout("alice", "topup_250");
        assert_eq!(customer_of(&third), customer_of(&second), "and stays linked");
        let made = recorder.asked().iter().filter(|asked| asked.path == "/v1/customers").count();
        assert_eq!(made, 2, "word of it arrives: {word_arrives}");
    }
}
