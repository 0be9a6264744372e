//! `till restore`: a backup takes the place of the database once it is proved; what is no sound backup of these books is
//! refused, and a restore that is killed leaves the old books or the new ones.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};

use super::backup::{names, tamper};
use crate::harness::process::{parsed, prints, refused};
use crate::harness::shop::{self, GOOD_CARD};
use crate::harness::{Folder, Shop, Till, eventually, is_about_a_file, process};

/// Books in which each of some users was given units, with no service on them.
fn books(folder: &Folder, name: &str, users: &[(&str, i64)]) -> BTreeMap<String, String> {
    let mut variables = shop::variables(folder, "http://127.0.0.1:1");
    variables.insert("SPRITE_DATABASE".to_owned(), folder.path(name).display().to_string());
    for (user, units) in users {
        prints(&variables, &["user", "add", user]);
        prints(&variables, &["user", "grant", user, &units.to_string(), "--note", "a gift"]);
    }
    variables
}

fn remaining(variables: &BTreeMap<String, String>, user: &str) -> i64 {
    parsed(variables, &["user", "show", user])["units"]["remaining"].as_i64().unwrap()
}

#[test]
fn a_restored_service_has_the_books_of_the_backup_and_comparing_brings_what_was_paid_since() {
    if is_about_a_file() {
        return;
    }
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", 10);
    let path = shop.database().with_file_name("saved.db");
    let path = path.to_str().unwrap();
    let saved: Value = serde_json::from_str(&shop.till_prints(&["backup", path, "--json"])).unwrap();
    // Alice buys and spends after the backup.
    let checkout = shop.checkout("alice", "topup_100").1;
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 110);
    shop.api.call_once("/v1/users/alice/spends", "later", &json!({"units": 5})).must(201);

    // While the service runs, the backup is only tried.
    let running = shop.till(&["restore", path]);
    refused(&running, "in use by till serve");
    let tried: Value = serde_json::from_str(&shop.till_prints(&["restore", path, "--dry-run", "--json"])).unwrap();
    assert_eq!((&tried["dry_run"], &tried["entries"]), (&json!(true), &json!(1)));
    assert_eq!(shop.remaining("alice"), 105);

    let mut shop = shop;
    shop.till.ask_to_stop();
    assert!(shop.till.wait_for_end().success());
    let anchor = saved["anchor"].as_str().unwrap();
    let done = parsed(shop.variables(), &["restore", path, "--anchor", anchor]);
    for file in [std::path::Path::new(path), &shop.database()] {
        let outside = rusqlite::Connection::open(file).unwrap();
        let mode: i64 = outside.query_row("PRAGMA auto_vacuum", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, 2, "{} gives back what it does not need", file.display());
    }
    assert_eq!(done["database"].as_str(), shop.database().canonicalize().unwrap().to_str());
    let mut former = shop.variables().clone();
    former.insert("SPRITE_DATABASE".to_owned(), done["kept"].as_str().unwrap().to_owned());
    assert_eq!((remaining(shop.variables(), "alice"), remaining(&former, "alice")), (10, 105));
    prints(&former, &["ledger", "verify"]);

    // The service runs on it, and the comparison brings the payment.
    let till = Till::start(shop.variables());
    shop.till_prints(&["reconcile"]);
    assert_eq!(remaining(shop.variables(), "alice"), 110);
    shop.verify_books();
    let audit = parsed(shop.variables(), &["audit", "list"]).to_string();
    assert!(audit.contains("database_restored"), "{audit}");
    drop(till);
}

#[test]
fn what_is_no_sound_backup_is_refused_and_nothing_is_changed() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let present = books(&folder, "till.db", &[("alice", 3)]);
    let source = books(&folder, "source.db", &[("alice", 7), ("bob", 8)]);
    let at = |name: &str| folder.path(name).display().to_string();
    prints(&source, &["backup", &at("good.db")]);
    let good = fs::read(folder.path("good.db")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path(name), bytes).unwrap();
    write("empty", b"");
    write("text", b"this is no database, but it is long enough to have a header of its own");
    write("truncated.db", &good[..good.len() / 2]);
    write("header.db", &good[..100]);
    let mut torn = good.clone();
    let middle = torn.len() / 2;
    torn[middle..middle + 4096].fill(0);
    write("torn.db", &torn);
    for (name, sql) in [
        ("other.db", "CREATE TABLE songs (a INTEGER)"),
        ("nothing.db", "PRAGMA user_version = 1"),
        ("newer.db", "INSERT INTO schema_version (version, applied_at, checked_at) VALUES (9, 0, 0)"),
        ("planted.db", "CREATE TABLE planted (a INTEGER)"),
        (
            "changed.db",
            "DROP TRIGGER entries_are_not_changed; UPDATE books SET delta = 700, balance_after = 700 WHERE part = 0",
        ),
        ("live.db", "INSERT INTO stripe_account (one, id, livemode, bound_at) VALUES (1, 'acct_2', 1, 0)"),
        ("account.db", "INSERT INTO stripe_account (one, id, livemode, bound_at) VALUES (1, 'acct_2', 0, 0)"),
    ] {
        if !["other.db", "nothing.db"].contains(&name) {
            write(name, &good);
        }
        tamper(&folder.path(name), sql);
    }
    let bind = "INSERT INTO stripe_account (one, id, livemode, bound_at) VALUES (1, 'acct_1', 0, 0)";
    tamper(&folder.path("till.db"), bind);
    fs::create_dir(folder.path("folder")).unwrap();
    symlink(folder.path("till.db"), folder.path("link")).unwrap();
    let before = names(&folder.path(""));
    for (name, words) in [
        ("absent.db", "cannot be read"),
        ("folder", "it is no file"),
        ("till.db", "it is the present database"),
        ("link", "it is the present database"),
        ("empty", "it is empty"),
        ("text", "it is no database"),
        ("header.db", "cannot be restored"),
        ("truncated.db", "truncated.db"),
        ("torn.db", "torn.db"),
        ("other.db", "another program's database"),
        ("nothing.db", "there is nothing in it"),
        ("newer.db", "use the newer till"),
        ("planted.db", "planted.db does not hold"),
        ("changed.db", "changed.db does not hold"),
        ("live.db", "belongs to live mode of acct_2"),
        ("account.db", "belongs to test mode of acct_2"),
    ] {
        for more in [&[][..], &["--dry-run"]] {
            refused(&process::run(&present, &[&["restore", &at(name)], more].concat()), words);
        }
        let left: Vec<String> = names(&folder.path("")).into_iter().filter(|name| name != "till.db.lock").collect();
        assert_eq!(left, before, "{name}");
        assert_eq!(remaining(&present, "alice"), 3, "{name}");
    }
    // An anchor of other books.
    let head = parsed(&present, &["ledger", "head"])["anchor"].as_str().unwrap().to_owned();
    refused(&process::run(&present, &["restore", &at("good.db"), "--anchor", &head]), "does not hold");
    assert_eq!(process::run(&present, &["restore", &at("good.db"), "--anchor", "nonsense"]).status.code(), Some(2));
    prints(&present, &["restore", &at("good.db")]);
    assert_eq!((remaining(&present, "alice"), remaining(&present, "bob")), (7, 8));
}

