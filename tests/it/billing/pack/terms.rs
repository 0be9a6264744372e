//! The terms of a sale (`[selling]` in the catalogue): what is asked of Stripe, and that a payment with an invoice and tax
//! is still one payment.

use serde_json::{Value, json};

use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Folder, Recorder, Shop, left_out, openapi};

const SESSIONS: &str = "/v1/checkout/sessions";
const ALL: &[(&str, &str)] = &[
    ("tax_ids = false", "tax_ids = true"),
    ("automatic_tax = false", "automatic_tax = true"),
    ("billing_address = false", "billing_address = true"),
];

/// A shop whose catalogue has these changes, and what it asks of Stripe.
fn shop_with(changes: &[(&str, &str)]) -> (Shop, Recorder, Folder) {
    let (recorder, folder) = (Recorder::start(), Folder::new());
    let catalog = folder.path("catalog.toml");
    let built_in = include_str!("../../../../systemd/catalog.example.toml").to_owned();
    let text = changes.iter().fold(built_in, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    std::fs::write(&catalog, text).unwrap();
    let more = [("SPRITE_CATALOG", catalog.to_str().unwrap()), ("SPRITE_STRIPE_API_BASE", recorder.url.as_str())];
    let shop = Shop::open_with(&more);
    recorder.lead_to(&shop.stripe.url());
    shop.user("alice");
    (shop, recorder, folder)
}

/// What was sent of the terms, for each session in turn.
fn terms_sent(recorder: &Recorder) -> Vec<Vec<String>> {
    let is_term = |name: &str| {
        ["invoice_creation[enabled]", "tax_id_collection", "automatic_tax", "customer_update", "billing_address"]
            .iter()
            .any(|term| name.starts_with(term))
    };
    let asked = recorder.asked();
    let made = asked.iter().filter(|asked| asked.path == SESSIONS && asked.method == "POST");
    made.map(|asked| {
        let terms = asked.form.iter().filter(|(name, _)| is_term(name));
        terms.map(|(name, value)| format!("{name}={value}")).collect()
    })
    .collect()
}

fn judged_by_stripe(recorder: &Recorder) {
    let Some(api) = openapi::load() else {
        return left_out("our requests against stripe/openapi.json.gz, which is not on this machine");
    };
    for asked in recorder.asked().iter().filter(|asked| api.has(&asked.path)) {
        assert_eq!(api.check_request(&asked.method, &asked.path, &asked.form), Ok(()), "{:?}", asked.form);
    }
}

#[test]
fn a_checkout_asks_for_what_the_catalogue_says_in_the_mode_that_takes_it() {
    let all = [
        "tax_id_collection[enabled]=true",
        "automatic_tax[enabled]=true",
        "billing_address_collection=required",
        "customer_update[name]=auto",
        "customer_update[address]=auto",
    ];
    let invoice = ["invoice_creation[enabled]=true"];
    for (changes, pack, plan) in [
        (&[][..], invoice.to_vec(), vec![]),
        (&[("invoices = true", "invoices = false")], vec![], vec![]),
        (ALL, [&invoice[..], &all].concat(), all.to_vec()),
    ] {
        let (shop, recorder, _folder) = shop_with(changes);
        shop.checkout("alice", "topup_100");
        shop.checkout("alice", "starter");
        assert_eq!(terms_sent(&recorder), [pack, plan]);
        judged_by_stripe(&recorder);
    }
}

/// Nine dollars and 19 % on top: units do not depend on the tax, and refunds count by what was charged.
#[test]
fn a_pack_with_invoice_and_tax_is_credited_once_and_reversed_by_its_share() {
    let (shop, recorder, _folder) = shop_with(ALL);
    let buy = |user: &str, order: &str| {
        shop.stripe_control("webhooks/hold", &[]);
        let (session, checkout) = shop.checkout(user, "topup_100");
        let business = [("card", GOOD_CARD), ("country", "DE"), ("business_name", "ACME"), ("tax_id", "DE123456789")];
        shop.pay(&checkout, &business).must(303);
        shop.stripe_control("webhooks/release", &[("order", order)]);
        shop.wait_for_units(user, 100);
        settled(&shop);
        let paid = shop.ask_stripe("GET", &format!("{SESSIONS}/{session}"));
        assert_eq!(paid["amount_total"], 1071, "{paid}");
        assert!(paid["invoice"].is_string());
        paid["payment_intent"].as_str().unwrap().to_owned()
    };
    for (user, order) in [("alice", "made"), ("bert", "reverse")] {
        if user != "alice" {
            shop.user(user);
        }
        let intent = buy(user, order);
        assert_eq!(shop.ledger(user), [(format!("topup_{intent}"), 100, 100)], "{order}");
        let half = [("amount", "536")];
        shop.stripe_control(&format!("charges/{intent}/refund"), &half);
        shop.wait_for_units(user, 50);
        shop.stripe_control(&format!("charges/{intent}/refund"), &[]);
        shop.wait_for_units(user, 0);
    }
    shop.verify_books();
    let report: Value = serde_json::from_str(&shop.till_prints(&["reconcile", "--json"])).unwrap();
    assert_eq!(report["agrees"], true, "{report}");
    assert_eq!(report["amounts"][0]["stripe"], report["amounts"][0]["books"], "{report}");
    judged_by_stripe(&recorder);
}

/// With tax in the price, the buyer pays what the page says.
#[test]
fn setting_up_says_how_tax_is_meant_and_a_check_misses_it() {
    let (shop, recorder, folder) = shop_with(ALL);
    let catalog = folder.path("catalog.toml");
    let check = || -> Vec<String> {
        let found: Value = serde_json::from_slice(&shop.till(&["check", "--json"]).stdout).unwrap();
        let rows = found["data"].as_array().unwrap().iter().filter(|row| row["what"] == "price of topup_100");
        rows.map(|row| row["detail"].as_str().unwrap().to_owned()).collect()
    };
    assert!(check()[0].contains("does not say whether tax is contained"), "{:?}", check());
    for (currency, expected) in [("usd", "exclusive"), ("eur", "inclusive")] {
        let text = std::fs::read_to_string(&catalog)
            .unwrap()
            .replace("currency = \"usd\"", &format!("currency = \"{currency}\""));
        let file = folder.path(&format!("{currency}.toml"));
        std::fs::write(&file, text).unwrap();
        let catalog = ["--catalog", file.to_str().unwrap()];
        let printed = shop.till_prints(&[&["stripe", "setup"][..], &catalog].concat());
        let price = printed.lines().find_map(|line| line.strip_prefix("SPRITE_STRIPE_TOPUP_100_PRICE_ID=")).unwrap();
        let made = shop.ask_stripe("GET", &format!("/v1/prices/{price}"));
        assert_eq!(made["tax_behavior"], expected);
        let again = shop.till_prints(&[&["stripe", "setup"][..], &catalog].concat());
        assert!(again.contains(&format!("topup_100: the price {price} is there")), "{again}");
    }
    judged_by_stripe(&recorder);
}

/// A price that setup made before tax was switched on does not say how it is meant: it is told then.
#[test]
fn a_price_that_is_there_already_is_told_how_tax_is_meant() {
    let shop = Shop::open();
    let printed = shop.till_prints(&["stripe", "setup"]);
    let price = |printed: &str| {
        let found = printed.lines().find_map(|line| line.strip_prefix("SPRITE_STRIPE_STARTER_PRICE_ID="));
        found.unwrap().to_owned()
    };
    let before = price(&printed);
    let behavior = || shop.ask_stripe("GET", &format!("/v1/prices/{before}"))["tax_behavior"].clone();
    assert_eq!(behavior(), "unspecified");
    let folder = Folder::new();
    let file = folder.path("catalog.toml");
    let text = include_str!("../../../../systemd/catalog.example.toml")
        .replace("automatic_tax = false", "automatic_tax = true");
    std::fs::write(&file, text).unwrap();
    let set_up = ["stripe", "setup", "--catalog", file.to_str().unwrap()];
    let dry = shop.till_prints(&[&set_up[..], &["--dry-run"]].concat());
    assert!(dry.contains("would say that tax comes on top"), "{dry}");
    assert_eq!(behavior(), "unspecified");
    let printed = shop.till_prints(&set_up);
    assert_eq!(price(&printed), before);
    assert!(printed.contains("said that tax comes on top"), "{printed}");
    assert_eq!(behavior(), "exclusive");
}

#[test]
fn an_order_that_costs_nothing_with_an_invoice_is_credited_under_the_session_in_any_order() {
    let shop = Shop::open_taking_codes();
    for (user, order) in [("alice", "made"), ("bert", "reverse")] {
        shop.user(user);
        shop.stripe_control("webhooks/hold", &[]);
        let (session, checkout) = shop.checkout(user, "topup_100");
        shop.pay(&checkout, &[("promotion_code", "FREE100")]).must(303);
        shop.stripe_control("webhooks/release", &[("order", order)]);
        shop.wait_for_units(user, 100);
        settled(&shop);
        assert_eq!(shop.ledger(user), [(format!("topup_{session}"), 100, 100)], "{order}");
    }
    shop.verify_books();
}

/// The buyer of a pack finds the invoice without a plan.
#[test]
fn a_buyer_without_a_plan_has_a_button_to_the_invoices() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    assert!(!browser.get("/dashboard").must(200).body.contains("/billing/portal"));
    let (_, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let dashboard = browser.get("/dashboard").must(200);
    assert!(dashboard.body.contains(">Manage or cancel<"));
    let portal = browser.press(&dashboard, "/billing/portal").must(303);
    let page = Client::browser(&shop.stripe.url()).get(portal.header("location")).must(200);
    assert!(page.body.contains("$9.00"), "{}", page.body);
}

fn settled(shop: &Shop) {
    crate::harness::eventually("all webhooks", || {
        shop.deliveries().iter().all(|row| row["progress"] == json!("delivered")).then_some(())
    });
}
