//! What `till check` says of a key, a clock, a webhook endpoint and a way to it that are not as they should be: each by
//! its name, with what to do.

use std::collections::BTreeMap;

use serde_json::Value;
use till::clock::Clock;
use till::sandbox::{self, Endpoint, Options};
use till::secret::Secret;
use till::stripe::permissions::NEEDED;

use crate::harness::port::free_port;
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Folder, Shop, canned, eventually, process, shop};

/// Somebody who answers everything so.
fn answering(head: &'static str, body: &str) -> String {
    canned::start(vec![("/", head, body.to_owned())])
}

/// What is found of `what`, with this Stripe and this public URL: whether it is good, and the words.
fn found(stripe: &str, base_url: &str, what: &str) -> (bool, String) {
    let folder = Folder::new();
    let mut variables = shop::variables(&folder, stripe);
    variables.insert("SPRITE_BASE_URL".to_owned(), base_url.to_owned());
    shop::token(&variables, "read");
    let output = process::run(&variables, &["check", "--json"]);
    assert_eq!(output.status.code(), Some(1), "something falls short in each of these");
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = rows["data"].as_array().unwrap().iter().find(|row| row["what"] == what);
    let row = row.unwrap_or_else(|| panic!("no {what:?} in {rows}"));
    (row["is_good"] == true, row["detail"].as_str().unwrap().to_owned())
}

#[test]
fn a_key_and_a_clock_that_are_not_right_are_named() {
    let lacks = r#"{"error": {"message": "Having the 'rak_price_read' permission would allow this request."}}"#;
    let empty = r#"{"object": "list", "data": [], "has_more": false}"#;
    for (head, body, what, words) in [
        ("403 Forbidden", lacks, "Stripe key", "lacks a permission: rak_price_read"),
        ("401 Unauthorized", "{}", "Stripe key", "is refused by Stripe"),
        ("200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT", empty, "clock", "webhooks will be refused; set up NTP"),
    ] {
        let (is_good, detail) = found(&answering(head, body), "http://127.0.0.1:9", what);
        assert!(!is_good && detail.contains(words), "{head}: {what}: {detail}");
    }
}

#[test]
fn an_endpoint_that_is_off_and_a_way_that_leads_elsewhere_are_named() {
    let moved = answering("308 Permanent Redirect\r\nLocation: https://www.example.org/billing/webhook", "");
    let other = answering("404 Not Found", "");
    for (base_url, words) in [
        (&moved, "redirects to https://www.example.org/billing/webhook: Stripe counts that as a failure"),
        (&other, "answers 404, 400 was expected: is till behind it?"),
    ] {
        let listen = "127.0.0.1:0".parse().unwrap();
        let endpoint = Endpoint { url: format!("{base_url}/billing/webhook"), secret: Secret::new("whsec_check") };
        let options =
            Options { listen, public_url: None, endpoint: Some(endpoint), prices: vec![], clock: Clock::System };
        let stripe = sandbox::start(options).unwrap();
        let (is_good, detail) = found(&stripe.url(), base_url, "public URL");
        assert!(!is_good && detail.contains(words), "{detail}");

        let enabled = found(&stripe.url(), base_url, "webhook endpoint");
        assert!(enabled.0, "{}", enabled.1);
        let api = Client::new(&stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
        let listed = api.get("/v1/webhook_endpoints").must(200).json();
        let path = format!("/v1/webhook_endpoints/{}", listed["data"][0]["id"].as_str().unwrap());
        api.post_form(&path, &[("disabled", "true")]).must(200);
        let (is_good, detail) = found(&stripe.url(), base_url, "webhook endpoint");
        assert!(!is_good && detail.contains("is disabled at Stripe: enable it there"), "{detail}");
    }
}

/// A shop whose appliance knows its own address, so that `till check` in its environment looks at that.
fn shop_with_an_address(more: &[(&str, &str)]) -> Shop {
    let address = format!("127.0.0.1:{}", free_port());
    let base_url = format!("http://{address}");
    Shop::open_with(&[&[("SPRITE_LISTEN", address.as_str()), ("SPRITE_BASE_URL", &base_url)], more].concat())
}

/// What is found there, with further variables for the check alone.
fn checked(shop: &Shop, more: &[(&str, &str)]) -> BTreeMap<String, (Value, String)> {
    let mut variables = shop.variables().clone();
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    if more.iter().any(|(name, _)| *name == "SPRITE_DATABASE") {
        // A check makes no database.
        shop::token(&variables, "read");
    }
    let output = process::run(&variables, &["check", "--json"]);
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = rows["data"].as_array().unwrap();
    let is_bad = rows.iter().any(|row| row["is_good"] == false);
    assert_eq!(output.status.code(), Some(i32::from(is_bad)), "{rows:?}");
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(row, "what"), (row["is_good"].clone(), text(row, "detail")))).collect()
}

