//! What becomes of a subscription and of its invoices: unpaid, paid late, paid past Stripe, given up, paused, set to end,
//! replaced.

use serde_json::{Value, json};

use super::subscriber::Subscriber;
use crate::harness::Client;

/// What becomes of an open invoice, and the units that the user has then, of those it was for.
const ENDINGS: &[(&str, &str, bool)] = &[
    ("void", "", false),
    ("mark_uncollectible", "", false),
    ("pay", "payment_method=pm_card_visa", true),
    ("pay", "paid_out_of_band=true", true),
];

#[test]
fn an_upgrade_that_is_not_paid_brings_nothing_until_it_is() {
    for (ending, form, is_paid) in ENDINGS {
        let alice = Subscriber::begin();
        alice.card_fails();
        alice.move_to("price_pro", "proration_behavior=always_invoice");
        assert_eq!(alice.remaining(), 100, "open");
        alice.shows("pro", "past_due");
        alice.post(&format!("/v1/invoices/{}/{ending}", alice.open_invoice()), form);
        let (units, _) = alice.bought();
        assert_eq!((alice.remaining(), units > 100), (units, *is_paid), "{ending} {form}");
        alice.shows("pro", "active");
        alice.shop.verify_books();
    }
}

#[test]
fn a_renewal_that_is_late_brings_its_units_once_when_it_is_paid_and_else_never() {
    for (ending, form, is_paid) in ENDINGS {
        let alice = Subscriber::begin();
        alice.card_fails();
        alice.advance("month", "1");
        alice.shows("starter", "past_due");
        let words = dashboard(&alice);
        assert!(words.contains("Payment due since") && words.contains("· $9.00 open"), "{words}");
        assert!(!words.contains("Renews on") && !words.contains("Paid period"), "{words}");
        alice.advance("day", "4");
        assert_eq!(alice.remaining(), 100, "tried again, and not paid");
        alice.post(&format!("/v1/invoices/{}/{ending}", alice.open_invoice()), form);
        assert_eq!(alice.remaining(), if *is_paid { 200 } else { 100 }, "{ending} {form}");
        alice.shows("starter", "active");
        alice.shop.verify_books();
    }
}

/// The dashboard's text.
fn dashboard(alice: &Subscriber) -> String {
    let page = alice.shop.sign_in("alice").get("/dashboard").must(200).body;
    let text = page.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim());
    text.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn after_the_last_retry_the_plan_is_gone_or_stays_as_the_account_has_it() {
    for (setting, plan, status) in
        [("cancel", "free", "none"), ("unpaid", "free", "unpaid"), ("past_due", "starter", "past_due")]
    {
        let alice = Subscriber::begin();
        alice.shop.stripe_control(&format!("retries/{setting}"), &[]);
        alice.card_fails();
        alice.advance("month", "1");
        alice.advance("day", "16");
        alice.shows(plan, status);
        assert_eq!(alice.remaining(), 100, "units that were paid for stay");
        let words = dashboard(&alice);
        assert!(!words.contains("Paid period") && !words.contains("Change to Starter"), "{status}: {words}");
        assert_eq!(words.contains("· $9.00 open"), status != "none", "{status}: {words}");
        if status == "unpaid" {
            let refused = alice.shop.api.call("POST", "/v1/users/alice/checkout", &json!({"plan": "pro"})).must(409);
            assert!(refused.json()["detail"].as_str().unwrap().contains("Pay its open invoice"), "{}", refused.body);
            assert_eq!(words.matches("Pay the open invoice").count(), 2, "the notice and the plan: {words}");
            assert!(words.contains("Once the open invoice is paid") && !words.contains("Change to"), "{words}");
        }
    }
}

#[test]
fn what_was_never_paid_never_was_a_plan() {
    let alice = Subscriber::stranger();
    let form = "items[0][price]=price_starter&default_payment_method=pm_card_chargeCustomerFail";
    alice.subscribe(&format!("{form}&payment_behavior=allow_incomplete"));
    alice.shows("free", "incomplete");
    let words = dashboard(&alice);
    assert!(words.contains("Your first payment is not complete.") && words.contains("· $9.00 open"), "{words}");
    assert_eq!(words.matches("Finish the payment").count(), 2, "the notice and the plan: {words}");
    assert!(!words.contains("Change to") && !words.contains("Renews on"), "{words}");
    alice.advance("day", "1");
    alice.shows("free", "none");
    assert_eq!((alice.remaining(), alice.shop.ledger("alice").len()), (0, 0));
}

