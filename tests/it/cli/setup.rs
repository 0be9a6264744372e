//! `till stripe setup` makes at Stripe what is missing, once; `till check` says what falls short.

use serde_json::{Value, json};

use crate::harness::openapi;
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Folder, Recorder, Shop, eventually, left_out};

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
    for what in ["database", "Stripe key", "clock", "price of topup_100", "price of pro", "customer portal"] {
        assert!(is_good(what), "{what}: {found}");
    }
    // The base URL is not set in this process, so neither endpoint nor public URL can be the appliance's.
    assert!(!is_good("webhook endpoint") && !is_good("public URL"), "{found}");
    assert_eq!(output.status.code(), Some(1));
}

/// The customer portal's configurations at Stripe that are ours.
fn portals(shop: &Shop) -> Vec<Value> {
    let listed = shop.ask_stripe("GET", "/v1/billing_portal/configurations");
    let rows = listed["data"].as_array().unwrap().iter();
    rows.filter(|row| row["metadata"]["till_key"] == "portal").cloned().collect()
}

/// The step that a setup prints of the customer portal, and the prices that it prints.
fn set_up(shop: &Shop, more: &[&str]) -> (String, Vec<(String, String)>) {
    let printed = shop.till_prints(&[&["stripe", "setup"], more].concat());
    let portal = printed.lines().find_map(|line| line.strip_prefix("# customer portal: ")).unwrap().to_owned();
    let prices = printed.lines().filter(|line| line.contains("_PRICE_ID=")).filter_map(|line| line.split_once('='));
    (portal, prices.map(|(name, id)| (name.to_owned(), id.to_owned())).collect())
}

fn check_of_the_portal(shop: &Shop) -> (bool, String) {
    let found: Value = serde_json::from_slice(&shop.till(&["check", "--json"]).stdout).unwrap();
    let row = found["data"].as_array().unwrap().iter().find(|row| row["what"] == "customer portal").unwrap().clone();
    (row["is_good"].as_bool().unwrap(), row["detail"].as_str().unwrap().to_owned())
}