#[test]
fn a_backup_is_restored_where_there_is_no_database_and_with_its_log() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let source = books(&folder, "source.db", &[("alice", 7)]);
    let new = |place: &str| {
        fs::create_dir(folder.path(place)).unwrap();
        let mut variables = source.clone();
        variables.insert("SPRITE_DATABASE".to_owned(), folder.path(place).join("till.db").display().to_string());
        variables
    };
    let saved = folder.path("saved.db");
    prints(&source, &["backup", saved.to_str().unwrap()]);
    // What is only in the log of the backup counts as well.
    let writer = rusqlite::Connection::open(&saved).unwrap();
    writer.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0").unwrap();
    writer.execute_batch("UPDATE users SET name = 'Alice of the log'").unwrap();
    let first = new("first");
    let done = parsed(&first, &["restore", saved.to_str().unwrap()]);
    assert_eq!(done["kept"], Value::Null);
    drop(writer);
    assert_eq!(parsed(&first, &["user", "show", "alice"])["name"], "Alice of the log");
    prints(&first, &["ledger", "verify"]);
    // A log without its database would be read with the new one.
    let second = new("second");
    let log = folder.path("second").join("till.db-wal");
    fs::write(&log, "a log").unwrap();
    refused(&process::run(&second, &["restore", saved.to_str().unwrap()]), "no database that it belongs to");
    assert_eq!(names(&folder.path("second")), ["till.db-wal", "till.db.lock"]);
    // A present database that is none is not replaced without a word.
    fs::remove_file(log).unwrap();
    fs::write(folder.path("second").join("till.db"), "not a database, and somebody's").unwrap();
    refused(&process::run(&second, &["restore", saved.to_str().unwrap()]), "the present database was not replaced");
    assert_eq!(fs::read(folder.path("second").join("till.db")).unwrap(), b"not a database, and somebody's");
}

#[test]
fn a_database_that_somebody_has_open_is_not_replaced() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let present = books(&folder, "till.db", &[("alice", 3)]);
    let source = books(&folder, "source.db", &[("alice", 7)]);
    let saved = folder.path("saved.db").display().to_string();
    prints(&source, &["backup", &saved]);
    let reader = rusqlite::Connection::open(folder.path("till.db")).unwrap();
    let count = || reader.query_row("SELECT COUNT(*) FROM users", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 1);
    refused(&process::run(&present, &["restore", &saved]), "another program has it open");
    drop(reader);
    assert_eq!(remaining(&present, "alice"), 3);
    prints(&present, &["restore", &saved]);
    assert_eq!(remaining(&present, "alice"), 7);
}

#[test]
fn a_restore_that_is_killed_leaves_the_old_books_or_the_new_ones() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let present = books(&folder, "till.db", &[("alice", 3)]);
    let source = books(&folder, "source.db", &[("alice", 7)]);
    let saved = folder.path("saved.db");
    prints(&source, &["backup", saved.to_str().unwrap()]);
    let files = |end: &str| -> Vec<PathBuf> {
        let names = names(&folder.path("")).into_iter().filter(|name| name.contains(end));
        names.map(|name| folder.path(&name)).collect()
    };
    // Killed as soon as the copy, its log, or the former database's second name is there, or the process has ended.
    for step in [".partial", ".partial-wal", "before-restore"] {
        let mut command = process::command(&present);
        let mut child = command
            .args(["restore", saved.to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually(step, || (!files(step).is_empty() || child.try_wait().unwrap().is_some()).then_some(()));
        let _ended_already = child.kill();
        child.wait().unwrap();
        let units = remaining(&present, "alice");
        assert!(units == 3 || units == 7, "{step}: {units}");
        prints(&present, &["ledger", "verify"]);
        files("partial").iter().for_each(|file| fs::remove_file(file).unwrap());
        files("before-restore").iter().for_each(|file| fs::remove_file(file).unwrap());
    }
    prints(&present, &["restore", saved.to_str().unwrap()]);
    assert_eq!(remaining(&present, "alice"), 7);
}
