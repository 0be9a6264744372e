//! `till import`: users of an earlier backend, all of a file or nothing of it, and once for ever.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use till::clock::Deadline;

use crate::harness::process::{parsed, prints, said};
use crate::harness::webhook::{event, now};
use crate::harness::{Client, Disk, Folder, Shop, is_about_a_file, process, shop, wait};

const HEADER: &str = "id,email,name,units_total,units_remaining,plan,stripe_customer_id\n";

fn variables(folder: &Folder) -> BTreeMap<String, String> {
    let mut variables = shop::variables(folder, "http://127.0.0.1:1");
    variables.retain(|name, _| !name.starts_with("SPRITE_STRIPE"));
    variables
}

fn import(variables: &BTreeMap<String, String>, folder: &Folder, text: &str, more: &[&str]) -> (Output, Value) {
    let path = folder.path("users.csv");
    fs::write(&path, text).unwrap();
    let output = process::run(variables, &[&["import", path.to_str().unwrap(), "--json"], more].concat());
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output, report)
}

fn remaining(variables: &BTreeMap<String, String>, user: &str) -> i64 {
    parsed(variables, &["user", "show", user])["units"]["remaining"].as_i64().unwrap()
}

fn users(variables: &BTreeMap<String, String>) -> usize {
    parsed(variables, &["user", "list", "--limit", "1000"])["data"].as_array().unwrap().len()
}

