//! `till stripe setup` makes at Stripe what is missing, once; `till check` says what falls short.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use till::sandbox::Sandbox;
use till::stripe::permissions::NEEDED;

use crate::harness::life;
use crate::harness::shop::{self, GOOD_CARD};
use crate::harness::{Client, Folder, Recorder, Shop, eventually, left_out, openapi, process};

/// A Stripe in which nothing is sold yet, and what `till stripe setup` prints there. There is no database.
struct EmptyStripe {
    stripe: Sandbox,
    folder: Folder,
    variables: BTreeMap<String, String>,
}

impl EmptyStripe {
    fn open() -> EmptyStripe {
        let (stripe, folder) = (life::stripe(), Folder::new());
        let mut variables = shop::variables(&folder, &stripe.url());
        variables.retain(|name, _| !name.ends_with("_PRICE_ID"));
        variables.insert("SPRITE_BASE_URL".to_owned(), "https://pay.example.com".to_owned());
        variables.insert("SPRITE_DATABASE".to_owned(), "/nowhere/till.db".to_owned());
        EmptyStripe { stripe, folder, variables }
    }

    fn api(&self) -> Client {
        Client::new(&self.stripe.url(), &[("authorization", "Bearer sk_test_stories")])
    }

    #[track_caller]
    fn set_up(&self, more: &[&str]) -> String {
        let output = process::run(&self.variables, &[&["stripe", "setup"], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn list(&self, path: &str) -> Vec<Value> {
        self.api().get(&format!("{path}?limit=100")).must(200).json()["data"].as_array().unwrap().clone()
    }

    fn endpoint(&self, url: &str) -> String {
        let fields = [("url", url), ("enabled_events[]", "*")];
        let made = self.api().post_form("/v1/webhook_endpoints", &fields).must(200).json();
        made["id"].as_str().unwrap().to_owned()
    }
}

fn printed_prices(printed: &str) -> BTreeMap<String, String> {
    let lines = printed.lines().filter(|line| line.contains("_PRICE_ID="));
    lines.filter_map(|line| line.split_once('=')).map(|(name, id)| (name.to_owned(), id.to_owned())).collect()
}

#[test]
fn setting_up_twice_makes_nothing_twice_and_a_dry_run_nothing() {
    let empty = EmptyStripe::open();
    let dry = empty.set_up(&["--dry-run"]);
    assert!(dry.contains("topup_100: would make a price of 900 usd") && !dry.contains("_PRICE_ID="), "{dry}");
    assert_eq!(empty.set_up(&["--dry-run"]), dry, "a dry run makes nothing");
    let database = empty.folder.path("none.db");
    assert_eq!(empty.set_up(&["--dry-run", "--database", database.to_str().unwrap()]), dry, "the flag is taken");

    let first = empty.set_up(&[]);
    assert!(first.contains("SPRITE_STRIPE_WEBHOOK_SECRET=whsec_"), "{first}");
    let prices = printed_prices(&first);
    assert_eq!(prices.len(), 4, "{first}");
    assert!(prices["SPRITE_STRIPE_TOPUP_100_PRICE_ID"].starts_with("price_"), "{first}");
    let made = [empty.list("/v1/prices"), empty.list("/v1/products"), empty.list("/v1/webhook_endpoints")];
    assert_eq!(printed_prices(&empty.set_up(&[])), prices);
    assert_eq!([empty.list("/v1/prices"), empty.list("/v1/products"), empty.list("/v1/webhook_endpoints")], made);
    assert!(std::fs::read_dir(empty.folder.path("")).unwrap().next().is_none(), "no database is made");
}

#[test]
fn what_is_there_is_found_by_what_it_is() {
    const PACK: &str = "SPRITE_STRIPE_TOPUP_100_PRICE_ID";
    let mut empty = EmptyStripe::open();
    let api = empty.api();
    let first = printed_prices(&empty.set_up(&[]));

    // A price that has lost its lookup key is still the product's.
    api.post_form(&format!("/v1/prices/{}", first[PACK]), &[("lookup_key", "")]).must(200);
    assert_eq!(printed_prices(&empty.set_up(&[])), first);
    // A configured price of another product is as good as ours.
    let fields = [("currency", "usd"), ("unit_amount", "900"), ("product_data[name]", "By hand")];
    let by_hand = api.post_form("/v1/prices", &fields).must(200).json()["id"].as_str().unwrap().to_owned();
    empty.variables.insert(PACK.to_owned(), by_hand.clone());
    assert_eq!(printed_prices(&empty.set_up(&[]))[PACK], by_hand);
    // One that costs something else, or does not exist, is not.
    empty.variables.insert(PACK.to_owned(), first["SPRITE_STRIPE_TOPUP_250_PRICE_ID"].clone());
    let printed = empty.set_up(&[]);
    assert_eq!(printed_prices(&printed)[PACK], first[PACK], "{printed}");
    assert!(printed.contains("is archived, or is not what the catalogue says"), "{printed}");
    assert!(printed.contains("If somebody subscribed at it, put it into older_price_ids"), "{printed}");
    empty.variables.insert(PACK.to_owned(), "price_of_live_mode".to_owned());
    let printed = empty.set_up(&[]);
    assert!(printed.contains("price_of_live_mode does not exist in this account's test mode"), "{printed}");
    empty.variables.remove(PACK);
}

#[test]
fn what_is_archived_is_replaced_or_activated() {
    let empty = EmptyStripe::open();
    let api = empty.api();
    let first = printed_prices(&empty.set_up(&[]));
    let pro = first["SPRITE_STRIPE_PRO_PRICE_ID"].clone();
    let archived = [("active", "false")];
    api.post_form(&format!("/v1/prices/{pro}"), &archived).must(200);
    api.post_form("/v1/products/till_pro", &archived).must(200);
    api.post_form("/v1/products/till_topup_250", &archived).must(200);
    let printed = empty.set_up(&[]);
    let second = printed_prices(&printed);
    assert!(printed.contains("pro: activated the archived product till_pro"), "{printed}");
    assert!(printed.contains("topup_250: activated the archived product till_topup_250"), "{printed}");
    // The archived price keeps its lookup key, which the new price takes over.
    let made = second["SPRITE_STRIPE_PRO_PRICE_ID"].clone();
    assert_ne!(made, pro);
    let made = api.get(&format!("/v1/prices/{made}")).must(200).json();
    assert_eq!((&made["lookup_key"], &made["active"]), (&json!("till_pro_2900_usd_month"), &json!(true)));
    assert!(empty.list("/v1/products").iter().all(|product| product["active"] == true));
    let all = empty.list("/v1/prices").len();
    assert_eq!((printed_prices(&empty.set_up(&[])), empty.list("/v1/prices").len()), (second, all), "once");
}

#[test]
fn an_endpoint_is_found_corrected_and_an_earlier_one_disabled_on_demand() {
    let mut empty = EmptyStripe::open();
    let status = |empty: &EmptyStripe, id: &str| {
        let endpoint = empty.api().get(&format!("/v1/webhook_endpoints/{id}")).must(200).json();
        (endpoint["url"].as_str().unwrap().to_owned(), endpoint["status"].as_str().unwrap().to_owned())
    };
    let url = "https://pay.example.com/billing/webhook".to_owned();
    let ours = empty.endpoint("https://PAY.example.com:443/billing/webhook/");
    let other = empty.endpoint("https://shop.example.com/other");
    empty.api().post_form(&format!("/v1/webhook_endpoints/{ours}"), &[("disabled", "true")]).must(200);
    let dry = empty.set_up(&["--dry-run"]);
    assert!(dry.contains("would change its URL") && dry.contains("enable it"), "{dry}");
    assert_eq!(status(&empty, &ours).1, "disabled");
    let printed = empty.set_up(&[]);
    assert!(printed.contains(&format!("corrected {ours}")) && !printed.contains(&other), "{printed}");
    assert_eq!(status(&empty, &ours), (url.clone(), "enabled".to_owned()));

    // Two that differ by a slash: one is kept, the other is named and can be disabled.
    let twin = empty.endpoint("https://pay.example.com/billing/webhook/");
    let printed = empty.set_up(&[]);
    assert!(
        printed.contains(&format!("{ours} is there")) && printed.contains(&format!("--disable {twin}")),
        "{printed}"
    );
    assert!(empty.set_up(&["--disable", &twin, "--dry-run"]).contains(&format!("{twin} ({url}/) would be disabled")));
    assert_eq!(status(&empty, &twin).1, "enabled");
    assert!(empty.set_up(&["--disable", &twin]).contains(&format!("{twin} ({url}/) is disabled now")));
    assert_eq!((status(&empty, &ours).1, status(&empty, &twin).1), ("enabled".to_owned(), "disabled".to_owned()));

    // The base URL changes.
    empty.variables.insert("SPRITE_BASE_URL".to_owned(), "https://new.example.com".to_owned());
    let printed = empty.set_up(&[]);
    assert!(printed.contains(&format!("{ours} leads to {url}. If that is an earlier address")), "{printed}");
    assert!(printed.contains("for https://new.example.com/billing/webhook"), "{printed}");
    empty.set_up(&["--disable", &ours]);
    assert_eq!((status(&empty, &ours).1, empty.list("/v1/webhook_endpoints").len()), ("disabled".to_owned(), 4));
    let output = process::run(&empty.variables, &["stripe", "setup", "--disable", "we_none"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_was_made_before_a_failure_is_printed_with_stripes_reason() {
    let mut empty = EmptyStripe::open();
    let permissions = NEEDED.iter().map(|permission| permission.slug).chain(["rak_product_write", "rak_plan_write"]);
    let permissions = permissions.collect::<Vec<_>>().join(",");
    let fields = [("key", "rk_test_setup"), ("permissions", permissions.as_str())];
    Client::browser(&empty.stripe.url()).post_form("/control/keys", &fields).must(303);
    let secret = empty.variables.insert("SPRITE_STRIPE_SECRET_KEY".to_owned(), "rk_test_setup".to_owned()).unwrap();
    let output = process::run(&empty.variables, &["stripe", "setup"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("lacks a permission: rak_webhook_write"), "{said}");
    let prices = printed_prices(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(prices.len(), 4);
    // The next run goes on from there.
    empty.variables.insert("SPRITE_STRIPE_SECRET_KEY".to_owned(), secret);
    let printed = empty.set_up(&[]);
    assert!(printed_prices(&printed) == prices && printed.contains("SPRITE_STRIPE_WEBHOOK_SECRET=whsec_"), "{printed}");
}

#[test]
fn the_permissions_of_a_restricted_key_are_printed() {
    let empty = EmptyStripe::open();
    let printed = process::run(&empty.variables, &["stripe", "permissions"]);
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.contains("Checkout Sessions    Write") && text.contains("/test/apikeys/create"), "{text}");
    let printed = process::run(&empty.variables, &["stripe", "permissions", "--json"]);
    let all: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert!(all["data"].as_array().unwrap().iter().any(|row| row["slug"] == "rak_plan_read"), "{all}");
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
    assert_eq!(check_of_the_portal(&shop), (true, format!("{id} has the plans on sale")));

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
    // The description at hand is cut to the calls that are near to us; it leaves these out.
    let unknown = ["/v1/credit_notes", "/v1/subscription_schedules"];
    for asked in recorder.asked().iter().filter(|asked| !unknown.contains(&asked.path.as_str())) {
        assert_eq!(api.check_request(&asked.method, &asked.path, &asked.form), Ok(()), "{:?}", asked.form);
    }
}

#[test]
fn what_is_made_at_stripe_carries_the_shops_name() {
    let shop = Shop::open();
    let unnamed = set_up(&shop, &[]).0;
    let id = portals(&shop)[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (unnamed, &portals(&shop)[0]["business_profile"]["headline"]),
        (format!("made the configuration {id}"), &Value::Null)
    );
    let folder = Folder::new();
    let catalog = folder.path("catalog.toml");
    let named = "[shop]\nname = \"Fox Pictures\"\nterms_url = \"https://example.com/terms\"\nprivacy_url = \"http://example.com/\"\n\
        [[plan]]\nkey = \"gold\"\namount = 3900\nunits = 500\n";
    std::fs::write(&catalog, format!("currency = \"usd\"\n{named}")).unwrap();
    let changed = ["--catalog", catalog.to_str().unwrap()];
    assert_eq!(set_up(&shop, &changed).0, format!("brought the plans of {id} up to date"));
    let expected = json!({"headline": "Fox Pictures", "privacy_policy_url": null, "terms_of_service_url": "https://example.com/terms"});
    assert_eq!(portals(&shop)[0]["business_profile"], expected);
    assert_eq!(shop.ask_stripe("GET", "/v1/products/till_gold")["name"], "Fox Pictures: Gold");
    // Another name alone is brought there too; without one, what stands at Stripe stays.
    std::fs::write(&catalog, format!("currency = \"usd\"\n{}", named.replace("Fox", "Vixen"))).unwrap();
    assert_eq!(set_up(&shop, &changed).0, format!("brought the plans of {id} up to date"));
    assert_eq!(portals(&shop)[0]["business_profile"]["headline"], "Vixen Pictures");
    std::fs::write(&catalog, "currency = \"usd\"\n[[plan]]\nkey = \"gold\"\namount = 3900\nunits = 500\n").unwrap();
    assert_eq!(set_up(&shop, &changed).0, format!("the configuration {id} is there"));
    assert_eq!(portals(&shop)[0]["business_profile"]["headline"], "Vixen Pictures");
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
