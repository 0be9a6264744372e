//! A plan through Stripe: subscribed, allotted, refunded, and never sold twice to one user.

use serde_json::json;

use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Shop, eventually};

#[test]
fn a_plan_is_subscribed_to_allotted_and_refunded() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let checkout = shop.press_buy(&browser, "starter");
    let back = shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    browser.get(back.header("location")).must(200);
    shop.wait_for_units("alice", 100);

    // The invoice and the subscription are told apart, in any order.
    let alice = eventually("the plan", || {
        let alice = shop.api.get("/v1/users/alice").must(200).json();
        (alice["plan"] == "starter").then_some(alice)
    });
    assert_eq!((&alice["plan"], &alice["subscription"]["status"]), (&json!("starter"), &json!("active")), "{alice}");
    assert!(alice["subscription"]["current_period_end"].is_string(), "{alice}");
    let reason = shop.ledger("alice")[0].0.clone();
    assert!(reason.starts_with("sub_in_"), "{reason}");

    let second = shop.api.call("POST", "/v1/users/alice/checkout", &json!({ "plan": "pro" })).must(409).json();
    assert_eq!(second["code"], "already_subscribed");
    assert!(second["portal_url"].as_str().is_some_and(|url| url.starts_with("http")), "{second}");

    // A top-up beside the plan is not touched by the plan's refund.
    let pack = shop.press_buy(&browser, "topup_100");
    shop.pay(&pack, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 200);

    let paid = shop.ask_stripe("GET", "/v1/invoice_payments?limit=1");
    let intent = paid["data"][0]["payment"]["payment_intent"].as_str().unwrap().to_owned();
    let stripe = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    stripe.post_form("/v1/refunds", &[("payment_intent", &intent), ("amount", "450")]).must(200);
    shop.wait_for_units("alice", 150);
    let reversal = shop.ledger("alice")[0].clone();
    assert!(reversal.0.starts_with("refund_") && reversal.1 == -50, "{reversal:?}");
    shop.till_prints(&["ledger", "verify"]);
    shop.till_prints(&["reconcile"]);

    // The plan's end moves no unit; an answer that was kept ends with it all the same.
    let show = || shop.api.get("/v1/users/alice").must(200).json();
    assert_eq!(show()["plan"], "starter");
    let subscription = shop.ask_stripe("GET", "/v1/subscriptions?limit=1")["data"][0]["id"].take();
    shop.ask_stripe("DELETE", &format!("/v1/subscriptions/{}", subscription.as_str().unwrap()));
    eventually("the plan's end", || (show()["plan"] == "free").then_some(()));
}
