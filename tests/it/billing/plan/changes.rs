//! Units follow the money, line by line: trials, coupons, renewals, upgrades, downgrades, to and fro, by the stand-in's own
//! invoices.

use serde_json::json;

use super::subscriber::Subscriber;

#[test]
fn a_trial_brings_no_units_and_a_coupon_all_of_them() {
    let alice = Subscriber::stranger();
    alice.subscribe("items[0][price]=price_starter&trial_period_days=7&default_payment_method=pm_card_visa");
    assert_eq!(alice.remaining(), 0);
    alice.shows("starter", "trialing");
    alice.advance("day", "8");
    assert_eq!((alice.remaining(), alice.bought()), (100, (100, 900)));
    alice.shows("starter", "active");

    let alice = Subscriber::stranger();
    let coupon = alice.post("/v1/coupons", "percent_off=100&duration=once")["id"].as_str().unwrap().to_owned();
    let form = format!("items[0][price]=price_starter&discounts[0][coupon]={coupon}");
    alice.subscribe(&format!("{form}&default_payment_method=pm_card_visa"));
    assert_eq!(alice.remaining(), 100, "what is on sale, whatever it costs");
    alice.shop.verify_books();
}

#[test]
fn an_upgrade_at_once_brings_the_difference_and_a_downgrade_takes_it_back() {
    let alice = Subscriber::begin();
    alice.advance("day", "10");
    alice.move_to("price_pro", "proration_behavior=always_invoice");
    let (units, _) = alice.bought();
    assert_eq!(alice.remaining(), units);
    assert!((200..400).contains(&units), "{units} for two thirds of a month");
    alice.shows("pro", "active");

    // What the downgrade takes back is spent already: a debt, which the renewal repays. It is paid from the credit, so
    // that nothing is charged, and brings its units all the same.
    alice.shop.api.call_once("/v1/users/alice/spends", "all", &json!({"units": units})).must(201);
    alice.advance("day", "5");
    alice.move_to("price_starter", "proration_behavior=always_invoice");
    assert!(alice.remaining() < 0, "{}", alice.remaining());
    assert_eq!(alice.remaining(), alice.bought().0 - units);
    alice.advance("month", "1");
    let renewal = alice.shop.ask_stripe("GET", "/v1/invoices?limit=1")["data"][0].clone();
    assert_eq!((&renewal["billing_reason"], &renewal["amount_paid"]), (&json!("subscription_cycle"), &json!(0)));
    assert_eq!(alice.remaining(), alice.bought().0 - units);
    alice.shop.verify_books();
    alice.shop.till_prints(&["reconcile"]);
}

#[test]
fn to_and_fro_brings_no_more_units_than_money() {
    let alice = Subscriber::begin();
    alice.advance("day", "3");
    for price in ["price_pro", "price_starter", "price_pro", "price_starter", "price_pro", "price_starter"] {
        alice.move_to(price, "proration_behavior=always_invoice");
    }
    let (units, money) = alice.bought();
    assert_eq!(alice.remaining(), units);
    // Starter's hundred cost $9; each of the three pairs may round by a unit, more where the machine is slow between them.
    assert!((97..=103).contains(&units) && (890..=910).contains(&money), "{units} units for {money}");
    alice.shows("starter", "active");
    alice.shop.verify_books();
}

#[test]
fn prorations_that_wait_come_with_the_renewal_beside_the_full_line() {
    let alice = Subscriber::begin();
    alice.advance("day", "10");
    alice.move_to("price_pro", "proration_behavior=create_prorations");
    assert_eq!(alice.remaining(), 100, "nothing is paid yet");
    alice.shows("pro", "active");
    alice.advance("month", "1");
    let (units, _) = alice.bought();
    assert_eq!(alice.remaining(), units);
    assert!((800..1_000).contains(&units), "100, 500, and about two thirds of 400: {units}");
    alice.shop.verify_books();
}

#[test]
fn a_renewal_brings_units_once_and_leaves_top_ups_alone() {
    let alice = Subscriber::begin();
    let (_, checkout) = alice.shop.checkout("alice", "topup_250");
    alice.shop.pay(&checkout, &[("card", crate::harness::shop::GOOD_CARD)]).must(303);
    alice.shop.wait_for_units("alice", 350);
    alice.advance("month", "1");
    assert_eq!(alice.remaining(), 450);
    for row in alice.shop.deliveries() {
        alice.shop.stripe_control(&format!("events/{}/resend", row["event"].as_str().unwrap()), &[("times", "1")]);
    }
    assert_eq!((alice.remaining(), alice.shop.ledger("alice").len()), (450, 3));
    alice.shop.verify_books();
}
