//! `till stripe setup` makes at Stripe what is missing, once; `till check` says what falls short.

use crate::harness::Shop;

#[test]
fn setting_up_twice_makes_nothing_twice_and_a_dry_run_nothing() {
    let shop = Shop::open();
    let prices = |shop: &Shop| {
        let printed = shop.till_prints(&["stripe", "setup"]);
        printed.lines().filter(|line| line.contains("_PRICE_ID=")).map(str::to_owned).collect::<Vec<_>>()
    };
    let dry = shop.till_prints(&["stripe", "setup", "--dry-run"]);
    assert!(dry.contains("topup_100: would make a price of 900 usd") && !dry.contains("_PRICE_ID="), "{dry}");
    assert_eq!(shop.till_prints(&["stripe", "setup", "--dry-run"]), dry, "a dry run makes nothing");

    let first = prices(&shop);
    assert_eq!(first.len(), 4, "{first:?}");
    assert!(first.iter().any(|line| line.starts_with("SPRITE_STRIPE_TOPUP_100_PRICE_ID=price_")), "{first:?}");
    assert_eq!(prices(&shop), first);
}

#[test]
fn a_check_names_each_thing_that_falls_short() {
    let shop = Shop::open();
    let output = shop.till(&["check", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let is_good = |what: &str| {
        let row = found["data"].as_array().unwrap().iter().find(|row| row["what"] == what);
        row.unwrap_or_else(|| panic!("no {what:?} in {found}"))["is_good"].as_bool().unwrap()
    };
    for what in ["database", "Stripe key", "clock", "price of topup_100", "price of pro"] {
        assert!(is_good(what), "{what}: {found}");
    }
    // The base URL is not set in this process, so neither endpoint nor public URL can be the appliance's.
    assert!(!is_good("webhook endpoint") && !is_good("public URL"), "{found}");
    assert_eq!(output.status.code(), Some(1));
}