#[test]
fn an_overdue_payment_is_due_since_its_period_began_where_stripe_does_not_show_the_invoice() {
    let alice = Subscriber::begin();
    let item = json!({"id": "si_1", "price": {"id": "price_starter"}, "quantity": 1,
        "current_period_start": 1_800_921_600, "current_period_end": 1_803_600_000});
    let subscription = json!({"id": alice.plan, "object": "subscription", "status": "past_due",
        "customer": alice.customer, "latest_invoice": "in_nowhere", "items": {"data": [item], "has_more": false}});
    let created = till::clock::Clock::System.now().seconds() + 5;
    alice
        .shop
        .webhook(&json!({"id": "evt_late", "object": "event", "type": "customer.subscription.updated",
            "created": created, "livemode": false, "data": {"object": subscription}}))
        .must(200);
    let words = dashboard(&alice);
    assert!(words.contains("Payment due since 26 Jan 2027") && !words.contains(" open"), "{words}");
    assert!(!words.contains("Renews on") && !words.contains("Feb 2027"), "{words}");
}

/// The dashboard's words about what comes next, and what a program reads.
fn next(alice: &Subscriber, words: &str, ends: bool) {
    crate::harness::eventually(words, || {
        let user = alice.shop.api.get("/v1/users/alice").must(200).json();
        (user["subscription"]["cancel_at_period_end"] == ends).then_some(())
    });
    assert!(alice.shop.sign_in("alice").get("/dashboard").must(200).body.contains(words), "{words}");
}

#[test]
fn a_plan_set_to_end_says_so_either_way_and_may_be_resumed() {
    let alice = Subscriber::begin();
    next(&alice, "Renews on", false);
    alice.change("cancel_at_period_end=true");
    next(&alice, "Ends on", true);
    let words = dashboard(&alice);
    for said in ["Active until it ends", "The pictures that you have left stay yours after that."] {
        assert!(words.contains(said), "{said}: {words}");
    }
    alice.change("cancel_at_period_end=false");
    next(&alice, "Renews on", false);

    // The customer portal sets the time only.
    let portal = alice.shop.api.call("POST", "/v1/users/alice/checkout", &json!({"plan": "pro"})).must(409).json();
    let portal = portal["portal_url"].as_str().unwrap().to_owned();
    let (page, plan) = (Client::browser(&alice.shop.stripe.url()), alice.plan.as_str());
    page.post_form(&portal, &[("action", "cancel"), ("subscription", plan)]).must(303);
    let told = alice.shop.ask_stripe("GET", &format!("/v1/subscriptions/{plan}"));
    assert!(told["cancel_at_period_end"] == false && told["cancel_at"].is_i64(), "{told}");
    next(&alice, "Ends on", true);
    alice.advance("month", "1");
    alice.shows("free", "none");
    assert_eq!(alice.remaining(), 100, "what was paid for stays");
}

#[test]
fn while_collection_is_paused_there_is_no_invoice_to_pay_and_nothing_is_added() {
    for behavior in ["void", "mark_uncollectible", "keep_as_draft"] {
        let alice = Subscriber::begin();
        alice.change(&format!("pause_collection[behavior]={behavior}"));
        alice.advance("month", "1");
        assert_eq!(
            (alice.remaining(), alice.shown()),
            (100, ("starter".to_owned(), "active".to_owned())),
            "{behavior}"
        );
        let words = dashboard(&alice);
        assert!(words.contains("Payments paused") && !words.contains("Renews on"), "{words}");
        alice.change("pause_collection=");
        next(&alice, "Renews on", false);
        alice.advance("month", "1");
        assert_eq!(alice.remaining(), alice.bought().0, "{behavior}");
        assert!(alice.remaining() >= 200, "{behavior}");
    }
}

#[test]
fn a_late_word_of_a_plan_that_was_replaced_does_not_end_the_new_one() {
    let alice = Subscriber::begin();
    alice.shop.stripe_control("webhooks/hold", &[]);
    alice.ask("DELETE", &format!("/v1/subscriptions/{}", alice.plan), "");
    alice.subscribe("items[0][price]=price_pro&default_payment_method=pm_card_visa");
    alice.shop.stripe_control("webhooks/release", &[("order", "reverse")]);
    alice.shows("pro", "active");
    let kinds: Vec<Value> = alice.shop.inbox(&[]).into_iter().take(2).map(|row| row["type"].clone()).collect();
    assert_eq!(kinds.first(), Some(&json!("customer.subscription.deleted")), "{kinds:?}");
    assert_eq!(alice.remaining(), 600);
}