#[track_caller]
fn says(found: &BTreeMap<String, (Value, String)>, what: &str, is_good: impl Into<Value>, words: &str) {
    let (verdict, detail) = found.get(what).unwrap_or_else(|| panic!("no {what:?} in {found:?}"));
    assert!(*verdict == is_good.into() && detail.contains(words), "{what}: {verdict} {detail}");
}

fn buy(shop: &Shop) {
    let checkout = shop.checkout("alice", "topup_100").1;
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
}

#[test]
fn a_shop_that_works_is_good_and_its_deliveries_are_judged_once_there_are_some() {
    let shop = shop_with_an_address(&[]);
    let found = checked(&shop, &[]);
    assert!(found.values().all(|(is_good, _)| *is_good != false), "{found:?}");
    says(&found, "public URL", true, "a signed probe arrived in this database");
    says(&found, "webhook deliveries", Value::Null, "no event to send in the last day");
    says(&found, "key permissions", true, "that are needed");
    assert_eq!(shop.inbox(&[]), Vec::<Value>::new(), "probes leave nothing behind");

    shop.user("alice");
    buy(&shop);
    shop.wait_for_units("alice", 100);
    let delivered = eventually("the deliveries", || {
        let found = checked(&shop, &[]);
        (found["webhook deliveries"].0 == true).then_some(found)
    });
    says(&delivered, "webhook deliveries", true, "arrived, none failed");
    assert_eq!(shop.ask_stripe("GET", "/v1/customers")["data"].as_array().unwrap().len(), 1, "a check makes nothing");
}

#[test]
fn a_webhook_secret_that_is_another_endpoints_is_found_by_what_stripe_could_not_deliver() {
    let shop = shop_with_an_address(&[("SPRITE_STRIPE_WEBHOOK_SECRET", "whsec_of_another_endpoint")]);
    shop.user("alice");
    buy(&shop);
    shop.till.wait_for_log("a refusal", |line| line["event"] == "webhook_rejected");
    let found = checked(&shop, &[]);
    says(&found, "public URL", true, "a signed probe arrived");
    says(&found, "webhook deliveries", false, "SPRITE_STRIPE_WEBHOOK_SECRET is probably not the signing secret of we_");
    says(&found, "webhook deliveries", false, "1 checkout.session.completed");
}

#[test]
fn a_url_that_leads_to_another_program_or_another_till_is_found() {
    // Another program that refuses everything with 400, as ours does without a signature.
    let other = canned::start(vec![("/", "400 Bad Request", "{}".to_owned())]);
    let shop = shop_with_an_address(&[]);
    let found = checked(&shop, &[("SPRITE_BASE_URL", &other)]);
    says(&found, "public URL", false, "answers 400 to a signed probe, which did not arrive in this database");
    // One that takes everything.
    let other = canned::start(vec![("/", "200 OK", "{}".to_owned())]);
    let found = checked(&shop, &[("SPRITE_BASE_URL", &other)]);
    says(&found, "public URL", false, "answers 200, 400 was expected: is till behind it?");
    // The right program with another database, or another secret.
    let folder = Folder::new();
    let found = checked(&shop, &[("SPRITE_DATABASE", &folder.database("other.db"))]);
    says(&found, "public URL", false, "answers 200 to a signed probe, which did not arrive in this database");
    let found = checked(&shop, &[("SPRITE_STRIPE_WEBHOOK_SECRET", "whsec_new")]);
    says(&found, "public URL", false, "another webhook secret");
    let secrets = format!("{},whsec_new", shop::WEBHOOK_SECRET);
    let found = checked(&shop, &[("SPRITE_STRIPE_WEBHOOK_SECRET", &secrets)]);
    says(&found, "public URL", true, "leads here");
    says(&found, "webhook secrets", false, "does not accept number 2 of 2: restart it");
}

