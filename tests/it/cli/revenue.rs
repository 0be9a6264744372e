//! What the operator reads of the shop's money: `till revenue`, `till status` and `till user show`, of a shop in which there
//! was a subscription, a pack, a gift, spends and a refund.

use serde_json::{Value, json};

use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Shop};

fn told(shop: &Shop, line: &[&str]) -> Value {
    serde_json::from_str(&shop.till_prints(&[line, &["--json"]].concat())).unwrap()
}

/// The payment of the pack.
fn pack_of(shown: &Value) -> &Value {
    let mut payments = shown["payments"].as_array().unwrap().iter();
    payments.find(|payment| payment["offer"] == "topup_100").unwrap()
}

#[test]
fn money_units_and_subscribers_are_shown_as_they_are() {
    let shop = Shop::open();
    let empty = told(&shop, &["revenue"]);
    assert_eq!((&empty["months"], &empty["users"], &empty["recurring"]), (&json!([]), &json!(0), &json!([])));
    assert!(shop.till_prints(&["revenue"]).starts_with("Nothing was sold.\n"));

    shop.user("alice");
    let checkout = shop.checkout("alice", "topup_100").1;
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let checkout = shop.checkout("alice", "starter").1;
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 200);
    shop.wait_for_status("alice", "active");
    shop.give("alice", 30);
    let spend = shop.program("spend");
    let headers = [("idempotency-key", "one"), ("content-type", "application/json")];
    spend.send("POST", "/v1/users/alice/spends", &headers, br#"{"units": 50}"#).must(201);

    let shown = told(&shop, &["user", "show", "alice"]);
    assert_eq!(shown["left_by_origin"], json!({"subscriptions": 100, "topups": 50, "gifts": 30}));
    let of_pack = pack_of(&shown);
    assert_eq!((&of_pack["amount"], &of_pack["refundable"]), (&json!(900), &json!(900)));
    let subscription = &shown["subscriptions"][0];
    assert_eq!((&subscription["plan"], &subscription["amount"]), (&json!("starter"), &json!(900)));
    let lot = shown["lots"].as_array().unwrap().iter().find(|lot| lot["origin"] == "pack").unwrap();
    assert_eq!((&lot["left"], &lot["paid"], &lot["value"]), (&json!(50), &json!(900), &json!(450)));
    let text = shop.till_prints(&["user", "show", "alice"]);
    for words in ["left: 100 from subscriptions, 50 from topups, 30 from gifts", "REFUNDABLE", "starter", "topup_100"] {
        assert!(text.contains(words), "{words}: {text}");
    }

    // A third is refunded: 33 units of what the pack bought go, and 297 of the 450 that they were paid with.
    let intent = of_pack["payment"].as_str().unwrap();
    let stripe = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let refund = format!("payment_intent={intent}&amount=300");
    stripe.send("POST", "/v1/refunds", &form, refund.as_bytes()).must(200);
    shop.wait_for_units("alice", 147);
    let revenue = told(&shop, &["revenue"]);
    let month = &revenue["months"][0];
    for (name, amount) in [
        ("subscriptions", 900),
        ("topups", 900),
        ("refunded", 300),
        ("net", 1500),
        ("earned", 450),
        ("value_added", 1800),
        ("value_taken_back", 297),
        ("forfeited", 0),
        ("out_of_band", 0),
    ] {
        assert_eq!(month[name], amount, "{name}: {month}");
    }
    assert_eq!(revenue["recurring"], json!([{"currency": "usd", "amount": 900}]));
    assert_eq!(
        revenue["outstanding"],
        json!([{"currency": null, "units": 30, "value": 0}, {"currency": "usd", "units": 117, "value": 1053}])
    );
    assert_eq!(
        (&revenue["subscriptions"][0]["status"], &revenue["subscriptions"][0]["count"]),
        (&json!("active"), &json!(1))
    );
    assert_eq!(revenue["units_used_by_day"].as_array().unwrap().len(), 90);
    assert_eq!(revenue["units"][0]["used"], 50);
    let name = month["month"].as_str().unwrap();
    assert_eq!(told(&shop, &["revenue", "--month", name])["months"][0], *month);

    let status = told(&shop, &["status"]);
    assert_eq!((&status["shop"]["months"][0], &status["users"]), (month, &json!(1)));
    let text = shop.till_prints(&["status"]);
    assert!(text.contains("15.00 usd net this month; subscriptions: 1 active starter"), "{text}");
    assert_eq!(text.lines().count(), 10, "{text}");
    assert_eq!(pack_of(&told(&shop, &["user", "show", "alice"]))["refundable"], 600);
    shop.verify_books();
}