#[test]
fn a_second_import_changes_nothing_and_a_changed_balance_is_reported() {
    let folder = Folder::new();
    let variables = variables(&folder);
    let text = format!(
        "{HEADER}alice,a@example.org,\"Alice, A.\",100,40,starter,cus_a\nbob,,,5,0,gold,\ncarol,,,0,-7,free,\n"
    );
    let (output, tried) = import(&variables, &folder, &text, &["--dry-run"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!((&tried["users_added"], &tried["entries"]), (&json!(3), &json!(2)), "{tried}");
    let refused = crate::harness::process::run(&variables, &["user", "list"]);
    assert!(said(&refused).contains("there is no database"), "a dry run made one: {}", said(&refused));
    let (output, done) = import(&variables, &folder, &text, &[]);
    assert!(output.status.success(), "{}", said(&output));
    for (field, value) in [
        ("rows", json!(3)),
        ("users_added", json!(3)),
        ("entries", json!(2)),
        ("units", json!(33)),
        ("units_total", json!(105)),
        ("units_remaining", json!(33)),
        ("unknown_plans", json!({"gold": 1})),
        ("customers_tied", json!(1)),
        ("customers_unread", json!(1)),
        ("changed_nothing", json!(false)),
    ] {
        assert_eq!(done[field], value, "{field}: {done}");
    }
    let alice = parsed(&variables, &["user", "show", "alice"]);
    assert_eq!((&alice["name"], &alice["email"]), (&json!("Alice, A."), &json!("a@example.org")));
    let balances = || ["alice", "bob", "carol"].map(|user| remaining(&variables, user));
    assert_eq!(balances(), [40, 0, -7]);
    let again = import(&variables, &folder, &text, &[]).1;
    assert_eq!((&again["changed_nothing"], &again["imported_before"]), (&json!(true), &json!(3)), "{again}");
    // Other balances, also one that was zero, are reported and not applied.
    let changed = text.replace("100,40", "100,50").replace("5,0", "5,5");
    let reported = import(&variables, &folder, &changed, &[]).1;
    let row = |line: i64, id: &str, imported: i64, in_file: i64| json!({"line": line, "id": id, "imported": imported, "in_file": in_file});
    assert_eq!(reported["changed"], json!([row(2, "alice", 40, 50), row(3, "bob", 0, 5)]));
    assert_eq!(balances(), [40, 0, -7]);
    assert_eq!(parsed(&variables, &["ledger", "verify"])["entries"], 2);
    let audit = parsed(&variables, &["audit", "list"]).to_string();
    assert_eq!((audit.matches("user_imported").count(), audit.matches("customer_imported").count()), (3, 1));
}

#[test]
fn no_text_of_the_list_is_a_formula_and_an_import_takes_the_mark_off_again() {
    let folder = Folder::new();
    let mut variables = variables(&folder);
    let people: Vec<(String, String, String)> = ["=", "+", "-", "@", "'", ""]
        .into_iter()
        .enumerate()
        .map(|(number, sign)| {
            let id = if "-@".contains(sign) { format!("{sign}user-{number}") } else { format!("user-{number}") };
            (id, format!("{sign}user@example.org"), format!("{sign}HYPERLINK(\"x\")"))
        })
        .collect();
    for (id, email, name) in &people {
        let added = ["user", "add", &format!("--email={email}"), &format!("--name={name}"), "--", id];
        prints(&variables, &added);
    }
    let written = prints(&variables, &["user", "list", "--csv"]);
    let mut reader = csv::Reader::from_reader(written.as_bytes());
    for row in reader.records() {
        let row = row.unwrap();
        let is_formula = |text: &str| text.starts_with(['=', '+', '-', '@']);
        assert!(!row.iter().any(is_formula), "{row:?}");
    }
    let there = |variables: &BTreeMap<String, String>| -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let listed = parsed(variables, &["user", "list", "--limit", "1000"]);
        let rows = listed["data"].as_array().unwrap().clone();
        rows.iter().map(|row| (text(&row["id"]), text(&row["email"]), text(&row["name"]))).collect()
    };
    let before = there(&variables);
    assert!(people.iter().all(|person| before.contains(person)), "{before:?}");
    variables.insert("SPRITE_DATABASE".to_owned(), folder.path("other.db").display().to_string());
    let (output, _) = import(&variables, &folder, &written, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(there(&variables), before);
    assert_eq!(prints(&variables, &["user", "list", "--csv"]), written);
}

#[test]
fn a_bad_line_is_named_and_nothing_is_imported() {
    let folder = Folder::new();
    let variables = variables(&folder);
    let good = "alice,,,5,5,,cus_a\n";
    for (text, line, words) in [
        (format!("{HEADER}{good}b b,,,1,1,,\n"), 3, "is no user id"),
        (format!("{HEADER}{good}bob,,,1,2,,\n"), 3, "units_remaining"),
        (format!("{HEADER}{good}alice,,,5,5,,\n"), 3, "is on line 2 already"),
        (format!("{HEADER}{good}bob,,,5,5,,cus_a\n"), 3, "is on line 2 already"),
        (format!("password,{HEADER}x,{good}"), 1, "password"),
        ("id,units_total\nalice,1\n".to_owned(), 1, "units_remaining"),
        (String::new(), 1, "a header was expected"),
    ] {
        let (output, report) = import(&variables, &folder, &text, &[]);
        assert_eq!(output.status.code(), Some(1), "{text}");
        let bad = &report["bad_lines"][0];
        assert!(bad["line"] == line && bad["what"].as_str().unwrap().contains(words), "{report}");
        assert!(!folder.path("till.db").exists(), "no database is made for it");
    }
    assert_eq!(process::run(&variables, &["import", "absent.csv"]).status.code(), Some(1));
    // A customer of another user is found in the books.
    assert!(import(&variables, &folder, &format!("{HEADER}{good}"), &[]).0.status.success());
    let (output, report) = import(&variables, &folder, &format!("{HEADER}dora,,,1,1,,\nbob,,,1,1,,cus_a\n"), &[]);
    assert_eq!((output.status.code(), &report["bad_lines"][0]["line"]), (Some(1), &json!(3)), "{report}");
    assert_eq!(users(&variables), 1);
}

#[test]
fn a_subscription_of_the_earlier_backend_goes_on_and_what_was_paid_before_is_not_credited_again() {
    let shop = Shop::open();
    // Somebody subscribed by a payment link: to till an unknown customer.
    let form = [("line_items[0][price]", "price_starter"), ("line_items[0][quantity]", "1")];
    let at_stripe = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let link = at_stripe.post_form("/v1/payment_links", &form).must(200).json();
    let opened = Client::browser(&shop.stripe.url()).get(link["url"].as_str().unwrap()).must(303);
    shop.pay(opened.header("location"), &[("card", shop::GOOD_CARD)]).must(303);
    let subscription = shop.ask_stripe("GET", "/v1/subscriptions?limit=1")["data"][0].clone();
    let customer = subscription["customer"].as_str().unwrap().to_owned();
    let folder = Folder::new();
    let text = format!("{HEADER}alice,,,300,40,starter,{customer}\nbob,,,1,1,,cus_nobody\n");
    let (output, report) = import(shop.variables(), &folder, &text, &[]);
    // One customer could not be read: that is said, and the rest is done.
    assert_eq!((output.status.code(), &report["customers_read"]), (Some(1), &json!(1)), "{report}");
    assert_eq!((&report["failed"][0]["customer"], &report["customers_unread"]), (&json!("cus_nobody"), &json!(1)));
    shop.wait_for_status("alice", "active");
    shop.till(&["reconcile"]);
    assert_eq!((shop.remaining("alice"), shop.remaining("bob")), (40, 1), "what was paid is in the balance");
    let again = import(shop.variables(), &folder, &text, &[]).1;
    assert_eq!((&again["customers_read"], &again["changed_nothing"]), (&json!(0), &json!(true)), "{again}");
    // The renewal is credited.
    shop.stripe_control("clock/advance", &[("by", "month"), ("times", "1")]);
    shop.wait_for_units("alice", 140);
    shop.verify_books();
}

#[test]
fn a_checkout_that_was_under_way_at_the_import_is_credited_when_it_is_paid_and_one_that_was_paid_is_not() {
    let shop = Shop::open();
    let path = shop.file("users.csv");
    fs::write(&path, format!("{HEADER}alice,,,40,40,,\n")).unwrap();
    let before = now().seconds();
    shop.till_prints(&["import", path.to_str().unwrap()]);
    let row = json!({"id": "li_1", "price": {"id": "price_topup_100"}, "quantity": 1});
    // The earlier backend made them, with metadata of the same names.
    let told = |id: &str, paid_at: i64| {
        let session = json!({"id": id, "object": "checkout.session", "mode": "payment", "status": "complete",
            "payment_status": "paid", "amount_total": 900, "currency": "usd", "created": before - 1800,
            "payment_intent": format!("pi_{id}"), "metadata": {"user_id": "alice", "plan": "topup_100"},
            "line_items": {"object": "list", "has_more": false, "data": [row]}});
        let mut told = event("checkout.session.completed", &session);
        told["created"] = json!(paid_at);
        shop.webhook(&told).must(200);
        shop.remaining("alice")
    };
    assert_eq!(told("cs_test_earlier", before - 900), 40, "its balance has it");
    assert_eq!(told("cs_test_late", now().seconds()), 140, "nobody else credits it, also right after the import");
    // What does not say when it was paid, as a row of a list does not, waits for what says it.
    let unmatched =
        || serde_json::from_str::<Value>(&shop.till_prints(&["event", "list", "--status", "unmatched", "--json"]));
    assert_eq!(told("cs_test_listed", before - 1800), 140);
    assert_eq!(unmatched().unwrap()["data"].as_array().unwrap().len(), 1);
    assert_eq!(told("cs_test_listed", before - 900), 140, "its balance has it");
    assert_eq!(unmatched().unwrap()["data"], json!([]), "and nobody need look at it");
    shop.verify_books();
}

#[test]
fn an_import_that_is_killed_leaves_all_or_nothing() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let mut variables = variables(&folder);
    let mut text = HEADER.to_owned();
    for number in 0..400 {
        writeln!(text, "user-{number},,,10,10,,").unwrap();
    }
    fs::write(folder.path("users.csv"), &text).unwrap();
    let path = folder.path("users.csv").display().to_string();
    // Killed while the database is made, when it has opened one that is there, and while it writes what it has to.
    for (name, is_there, bytes) in [("new.db", false, 0), ("opened.db", true, 0), ("written.db", true, 64 << 10)] {
        let database = folder.path(name);
        variables.insert("SPRITE_DATABASE".to_owned(), database.display().to_string());
        let before = usize::from(is_there);
        if is_there {
            prints(&variables, &["user", "add", "somebody"]);
        }
        let mut command = process::command(&variables);
        let mut child = command.args(["import", &path]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Deadline::after(wait::PATIENCE);
        let log = folder.path(&format!("{name}-wal"));
        while !log.metadata().is_ok_and(|log| log.len() >= bytes) && child.try_wait().unwrap().is_none() {
            assert!(!deadline.left().is_zero(), "{name}: no log");
        }
        let _ended_already = child.kill();
        child.wait().unwrap();
        let left = users(&variables);
        assert!(left == before || left == before + 400, "{name}: {left}");
        parsed(&variables, &["ledger", "verify"]);
        assert!(import(&variables, &folder, &text, &[]).0.status.success());
        let entries = parsed(&variables, &["ledger", "verify"])["entries"].clone();
        assert_eq!((users(&variables), entries), (before + 400, json!(400)), "{name}");
    }
}

#[test]
fn a_disk_that_is_full_at_any_step_imports_nothing() {
    if is_about_a_file() {
        return;
    }
    let Some(disk) = Disk::mount("size=8m") else { return };
    let folder = Folder::new();
    let mut variables = variables(&folder);
    variables.insert("SPRITE_DATABASE".to_owned(), disk.path("till.db").display().to_string());
    prints(&variables, &["user", "add", "somebody"]);
    let rows: String = (0..400).map(|number| format!("user-{number},,,10,10,,\n")).collect();
    let text = format!("{HEADER}{rows}");
    for room in [0, 4 << 10, 64 << 10, 128 << 10] {
        let filling = disk.fill_but(room);
        let output = import(&variables, &folder, &text, &[]).0;
        let words = said(&output);
        let is_said = words.contains("the disk is full") || words.contains("nothing was changed");
        assert!(output.status.code() == Some(1) && is_said, "{room}: {words}");
        drop(filling);
        assert_eq!(users(&variables), 1, "{room}");
    }
    assert!(import(&variables, &folder, &text, &[]).0.status.success());
    assert_eq!((users(&variables), parsed(&variables, &["ledger", "verify"])["entries"].clone()), (401, json!(400)));
}