#[test]
fn what_nobody_can_buy_is_found() {
    let shop = shop_with_an_address(&[]);
    let api = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let product = api.get("/v1/prices/price_pro").must(200).json()["product"].as_str().unwrap().to_owned();
    api.post_form(&format!("/v1/products/{product}"), &[("active", "false")]).must(200);
    api.post_form("/v1/prices/price_starter", &[("active", "false")]).must(200);
    let found = checked(&shop, &[("SPRITE_STRIPE_TOPUP_250_PRICE_ID", "price_of_live_mode")]);
    says(&found, "price of pro", false, &format!("belongs to {product}, which is archived at Stripe"));
    says(&found, "price of starter", false, "price_starter is archived at Stripe");
    says(&found, "price of topup_250", false, "price_of_live_mode does not exist in this account's test mode");
    says(&found, "price of topup_100", true, "is as the catalogue says");

    // A price that bills reported use cannot be bought by quantity.
    let price = r#"{"id": "price_m", "object": "price", "active": true, "currency": "usd", "unit_amount": 2900, "type": "recurring",
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "metered"}}"#;
    let empty = r#"{"object": "list", "data": [], "has_more": false}"#;
    let answers = [("/v1/prices/", "200 OK", price), ("/v1/prices", "200 OK", empty), ("/", "404 Not Found", "{}")];
    let metered = canned::start(answers.map(|(path, head, body)| (path, head, body.to_owned())).to_vec());
    let folder = Folder::new();
    let database = folder.database("other.db");
    let elsewhere = [("SPRITE_STRIPE_API_BASE", metered.as_str()), ("SPRITE_DATABASE", &database)];
    let found = checked(&shop, &elsewhere);
    says(&found, "price of pro", false, "is billed by reported use at Stripe: nobody can buy it");
}

#[test]
fn a_subscription_that_renews_at_an_unknown_price_and_a_warning_of_the_configuration_are_named() {
    let shop = shop_with_an_address(&[]);
    let found = checked(&shop, &[("SPRITE_STRIPE_STARTER_PRICEID", "price_new")]);
    says(&found, "configuration", Value::Null, "SPRITE_STRIPE_STARTER_PRICEID");
    assert!(!found.contains_key("renewals"), "{found:?}");
    shop.user("alice");
    let checkout = shop.checkout("alice", "starter").1;
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let found = checked(&shop, &[]);
    says(&found, "configuration", true, "every variable is known");
    says(&found, "renewals", true, "the price of all 1 subscriptions");
    // Another price takes its place, and the one that alice pays is forgotten.
    let found = checked(&shop, &[("SPRITE_STRIPE_STARTER_PRICE_ID", "price_new")]);
    says(&found, "renewals", false, "1 at price_starter");
    says(&found, "renewals", false, "older_price_ids");
}

#[test]
fn each_permission_that_the_key_lacks_is_named() {
    let shop = shop_with_an_address(&[]);
    let all: Vec<&str> = NEEDED.iter().map(|permission| permission.slug).collect();
    let restricted = [("SPRITE_STRIPE_SECRET_KEY", "rk_test_restricted")];
    let restrict = |permissions: &[&str]| {
        let permissions = permissions.join(",");
        shop.stripe_control("keys", &[("key", "rk_test_restricted"), ("permissions", &permissions)]);
        checked(&shop, &restricted)
    };
    let found = restrict(&all);
    assert!(found.values().all(|(is_good, _)| *is_good != false), "the smallest set is enough: {found:?}");
    says(&found, "Stripe account", true, "acct_1Sandbox0000000");
    for permission in &NEEDED {
        let others: Vec<&str> = all.iter().copied().filter(|slug| *slug != permission.slug).collect();
        let found = restrict(&others);
        says(&found, "key permissions", false, &format!("{} ({})", permission.name, permission.access.word()));
    }
    let found = restrict(&[]);
    says(&found, "Stripe key", false, "lacks a permission: rak_plan_read");
    says(&found, "key permissions", false, "Disputes (Read), which takes back what is disputed");
}

#[test]
fn two_endpoints_that_differ_by_a_slash_are_named_and_the_failures_of_one_are_not_the_others() {
    let shop = shop_with_an_address(&[]);
    let api = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let url = format!("{}/billing/webhook/", shop.till.url);
    let fields = [("url", url.as_str()), ("enabled_events[]", "*")];
    let twin = api.post_form("/v1/webhook_endpoints", &fields).must(200).json()["id"].as_str().unwrap().to_owned();
    let found = checked(&shop, &[]);
    says(&found, "webhook endpoint", false, "the one whose secret is in SPRITE_STRIPE_WEBHOOK_SECRET");
    says(&found, "webhook endpoint", false, &format!("till stripe setup --disable {twin}"));
    says(&found, "webhook endpoint", false, &format!("to keep {twin}, till stripe setup --disable "));
    shop.user("alice");
    buy(&shop);
    shop.wait_for_units("alice", 100);
    eventually("the delivery", || (checked(&shop, &[])["webhook deliveries"].0 == true).then_some(()));
    shop.till_prints(&["stripe", "setup", "--disable", &twin]);
    let found = checked(&shop, &[]);
    says(&found, "webhook endpoint", true, "is enabled");
}

