//! A database belongs to one Stripe account and mode; `till go-live` leads from test mode to live mode.

use std::collections::BTreeMap;
use std::process::Output;

use serde_json::Value;

use crate::harness::postgres::{self, Postgres, name_in};
use crate::harness::process::{parsed, prints};
use crate::harness::shop::{self, GOOD_CARD};
use crate::harness::{Client, Folder, Hand, Recorder, Shop, canned, is_about_a_file, left_out, process, webhook};

const MISSING: &str =
    r#"{"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such object"}}"#;

/// A Stripe that knows only the account of the key, and no customer.
fn stripe_of(account: &str) -> String {
    let account = format!(r#"{{"id": "{account}", "object": "account", "charges_enabled": true}}"#);
    canned::start(vec![("/v1/account", "200 OK", account), ("/", "404 Not Found", MISSING.to_owned())])
}

/// A Stripe for which the key is restricted, and that names the account when it refuses, or does not.
fn stripe_that_refuses(account: &str) -> String {
    let body = format!(r#"{{"error": {{"message": "The key does not have the required permissions{account}."}}}}"#);
    canned::start(vec![("/v1/account", "403 Forbidden", body), ("/", "404 Not Found", MISSING.to_owned())])
}

fn with(variables: &BTreeMap<String, String>, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut variables = variables.clone();
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    variables
}

/// What a command that must be refused says.
#[track_caller]
fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

/// The database of a shop in test mode in which alice bought a pack; the shop is closed.
fn closed_shop(folder: &Folder) -> BTreeMap<String, String> {
    closed_shop_at(folder, &folder.database("shop.db"))
}

fn closed_shop_at(folder: &Folder, database: &str) -> BTreeMap<String, String> {
    let shop = Shop::open_with(&[("SPRITE_DATABASE", database)]);
    shop.user("alice");
    let checkout = shop.checkout("alice", "topup_100").1;
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    shop.till_prints(&["user", "low-balance", "alice", "25"]);
    with(&shop::variables(folder, &shop.stripe.url()), &[("SPRITE_DATABASE", database)])
}

#[test]
fn a_key_of_another_account_or_mode_is_refused_with_the_way_out() {
    let folder = Folder::new();
    let variables = closed_shop(&folder);
    let live = stripe_of("acct_1Sandbox0000000");
    let live = with(&variables, &[("SPRITE_STRIPE_API_BASE", &live), ("SPRITE_STRIPE_SECRET_KEY", "sk_live_1")]);
    let other = stripe_of("acct_2Other");
    let other = with(&variables, &[("SPRITE_STRIPE_API_BASE", &other)]);
    let restricted = stripe_that_refuses(" for this endpoint on account 'acct_2Other'");
    let restricted =
        with(&variables, &[("SPRITE_STRIPE_API_BASE", &restricted), ("SPRITE_STRIPE_SECRET_KEY", "rk_test_1")]);
    let silent = stripe_that_refuses("");
    let silent = with(&variables, &[("SPRITE_STRIPE_API_BASE", &silent), ("SPRITE_STRIPE_SECRET_KEY", "rk_test_1")]);
    for (variables, words) in [
        (&live, ["belongs to test mode of acct_1Sandbox0000000", "till go-live"]),
        (&other, ["is a key of acct_2Other", "Set a key of acct_1Sandbox0000000"]),
        (&restricted, ["is a key of acct_2Other", "Set a key of acct_1Sandbox0000000"]),
        (&silent, ["knows none of the customers", "such as cus_"]),
    ] {
        for command in [&["serve"][..], &["reconcile"], &["event", "replay", "evt_1"]] {
            let said = refused(&process::run(variables, command));
            assert!(words.iter().all(|words| said.contains(words)), "{command:?}: {said}");
        }
        let checked = process::run(variables, &["check", "--json"]);
        let found: Value = serde_json::from_slice(&checked.stdout).unwrap();
        let rows = found["data"].as_array().unwrap();
        let account = rows.iter().find(|row| row["what"] == "Stripe account").unwrap();
        assert_eq!((account["is_good"].as_bool(), checked.status.code()), (Some(false), Some(1)), "{found}");
        assert!(words.iter().all(|words| account["detail"].as_str().unwrap().contains(words)), "{account}");
    }
}

#[test]
fn a_database_that_stripe_never_spoke_to_takes_the_first_key_and_starts_without_stripe() {
    let folder = Folder::new();
    let away = shop::variables(&folder, "http://127.0.0.1:9");
    drop(process::Till::start(&away));
    let first = stripe_of("acct_1First");
    let first = with(&away, &[("SPRITE_STRIPE_API_BASE", &first)]);
    drop(process::Till::start(&first));
    drop(process::Till::start(&away));
    let said = refused(&process::run(&with(&away, &[("SPRITE_STRIPE_SECRET_KEY", "sk_live_1")]), &["serve"]));
    assert!(said.contains("belongs to test mode of acct_1First"), "{said}");
}

#[test]
fn stripe_that_was_away_at_the_start_is_asked_later_and_another_account_gets_nothing() {
    let folder = Folder::new();
    let variables = shop::variables(&folder, &stripe_of("acct_1First"));
    drop(process::Till::start(&variables));
    let recorder = Recorder::start();
    let till = process::Till::start(&with(&variables, &[("SPRITE_STRIPE_API_BASE", &recorder.url)]));
    let event = r#"{"id":"evt_1","type":"plan.created","created":1,"livemode":false,"data":{"object":{"id":"x_1"}}}"#;
    let send = || {
        let signature = webhook::signature(shop::WEBHOOK_SECRET, event.as_bytes(), webhook::now());
        let headers = [("stripe-signature", signature.as_str())];
        Client::new(&till.url, &[]).send("POST", "/billing/webhook", &headers, event.as_bytes())
    };
    send().must(200);
    recorder.lead_to(&stripe_of("acct_2Other"));
    let said = till.wait_for_log("the refusal", |line| line["event"] == "stripe_account_refused");
    assert!(said["reason"].as_str().unwrap().contains("is a key of acct_2Other"), "{said}");
    send().must(500);
}

/// Stripe cannot be asked, and its webhooks arrive.
#[test]
fn what_webhooks_brought_before_stripe_could_be_asked_is_of_their_mode() {
    let folder = Folder::new();
    let away = shop::variables(&folder, "http://127.0.0.1:9");
    prints(&away, &["user", "add", "alice"]);
    let till = process::Till::start(&away);
    let period = |seconds: i64| webhook::now().seconds() + seconds;
    let item = serde_json::json!({ "id": "si_1", "price": { "id": "price_starter", "object": "price" }, "quantity": 1,
        "current_period_start": period(0), "current_period_end": period(86_400) });
    let subscription = serde_json::json!({ "id": "sub_1", "object": "subscription", "status": "active", "customer": "cus_1",
        "items": { "object": "list", "data": [item], "has_more": false }, "metadata": { "user_id": "alice" },
        "created": period(0), "livemode": false });
    let event = webhook::event("customer.subscription.created", &subscription).to_string();
    let signature = webhook::signature(shop::WEBHOOK_SECRET, event.as_bytes(), webhook::now());
    let headers = [("stripe-signature", signature.as_str())];
    Client::new(&till.url, &[]).send("POST", "/billing/webhook", &headers, event.as_bytes()).must(200);
    drop(till);
    assert_eq!(parsed(&away, &["event", "list"])["data"][0]["status"], "applied");

    let live = stripe_of("acct_9Live");
    let live = with(&away, &[("SPRITE_STRIPE_API_BASE", &live), ("SPRITE_STRIPE_SECRET_KEY", "sk_live_1")]);
    let said = refused(&process::run(&live, &["serve"]));
    assert!(said.contains("belongs to test mode,") && said.contains("till go-live"), "{said}");
    assert!(parsed(&live, &["go-live"])["set_apart"].is_string());
    assert_eq!(parsed(&live, &["user", "show", "alice"])["subscription"], Value::Null);
    drop(process::Till::start(&live));
}

#[test]
fn going_live_sets_the_test_data_apart_and_keeps_people_and_access() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let variables = closed_shop(&folder);
    let said = refused(&process::run(&variables, &["go-live"]));
    assert!(said.contains("is a test mode key: set the live key"), "{said}");

    let live = stripe_of("acct_9Live");
    let live = with(&variables, &[("SPRITE_STRIPE_API_BASE", &live), ("SPRITE_STRIPE_SECRET_KEY", "sk_live_1")]);
    let before = std::fs::read(folder.path("shop.db")).unwrap();
    let dry = parsed(&live, &["go-live", "--dry-run"]);
    let counted = [&dry["users"], &dry["units"], &dry["payments"]].map(Value::as_i64);
    assert_eq!((&dry["dry_run"], counted), (&true.into(), [Some(1), Some(100), Some(1)]));
    assert!(!std::path::Path::new(dry["set_apart"].as_str().unwrap()).exists(), "{dry}");
    assert_eq!(std::fs::read(folder.path("shop.db")).unwrap(), before, "a dry run changes nothing");

    let tokens = prints(&live, &["token", "list"]);
    let done = parsed(&live, &["go-live"]);
    assert_eq!((&done["account"], &done["was_live"]), (&"acct_9Live".into(), &false.into()));
    let aside = done["set_apart"].as_str().unwrap().to_owned();
    let again = parsed(&live, &["go-live"]);
    assert_eq!((&again["was_live"], &again["set_apart"]), (&true.into(), &Value::Null), "once");

    // The people and the token are there, without a unit; nothing of test mode is.
    let user = parsed(&live, &["user", "show", "alice"]);
    assert_eq!((&user["units"]["total"], &user["units"]["available"]), (&0.into(), &0.into()), "{user}");
    assert_eq!(parsed(&live, &["event", "list"])["data"], Value::Array(vec![]));
    assert_eq!(prints(&live, &["token", "list"]), tokens);
    let audit = &parsed(&live, &["audit", "list", "--limit", "1"])["data"][0];
    assert_eq!(["actor", "action", "target"].map(|field| &audit[field]), ["cli", "went_live", "acct_9Live"], "{audit}");
    prints(&live, &["ledger", "verify"]);
    prints(&live, &["user", "grant", "alice", "5", "--note", "hello"]);

    // What was set apart is whole, and belongs to test mode.
    let apart = with(&live, &[("SPRITE_DATABASE", &aside)]);
    prints(&apart, &["ledger", "verify"]);
    assert_eq!(parsed(&apart, &["user", "show", "alice"])["units"]["total"], 100);
    assert!(refused(&process::run(&apart, &["serve"])).contains("belongs to test mode"));
    drop(process::Till::start(&live));
    let said = refused(&process::run(&variables, &["serve"]));
    assert!(said.contains("belongs to live mode of acct_9Live") && said.contains("Set the live key"), "{said}");
}

#[test]
fn going_live_on_a_server_moves_the_test_data_into_a_schema_of_its_own() {
    if !postgres::is_installed() {
        return left_out("going live on PostgreSQL: no Debian package postgresql on this machine");
    }
    let (folder, name) = (Folder::new(), "going_live");
    let url = Postgres::get().database(name);
    let database = name_in(&url);
    let variables = closed_shop_at(&folder, &url);
    let live = stripe_of("acct_9Live");
    let live = with(&variables, &[("SPRITE_STRIPE_API_BASE", &live), ("SPRITE_STRIPE_SECRET_KEY", "sk_live_1")]);
    let hand = Hand::open(&variables["SPRITE_DATABASE"]);
    let before = hand.rows("SELECT * FROM books ORDER BY account, part, seq, used_reason");
    let tokens = prints(&live, &["token", "list"]);
    let plan = parsed(&live, &["go-live", "--dry-run"]);
    assert_eq!(hand.rows("SELECT * FROM books ORDER BY account, part, seq, used_reason"), before, "{plan}");

    // Without the right to make a schema nothing happens.
    let admin = &mut Postgres::get().connect("postgres", database);
    let taken = format!("ALTER DATABASE {database} OWNER TO postgres; GRANT ALL ON SCHEMA public TO till");
    admin.batch_execute(&taken).unwrap();
    let said = process::said(&process::run(&live, &["go-live"]));
    assert!(said.contains("the right CREATE on the database"), "{said}");
    admin.batch_execute(&format!("ALTER DATABASE {database} OWNER TO till")).unwrap();

    let done = parsed(&live, &["go-live"]);
    let schema = done["set_apart"].as_str().unwrap().strip_prefix("the schema ").unwrap().to_owned();
    assert!(schema.starts_with("test_2") && done["payments"] == 1, "{done}");
    let apart = hand.rows(&format!("SELECT * FROM {schema}.books ORDER BY account, part, seq, used_reason"));
    assert_eq!(apart, before, "what was set apart is whole");
    let changed = hand.attempt(&format!("DELETE FROM {schema}.books")).unwrap_err();
    assert!(changed.contains("never removed"), "{changed}");
    assert_eq!(parsed(&live, &["go-live"])["set_apart"], Value::Null, "once");
    let user = parsed(&live, &["user", "show", "alice"]);
    assert_eq!((&user["units"]["total"], &user["units"]["available"]), (&0.into(), &0.into()), "{user}");
    assert_eq!(prints(&live, &["token", "list"]), tokens);
    let audit = &parsed(&live, &["audit", "list", "--limit", "1"])["data"][0];
    assert_eq!(["action", "target"].map(|field| &audit[field]), ["went_live", "acct_9Live"], "{audit}");
    assert!(audit["detail"].as_str().unwrap().contains(&schema), "{audit}");
    prints(&live, &["ledger", "verify"]);
    prints(&live, &["user", "grant", "alice", "5", "--note", "hello"]);
    prints(&live, &["ledger", "verify"]);
    drop(process::Till::start(&live));
    Postgres::get().take_back(name);
}

#[test]
fn going_live_needs_a_key_that_stripe_takes_and_a_till_that_stands_still() {
    let folder = Folder::new();
    let variables = closed_shop(&folder);
    let keys = [("SPRITE_STRIPE_SECRET_KEY", "sk_live_1")];
    let refuses = canned::start(vec![("/", "401 Unauthorized", "{}".to_owned())]);
    for stripe in [refuses.as_str(), "http://127.0.0.1:9"] {
        let live = with(&with(&variables, &keys), &[("SPRITE_STRIPE_API_BASE", stripe)]);
        assert_eq!(process::run(&live, &["go-live"]).status.code(), Some(1));
    }
    let live = stripe_of("acct_9Live");
    let live = with(&with(&variables, &keys), &[("SPRITE_STRIPE_API_BASE", &live)]);
    let till = process::Till::start(&with(&variables, &[("SPRITE_STRIPE_API_BASE", "http://127.0.0.1:9")]));
    let output = process::run(&live, &["go-live"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("is in use by till serve"), "{said}");
    drop(till);
    let beside = std::fs::read_dir(folder.path("")).unwrap().map(|file| file.unwrap().file_name());
    let beside: Vec<String> = beside.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(!beside.iter().any(|name| name.contains("-test-")), "nothing was set apart: {beside:?}");
}
