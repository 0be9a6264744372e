//! What a buyer reads about the units: how long they are valid before buying, where they lie, and when they expire.

use serde_json::json;

use crate::harness::shop::{CATALOG, GOOD_CARD};
use crate::harness::{Client, Shop};

fn text(browser: &Client, path: &str) -> String {
    let page = browser.get(path).must(200);
    let parts = page.body.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim());
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn how_long_units_are_valid_is_said_before_buying_and_a_pack_has_its_name() {
    let catalog = CATALOG.replacen("[[pack]]", "[[pack]]\nexpiry = 365\nname = \"Small box\"", 1).replacen(
        "key = \"starter\"",
        "key = \"starter\"\nexpiry = \"period_end\"",
        1,
    );
    let shop = Shop::open_with_catalog(&catalog);
    shop.user("alice");
    for (browser, path) in [(shop.visitor(), "/"), (shop.sign_in("alice"), "/"), (shop.sign_in("alice"), "/dashboard")]
    {
        let words = text(&browser, path);
        for part in [
            "Small box $9 100 pictures 9¢ per picture valid for 365 days",
            "100 pictures every month 9¢ per picture valid for the month that is paid",
            "250 pictures $20 8¢ per picture Better value",
        ] {
            assert!(words.contains(part), "{path}: {part}: {words}");
        }
        let offers = words.split("Questions").next().unwrap();
        assert_eq!(offers.matches("valid for").count(), 2, "{words}");
    }
    // Stripe's checkout says it too.
    let printed = shop.till_prints(&["stripe", "setup"]);
    assert!(printed.contains("topup_100: its product says \"100 pictures, valid for 365 days\""), "{printed}");
    let products = shop.ask_stripe("GET", "/v1/products?limit=100");
    let described: Vec<&str> =
        products["data"].as_array().unwrap().iter().filter_map(|row| row["description"].as_str()).collect();
    assert_eq!(described.len(), 2, "{products}");
    assert!(described.contains(&"100 pictures, valid for 365 days"), "{described:?}");
}

#[test]
fn the_meter_is_measured_against_what_is_open() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    shop.give("alice", 1000);
    shop.api.call_once("/v1/users/alice/spends", "all", &json!({"units": 1000})).must(201);
    assert!(text(&browser, "/dashboard").contains("0 pictures left"));
    let meter = |browser: &Client| {
        let page = browser.get("/dashboard").must(200).body;
        page.split("aria-valuetext=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    assert_eq!(meter(&browser), "0 of 0 pictures left");
    let (_, checkout) = shop.checkout("alice", "starter");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    shop.api.call_once("/v1/users/alice/spends", "some", &json!({"units": 20})).must(201);
    let gift = json!({"units": 40, "note": "n", "expires_at": "2099-12-03T00:00:00Z"});
    shop.api.call_once("/v1/users/alice/grants", "g", &gift).must(201);
    let (_, checkout) = shop.checkout("alice", "topup_250");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 370);
    let words = text(&browser, "/dashboard");
    assert!(words.contains("80 of 100 this month · 250 from packs · 40 as a gift until 3 Dec 2099"), "{words}");
    assert!(words.contains("40 pictures expire on 3 Dec 2099."), "{words}");
    assert_eq!(meter(&browser), "370 of 390 pictures left");
    // What is used up of the month stays in view.
    shop.api.call_once("/v1/users/alice/spends", "month", &json!({"units": 120})).must(201);
    let words = text(&browser, "/dashboard");
    assert!(words.contains("0 of 100 this month · 250 from packs"), "{words}");
    assert_eq!(meter(&browser), "250 of 350 pictures left");
    shop.verify_books();
}