#[test]
fn what_stripe_charges_is_kept_compared_and_shown_to_buyers() {
    let shop = Shop::open();
    let hand = shop.hand();
    let keep = |currency: &str, amount: i64| {
        hand.run(&format!(
            "INSERT INTO prices (price, currency, amount) VALUES ('price_topup_100', '{currency}', {amount})"
        ));
    };
    let kept = || {
        let all = "SELECT price || ' ' || amount || ' ' || currency FROM prices ORDER BY price, currency";
        hand.column(all).join(", ")
    };
    let shown = |shop: &Shop| {
        let packs = shop.api.get("/v1/catalog").must(200).json()["packs"].clone();
        let is_on_page = shop.visitor().get("/").must(200).body.contains("$9.50");
        (packs[0]["amount"].as_i64().unwrap(), is_on_page)
    };
    let check = |shop: &Shop| -> String {
        let rows: Value = serde_json::from_slice(&shop.till(&["check", "--json"]).stdout).unwrap();
        let rows = rows["data"].as_array().unwrap();
        let row = rows.iter().find(|row| row["what"] == "price of topup_100").unwrap();
        assert_eq!(row["is_good"], true, "{row}");
        row["detail"].as_str().unwrap().to_owned()
    };
    let api = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    api.post_form("/v1/prices/price_topup_100", &[("currency_options[eur][unit_amount]", "800")]).must(200);
    keep("usd", 950);
    keep("eur", 700);
    assert_eq!(shown(&shop), (900, false));
    let shop = shop.crash_and_restart();
    assert_eq!(shown(&shop), (950, true), "what Stripe charges, as far as it is known");
    shop.till.wait_for_log("price_differs", |line| {
        line["event"] == "price_differs"
            && line["key"] == "topup_100"
            && line["stripe"] == 950
            && line["catalog"] == 900
    });

    let said = check(&shop);
    for words in ["is as the catalogue says", "700 eur was kept of it, and it costs 800 now", "950 usd was kept"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let all = "price_pro 2900 usd, price_starter 900 usd, price_topup_100 800 eur, price_topup_100 900 usd, \
               price_topup_250 2000 usd";
    assert_eq!(kept(), all);
    assert!(check(&shop).ends_with("is as the catalogue says"));
    let shop = shop.crash_and_restart();
    assert_eq!(shown(&shop), (900, false));
}

#[test]
fn a_check_of_a_database_that_is_not_there_makes_none_and_a_status_claims_no_comparison() {
    let folder = Folder::new();
    let mut variables = shop::variables(&folder, "http://127.0.0.1:1");
    let place = folder.path("none.db");
    variables.insert("SPRITE_DATABASE".to_owned(), place.display().to_string());
    let output = process::run(&variables, &["check"]);
    let said = process::said(&output);
    assert!(output.status.code() == Some(1) && said.contains("there is no database at"), "{said}");
    assert!(!place.exists());

    shop::token(&variables, "read");
    let status = String::from_utf8(process::run(&variables, &["status"]).stdout).unwrap();
    assert!(status.contains("nothing yet") && !status.contains("every payment up to then"), "{status}");
}

#[test]
fn a_status_is_not_green_where_serve_would_not_start_or_nothing_can_be_bought() {
    let shop = Shop::open();
    let status = |changes: &[(&str, &str)]| {
        let mut variables = shop.variables().clone();
        for (name, value) in changes {
            variables.insert((*name).to_owned(), (*value).to_owned());
        }
        variables.retain(|_, value| !value.is_empty());
        let output = process::run(&variables, &["status"]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = status(&[]);
    assert!(code == Some(0) && !text.contains("FAIL"), "{text}");
    for (variable, value, code, words) in [
        ("SPRITE_STRIPE_SECRET_KEY", "sk_live_1", 1, "FAIL: Stripe account"),
        ("SPRITE_STRIPE_STARTER_PRICE_ID", "", 1, "FAIL: price of starter"),
        ("SPRITE_STRIPE_SECRET_KEY", "", 0, "Stripe key"),
    ] {
        let (found, text) = status(&[(variable, value)]);
        assert!(found == Some(code) && text.contains(words), "{variable}={value}: {text}");
    }
}
