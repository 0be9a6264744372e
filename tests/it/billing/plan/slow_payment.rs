//! A plan paid by a slow method: the dashboard says that the payment is on its way, and after a failure what happened and
//! what to press. It says so from the books alone.

use serde_json::{Value, json};
use till::clock::{DAY_SECONDS, Deadline};
use till::stripe::client::LONGEST_WAIT;
use till::usecase::checkout::start::{self, PurchaseRequest};
use till::usecase::users::{self, statement};

use crate::harness::life::Life;
use crate::harness::shop::GOOD_CARD;
use crate::harness::webhook::event;
use crate::harness::{Client, Shop};

const COMPLETED: &str = "checkout.session.completed";
const SUCCEEDED: &str = "checkout.session.async_payment_succeeded";
const FAILED: &str = "checkout.session.async_payment_failed";

/// A shop to which Stripe itself sends nothing.
fn shop_with_alice() -> (Shop, Client) {
    let shop = Shop::open();
    shop.stripe_control("webhooks/hold", &[]);
    shop.user("alice");
    let browser = shop.sign_in("alice");
    (shop, browser)
}

/// A checkout that the buyer finished by a bank debit, as Stripe describes it.
fn finished(shop: &Shop, offer: &str) -> Value {
    let (session, _) = shop.checkout("alice", offer);
    let mut object = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"));
    object["status"] = json!("complete");
    object["payment_status"] = json!("unpaid");
    object
}

fn hear(shop: &Shop, kind: &str, session: &Value) {
    shop.webhook(&event(kind, session)).must(200);
}

#[track_caller]
fn check(browser: &Client, present: &[&str], absent: &[&str]) {
    let page = browser.get("/dashboard").must(200);
    for words in present {
        assert!(page.body.contains(words), "{words:?} is not in {}", page.body);
    }
    for words in absent {
        assert!(!page.body.contains(words), "{words:?} is in {}", page.body);
    }
}

#[test]
fn a_plans_payment_is_on_its_way_until_it_arrives() {
    let (shop, browser) = shop_with_alice();
    let session = finished(&shop, "pro");
    check(&browser, &["Subscribe to Pro"], &["on its way", "did not arrive"]);
    hear(&shop, COMPLETED, &session);
    let pending = ["Your payment for Pro is on its way", "no need to pay again"];
    check(&browser, &pending, &["Subscribe to", "did not arrive"]);
    let pricing = browser.get("/").must(200).body;
    assert!(!pricing.contains("Subscribe to") && pricing.contains("Your payment is on its way"), "{pricing}");
    let pack = finished(&shop, "topup_100");
    hear(&shop, COMPLETED, &pack);
    check(&browser, &["Your payment for Pro is on its way", "100 pictures will be added"], &[]);

    let mut paid = session;
    paid["payment_status"] = json!("paid");
    hear(&shop, SUCCEEDED, &paid);
    check(&browser, &["100 pictures will be added"], &["payment for Pro", "did not arrive"]);
}

#[test]
fn a_failed_debit_is_told_with_a_button_until_it_is_paid_otherwise() {
    let (shop, browser) = shop_with_alice();
    for (offer, name) in [("pro", "Pro"), ("topup_250", "250 pictures")] {
        let session = finished(&shop, offer);
        let title = format!("Your payment for {name} did not arrive.");
        // In any order.
        let order = if offer == "pro" { [COMPLETED, FAILED] } else { [FAILED, COMPLETED] };
        order.iter().for_each(|kind| hear(&shop, kind, &session));
        check(&browser, &[&title, "Nothing was charged", "Try again"], &["on its way"]);
        let notice = browser.get("/dashboard").must(200).body;
        let notice = notice.split(&title).nth(1).unwrap().split("</div>").next().unwrap().to_owned();
        assert!(notice.contains(&format!("action=\"/billing/checkout?plan={offer}\"")), "{notice}");
    }
    // What is bought again takes the place of what failed, of its kind.
    let pack = finished(&shop, "topup_100");
    hear(&shop, COMPLETED, &pack);
    check(&browser, &["Your payment for Pro did not arrive."], &["Your payment for 250 pictures did not"]);
    let (_, page) = shop.checkout("alice", "starter");
    shop.pay(&page, &[("card", GOOD_CARD)]).must(303);
    shop.stripe_control("webhooks/release", &[]);
    shop.wait_for_units("alice", 100);
    crate::harness::eventually("no notice", || {
        (!browser.get("/dashboard").must(200).body.contains("did not arrive")).then_some(())
    });
}

#[test]
fn a_plan_that_is_there_nevertheless_is_paid_in_the_portal() {
    let (shop, browser) = shop_with_alice();
    let session = finished(&shop, "pro");
    hear(&shop, COMPLETED, &session);
    hear(&shop, FAILED, &session);
    let subscription = json!({
        "id": "sub_slow", "object": "subscription", "status": "incomplete", "customer": session["customer"],
        "metadata": { "user_id": "alice" }, "created": 1_790_000_000,
        "items": { "object": "list", "data": [{ "id": "si_1", "price": { "id": "price_pro" }, "quantity": 1 }] },
    });
    hear(&shop, "customer.subscription.created", &subscription);
    check(&browser, &["Your payment for Pro did not arrive.", "Pay another way"], &["Try again,"]);
}

#[test]
fn a_failure_is_told_for_two_weeks() {
    let shop = Shop::open();
    let life = Life::begin(&shop.stripe.url());
    let user = users::show(&life.app, "alice").unwrap().user;
    let checkout = start::start_checkout(
        &life.app,
        &user,
        PurchaseRequest::new(&life.app, "pro", None).unwrap(),
        Deadline::after(LONGEST_WAIT),
    )
    .unwrap();
    let mut session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{}", checkout.session_id));
    session["status"] = json!("complete");
    life.hear(&event(FAILED, &session));
    let told = || statement::overview(&life.app, user.account, None).unwrap().failed.len();
    assert_eq!(told(), 1);
    let failed_at = life.app.clock.now();
    for (days, count) in [(13, 1), (15, 0)] {
        life.clock.set(failed_at.plus_seconds(days * DAY_SECONDS));
        assert_eq!(told(), count, "{days} days");
    }
}
