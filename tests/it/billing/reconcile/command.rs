//! What Stripe never told: `till reconcile` finds it, and applies it once.

use crate::harness::Shop;
use crate::harness::shop::GOOD_CARD;

#[test]
fn what_no_webhook_told_is_found_by_comparing_and_credited_once() {
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
    for user in ["alice", "bert"] {
        shop.user(user);
        let browser = shop.sign_in(user);
        let checkout = shop.press_buy(&browser, "topup_100");
        shop.stripe_control("webhooks/drop", &[("times", "20")]);
        // The buyer never comes back to us, and no webhook arrives.
        shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
        assert_eq!(shop.remaining(user), 0);
    }

    let first = shop.till_prints(&["reconcile", "--json"]);
    let first: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!((first["applied"].as_u64(), first["agrees"].as_bool()), (Some(8), Some(true)), "{first}");
    // A pack is told by its session, twice by its invoice, and by what ties the invoice to the payment.
    let amounts = first["amounts"].as_array().unwrap();
    assert_eq!((amounts[0]["stripe"].as_i64(), amounts[0]["books"].as_i64()), (Some(1800), Some(1800)), "{first}");
    for user in ["alice", "bert"] {
        assert_eq!(shop.remaining(user), 100);
    }

    let again = shop.till_prints(&["reconcile", "--json"]);
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!((again["applied"].as_u64(), again["agrees"].as_bool()), (Some(0), Some(true)), "{again}");
    assert_eq!(shop.ledger("alice").len(), 1);

    let future = shop.till(&["reconcile", "--since", "2999-01-01T00:00:00Z"]);
    let said = String::from_utf8_lossy(&future.stderr).into_owned();
    assert_eq!(future.status.code(), Some(2), "{said}");
    assert!(said.contains("still to come") && said.contains("a time before now"), "{said}");

    // How far it is goes to standard error, line by line where that is no terminal, and nowhere with --json.
    let progress = |arguments: &[&str]| String::from_utf8(shop.till(arguments).stderr).unwrap();
    let said = progress(&["reconcile"]);
    for list in ["events", "checkouts", "invoices", "refunds", "disputes", "subscriptions"] {
        assert!(said.lines().any(|line| line.starts_with(list) && line.ends_with(" looked at")), "{list}: {said}");
    }
    assert_eq!(progress(&["reconcile", "--json"]), "");
    shop.till_prints(&["ledger", "verify"]);
}