/// What Stripe would offer in the portal: price by price.
fn offered(portal: &Value) -> Vec<String> {
    let products = portal["features"]["subscription_update"]["products"].as_array().unwrap().iter();
    products.map(|product| product["prices"][0].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_portal_is_set_up_once_and_again_when_the_plans_have_changed() {
    let (recorder, folder) = (Recorder::start(), Folder::new());
    let shop = Shop::open_with(&[("SPRITE_STRIPE_API_BASE", &recorder.url)]);
    recorder.lead_to(&shop.stripe.url());
    assert_eq!(set_up(&shop, &["--dry-run"]).0, "would make a configuration with the plans");
    assert!(portals(&shop).is_empty());
    let said = check_of_the_portal(&shop).1;
    assert!(said.starts_with("the account's own, bpc_"), "{said}");

    let (made, prices) = set_up(&shop, &[]);
    let price = |plan: &str| prices.iter().find(|(name, _)| name.contains(plan)).unwrap().1.clone();
    let first = portals(&shop);
    let id = first[0]["id"].as_str().unwrap();
    assert_eq!(made, format!("made the configuration {id}"));
    assert_eq!(offered(&first[0]), [price("STARTER"), price("PRO")]);
    let features = &first[0]["features"];
    assert_eq!(features["subscription_update"]["proration_behavior"], "always_invoice");
    assert_eq!(features["subscription_cancel"]["mode"], "at_period_end");
    let conditions = &features["subscription_update"]["schedule_at_period_end"]["conditions"];
    let kinds = [&conditions[0]["type"], &conditions[1]["type"]];
    assert_eq!(kinds, ["decreasing_item_amount", "shortening_interval"]);
    assert_eq!(set_up(&shop, &[]).0, format!("the configuration {id} is there"));
    assert_eq!(portals(&shop), first);
    // This process still sells what was there before.
    assert_eq!(
        check_of_the_portal(&shop),
        (false, format!("{id} has other plans than are on sale: till stripe setup"))
    );

    let catalog = folder.path("catalog.toml");
    std::fs::write(&catalog, "currency = \"usd\"\n[[plan]]\nkey = \"pro\"\namount = 3900\nunits = 500\n").unwrap();
    let changed = ["--catalog", catalog.to_str().unwrap()];
    let dry = [&changed[..], &["--dry-run"]].concat();
    assert_eq!(set_up(&shop, &dry).0, format!("would bring the plans of {id} up to date"));
    assert_eq!(portals(&shop), first);
    let (brought, prices) = set_up(&shop, &changed);
    assert_eq!(brought, format!("brought the plans of {id} up to date"));
    let second = portals(&shop);
    assert_eq!((second.len(), offered(&second[0])), (1, vec![prices[0].1.clone()]));
    assert_eq!(set_up(&shop, &changed).0, format!("the configuration {id} is there"));

    let is_greeting = |form: &[(String, String)]| matches!(form, [(name, _)] if name == "limit");
    let greetings =
        recorder.asked().iter().filter(|asked| asked.path == "/v1/prices" && is_greeting(&asked.form)).count();
    assert_eq!(greetings, 2, "each check asks once for key and clock together");

    let Some(api) = openapi::load() else {
        return left_out("our requests against stripe/openapi.json.gz, which is not on this machine");
    };
    for asked in recorder.asked() {
        assert_eq!(api.check_request(&asked.method, &asked.path, &asked.form), Ok(()), "{:?}", asked.form);
    }
}

/// An upgrade in the portal is invoiced, paid and allotted at once.
#[test]
fn a_customer_upgrades_in_the_portal_that_was_set_up() {
    let shop = Shop::open();
    let (_, prices) = set_up(&shop, &[]);
    let lines: Vec<(&str, &str)> = prices.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
    let shop = shop.crash_and_restart_with(&lines);
    let id = portals(&shop)[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(check_of_the_portal(&shop), (true, format!("{id} has the plans on sale")));

    shop.user("alice");
    let browser = shop.sign_in("alice");
    let checkout = shop.press_buy(&browser, "starter");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    eventually("the plan", || {
        let alice = shop.api.get("/v1/users/alice").must(200).json();
        (alice["plan"] == "starter").then_some(())
    });
    let portal = browser.press(&browser.get("/dashboard").must(200), "/billing/portal").must(303);
    let page = portal.header("location").to_owned();
    let shown = Client::browser(&shop.stripe.url()).get(&page).must(200).body;
    assert!(shown.contains("Pro, $29.00 a month"), "{shown}");
    let plan = shop.ask_stripe("GET", "/v1/subscriptions")["data"][0]["id"].as_str().unwrap().to_owned();
    let pro = prices.iter().find(|(name, _)| name.contains("PRO")).unwrap().1.clone();
    shop.pay(&page, &[("action", "change"), ("subscription", &plan), ("price", &pro)]).must(303);
    // The whole period is left: all of the difference but what seconds have used up.
    eventually("the units of the upgrade", || (shop.remaining("alice") >= 499).then_some(()));
    let alice = eventually("the plan", || {
        let alice = shop.api.get("/v1/users/alice").must(200).json();
        (alice["plan"] == "pro").then_some(alice)
    });
    assert_eq!(alice["subscription"]["status"], json!("active"));
    shop.verify_books();
}

/// The manual writes `.failed` for the type before it with another end.
#[test]
fn the_manual_lists_every_event_that_is_handled() {
    let manual = include_str!("../../../docs/operate.md");
    let list = manual.split("and the events are:").nth(1).unwrap().split("Any other event").next().unwrap();
    let mut listed: Vec<String> = vec![];
    for name in list.split('`').skip(1).step_by(2) {
        let stem = listed.last().and_then(|last| last.rsplit_once('.')).map_or("", |(stem, _)| stem);
        listed.push(if name.starts_with('.') { format!("{stem}{name}") } else { name.to_owned() });
    }
    listed.sort();
    let mut handled = till::stripe::event::TYPES.to_vec();
    handled.sort_unstable();
    assert_eq!(listed, handled);
}
