//! What a buyer reads about the units: how long they are valid before buying, where they lie, and when they expire.

use serde_json::json;

use crate::harness::shop::{CATALOG, GOOD_CARD};
use crate::harness::{Client, Shop, eventually};

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

/// The story of an account with each kind of movement: the entries' dates by reason.
fn live(shop: &Shop, browser: &Client) -> impl Fn(&str) -> String + use<> {
    for (plan, units) in [("starter", 100), ("topup_250", 350)] {
        let checkout = shop.press_buy(browser, plan);
        shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
        shop.wait_for_units("alice", units);
    }
    let post = |path: &str, key: &str, body: serde_json::Value| {
        shop.api.call_once(&format!("/v1/{path}"), key, &body).must(201).json()
    };
    let hold = |key: &str, units: i64| post("users/alice/holds", key, json!({"units": units, "note": key}));
    let close = |hold: &serde_json::Value, how: &str, body: serde_json::Value| {
        shop.api.call("POST", &format!("/v1/holds/{}/{how}", hold["id"].as_str().unwrap()), &body).must(200);
    };
    post("users/alice/spends", "1", json!({"units": 80}));
    post("users/alice/spends", "2", json!({"units": 60}));
    close(&hold("in part", 50), "capture", json!({"units": 30}));
    close(&hold("for nothing", 10), "release", json!({}));
    hold("under way", 5);
    let payment = shop.ledger("alice").into_iter().find_map(|row| Some(row.0.strip_prefix("topup_")?.to_owned()));
    let stripe = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    stripe.send("POST", "/v1/refunds", &form, format!("payment_intent={}", payment.unwrap()).as_bytes()).must(200);
    shop.wait_for_units("alice", -70);
    post("users/alice/grants", "gift", json!({"units": 100, "note": "sorry"}));
    post("users/alice/grants", "less", json!({"units": -4, "note": "too many"}));
    let rows = shop.api.get("/v1/users/alice/ledger?limit=100").must(200).json();
    move |reason: &str| {
        let row =
            rows["data"].as_array().unwrap().iter().find(|row| row["reason"].as_str().unwrap().starts_with(reason));
        let at = till::clock::parse_rfc3339(row.unwrap()["created_at"].as_str().unwrap()).unwrap();
        till::language::Language::En.date(at)
    }
}

#[test]
fn every_lot_and_every_entry_is_explained() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let date = live(&shop, &browser);
    let (plan, pack, gift) = (date("sub_"), date("topup_"), date("grant_gift"));
    let activity = text(&browser, "/dashboard/activity");
    for part in [
        format!("Used 80 pictures 80 from Starter of {plan} "),
        format!("Used 60 pictures 20 from Starter of {plan}, 40 from the pack of {pack} "),
        format!("Used 30 pictures in part 30 from the pack of {pack} · 20 of 50 set aside given back "),
        format!("given back: 10 pictures for nothing 10 from the pack of {pack} Nothing charged"),
        format!("Refund: 250 pictures taken back 175 from the pack of {pack} · 75 already used, and so owed"),
        "100 pictures sorry 75 repaid what was owed".to_owned(),
        format!("4 pictures taken back too many 4 from the gift of {gift}"),
    ] {
        assert!(activity.contains(&part), "{part}: {activity}");
    }
    assert!(!activity.contains("not worked out"), "{activity}");
    // Where receipts are comes with events of their own.
    let links = || browser.get("/dashboard/balance").must(200).body.matches("href=\"/dashboard/receipts/").count();
    eventually("a receipt for each purchase", || (links() == 2).then_some(()));
    let balance = text(&browser, "/dashboard/balance");
    for part in [
        "Left 5 of 250 What became of it 70 used, 175 taken back by a refund or dispute, 5 set aside Ends Never"
            .to_owned(),
        "Left 21 of 100 What became of it 4 taken back by a correction, 75 repaid what was owed Ends Never".to_owned(),
        "Set aside now 5 pictures until ".to_owned(),
        format!("5 from the pack of {pack} under way"),
        format!("Used up or ended Plan: Starter {plan}"),
        "Credited 100 What became of it 100 used".to_owned(),
    ] {
        assert!(balance.contains(&part), "{part}: {balance}");
    }
    let origin = shop.till.url.as_str();
    let headers = [("accept", "text/html"), ("accept-language", "de"), ("origin", origin)];
    let german = Client::new(origin, &[&headers[..], &[("sec-fetch-site", "same-origin")]].concat());
    german.follow(&shop.login_link("alice")).must(303);
    let activity = text(&german, "/dashboard/activity");
    for part in ["Verbraucht: 80 Bilder 80 aus Starter vom", "20 von 50 reservierten zurückgegeben"] {
        assert!(activity.contains(part), "{part}: {activity}");
    }
    // Nothing of it is on the dashboard, which must stay quick.
    assert!(!text(&browser, "/dashboard").contains("from Starter of"));
    browser.get("/dashboard/balance?after=ent_77_1").must(400);
    shop.verify_books();
}
