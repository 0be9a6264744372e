//! The database cannot be written to for a while: callers are told to come back, Stripe to send again, whoever only
//! reads is served, and when it is over all is as if nothing had been.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;
use till::clock::Deadline;

use crate::harness::shop::{GOOD_CARD, variables};
use crate::harness::{Answer, Client, Disk, Shop, eventually, is_about_a_file, process};

/// Callers at once while nothing can be written.
const CALLERS: usize = 20;

/// A story in which the database fails between a payment and its webhook. What `fail` answers is undone by being dropped.
fn a_purchase_while<T>(shop: &Shop, fail: impl FnOnce(&Shop) -> T) {
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let checkout = shop.press_buy(&browser, "topup_100");
    shop.stripe_control("webhooks/hold", &[]);
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);

    let failure = fail(shop);
    refuses_writes_and_serves_reads(shop, &browser);
    shop.stripe_control("webhooks/release", &[]);
    let delivery = eventually("a webhook that is told to come again", || {
        let mut deliveries = shop.deliveries().into_iter();
        deliveries.find(|row| row["last"].as_str().is_some_and(|last| last.contains("500")))
    });
    drop(failure);

    // By itself: nobody restarts anything.
    eventually("readiness", || (Client::new(&shop.till.url, &[]).get("/readyz").status == 200).then_some(()));
    shop.wait_for_units("alice", 100);
    shop.stripe_control(&format!("events/{}/resend", delivery["event"].as_str().unwrap()), &[("times", "2")]);
    let grant = json!({"units": 5, "note": "for the trouble"});
    shop.api.call_once("/v1/users/alice/grants", "grant-1", &grant).must(201);
    eventually("all webhooks delivered", || {
        shop.deliveries().iter().all(|row| row["progress"] == "delivered").then_some(())
    });
    let reasons: Vec<i64> = shop.ledger("alice").iter().map(|(_, delta, _)| *delta).collect();
    assert_eq!(reasons, [5, 100]);
    shop.till_prints(&["ledger", "verify"]);
}

fn refuses_writes_and_serves_reads(shop: &Shop, browser: &Client) {
    let unavailable = |answer: Answer| {
        assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"), "{}", answer.body);
        assert_eq!(answer.header("retry-after"), "1");
        assert!(answer.json()["detail"].as_str().unwrap().contains("ry again"), "{}", answer.body);
    };
    let grant = json!({"units": 5, "note": "for the trouble"});
    let started = Deadline::after(Duration::ZERO);
    thread::scope(|scope| {
        for number in 0..CALLERS {
            scope.spawn(move || unavailable(shop.api.call("PUT", &format!("/v1/users/new-{number}"), &json!({}))));
        }
        scope.spawn(|| unavailable(shop.api.call_once("/v1/users/alice/grants", "grant-1", &grant)));
        scope.spawn(|| unavailable(shop.api.call("PUT", "/v1/users/bob", &json!({}))));
        scope.spawn(|| unavailable(Client::new(&shop.till.url, &[]).get("/readyz")));
        scope.spawn(|| {
            let dashboard = browser.get("/dashboard").must(200);
            let refused = browser.press(&dashboard, "/billing/checkout?plan=topup_250").must(503);
            assert_eq!(refused.header("retry-after"), "1");
            assert!(refused.body.contains("ry again"), "{}", refused.body);
        });
    });
    // Callers that try again do not fill the disk with lines.
    let lines = shop.till.log().matches("\"store_unavailable\"").count();
    assert!(lines > 0 && lines as u64 <= started.elapsed().as_secs() + 2, "{lines} lines in {:?}", started.elapsed());
    assert_eq!(shop.remaining("alice"), 0);
    browser.get("/dashboard").must(200);
    Client::new(&shop.till.url, &[]).get("/healthz").must(200);
    shop.till_prints(&["user", "show", "alice"]);
    shop.till_prints(&["ledger", "verify"]);
}

#[test]
fn a_database_that_another_process_holds() {
    if is_about_a_file() {
        return;
    }
    let shop = Shop::open();
    a_purchase_while(&shop, |shop| {
        let hand = shop.hand();
        hand.run("BEGIN EXCLUSIVE");
        hand
    });
}

#[test]
fn nothing_is_acknowledged_that_lands_in_a_file_without_its_name() {
    if is_about_a_file() {
        return;
    }
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", 10);
    let (database, aside) = (shop.database(), shop.database().with_file_name("aside"));
    let log = PathBuf::from(format!("{}-wal", database.display()));
    let spend = |key: &str| shop.api.call_once("/v1/users/alice/spends", key, &json!({"units": 1}));
    let ready = || Client::new(&shop.till.url, &[]).get("/readyz").status;
    let is_refused = |what: &str| {
        let refused = spend(what);
        assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"), "{what}: {}", refused.body);
        assert_eq!(shop.api.call("PUT", "/v1/users/bob", &json!({})).status, 503, "{what}");
        eventually("no readiness", || (ready() == 503).then_some(()));
        assert_eq!(shop.remaining("alice"), 10, "{what}: reads go on");
    };
    for moved in [&database, &log] {
        // Moved away, or removed.
        fs::rename(moved, &aside).unwrap();
        is_refused("moved");
        let name = moved.display().to_string();
        let line = shop
            .till
            .wait_for_log("the line", |line| line["event"] == "database_replaced" && line["path"] == name.as_str());
        assert!(line["level"] == "ERROR" && line["advice"].as_str().unwrap().contains("restore"), "{line}");
        // Another file at the path, even an equal one, is another file.
        fs::copy(&aside, moved).unwrap();
        is_refused("replaced");
        fs::rename(&aside, moved).unwrap();
        eventually("the same file", || (ready() == 200).then_some(()));
    }
    // What was refused did not happen, and does now.
    for key in ["moved", "replaced"] {
        spend(key).must(201);
    }
    assert_eq!(shop.remaining("alice"), 8);
    shop.verify_books();
}

#[test]
fn a_disk_that_is_full() {
    if is_about_a_file() {
        return;
    }
    let Some(disk) = Disk::mount("size=4m") else { return };
    let database = disk.path("till.db");
    let shop = Shop::open_with(&[("SPRITE_DATABASE", database.to_str().unwrap())]);
    a_purchase_while(&shop, |_| disk.fill());

    // And full from the start: the next one does not start, and leaves nothing that would be in the way.
    drop(shop);
    fs::remove_file(&database).unwrap();
    let filling = disk.fill();
    let mut variables = variables(&disk.folder, "http://127.0.0.1:1");
    variables.insert("SPRITE_DATABASE".to_owned(), database.to_str().unwrap().to_owned());
    let output = process::run(&variables, &["user", "add", "alice"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("full"), "{said}");
    drop(filling);
    assert!(process::run(&variables, &["user", "add", "alice"]).status.success());
}

#[test]
fn a_disk_that_is_read_only() {
    if is_about_a_file() {
        return;
    }
    let Some(disk) = Disk::mount("size=4m") else { return };
    let variables = variables(&disk.folder, "http://127.0.0.1:1");
    assert!(process::run(&variables, &["user", "add", "alice"]).status.success());
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(disk.path("")).status().unwrap();
    assert!(remounted.success());
    for arguments in [&["serve"][..], &["user", "add", "bob"], &["user", "list"]] {
        let output = process::run(&variables, arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.to_lowercase().contains("read-only") && said.contains("till.db"), "{arguments:?}: {said}");
    }
}
