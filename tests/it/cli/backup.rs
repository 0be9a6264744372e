//! `till backup`: a copy of a database in use that is proved, private and whole, or not there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::harness::process::said;
use crate::harness::{Folder, Shop, eventually, is_about_a_file, process};

pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_backup_of_a_service_under_load_shows_one_moment_and_is_proved() {
    if is_about_a_file() {
        return;
    }
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", 100_000);
    let folder = Folder::new();
    let path = folder.path("till.db");
    let (is_done, program, api) = (AtomicBool::new(false), shop.program("spend"), &shop.api);
    let reports: Vec<Value> = thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                let key = format!("load-{number}");
                program.call_once("/v1/users/alice/spends", &key, &json!({"units": 1})).must(201);
                if is_done.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        // The load has begun.
        let spent = || api.get("/v1/users/alice").must(200).json()["units"]["remaining"] != 100_000;
        eventually("a spend", || spent().then_some(()));
        let back_up = || shop.till_prints(&["backup", path.to_str().unwrap(), "--json"]);
        // The second one replaces the first.
        let reports = [(); 2].map(|()| serde_json::from_str(&back_up()).unwrap());
        is_done.store(true, Ordering::SeqCst);
        reports.to_vec()
    });
    assert_eq!(names(&folder.path("")), ["till.db"], "nothing else is left");
    let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
    let report = &reports[1];
    let number = |field: &str| report[field].as_u64().unwrap();
    assert_eq!((mode, path.metadata().unwrap().len()), (0o600, number("bytes")));
    assert_eq!((report["path"].as_str(), number("accounts")), (path.to_str(), 1));
    assert!(number("entries") > reports[0]["entries"].as_u64().unwrap(), "{reports:?}");

    // It holds, with its own anchor and the earlier one, and so do the books that it was made of.
    let copy = path.to_str().unwrap();
    for report in &reports {
        let anchor = report["anchor"].as_str().unwrap();
        let of_copy = shop.till_prints(&["--database", copy, "ledger", "verify", "--anchor", anchor, "--json"]);
        let of_copy: Value = serde_json::from_str(&of_copy).unwrap();
        assert_eq!((&of_copy["holds"], of_copy["entries"].as_u64().unwrap()), (&json!(true), number("entries")));
        shop.till_prints(&["ledger", "verify", "--anchor", anchor]);
    }
    // The balance is that of its last entry: all spends until then, and none after.
    let user: Value =
        serde_json::from_str(&shop.till_prints(&["--database", copy, "user", "show", "alice", "--json"])).unwrap();
    let spends = i64::try_from(number("entries")).unwrap() - 1;
    assert_eq!(user["units"]["remaining"], 100_000 - spends);

    // The status, the metrics and the audit tell of it.
    let status: Value = serde_json::from_str(&shop.till_prints(&["status", "--json"])).unwrap();
    assert_eq!((&status["last_backup"], &status["last_backup_at"]), (&report["path"], &report["made_at"]));
    assert!(
        shop.till_prints(&["status"]).contains(&format!("the last backup at {}", report["made_at"].as_str().unwrap()))
    );
    let metrics = shop.api.get("/metrics").must(200).body;
    let age = metrics.lines().find_map(|line| line.strip_prefix("till_backup_age_seconds ")).unwrap().to_owned();
    assert!(age.parse::<i64>().unwrap() >= 0, "{age}");
    let audit = shop.till_prints(&["audit", "list", "--json"]);
    let audit: Value = serde_json::from_str(&audit).unwrap();
    assert_eq!((&audit["data"][0]["action"], &audit["data"][0]["target"]), (&json!("backup_made"), &report["path"]));
    shop.verify_books();
}

#[test]
fn standard_output_takes_the_same_backup_and_nothing_stays_beside_the_database() {
    if is_about_a_file() {
        return;
    }
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", 7);
    let before = names(shop.database().parent().unwrap());
    let output = shop.till(&["backup", "-", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let report: Value = said(&output).lines().find_map(|line| serde_json::from_str(line).ok()).unwrap();
    assert_eq!((&report["path"], report["bytes"].as_u64()), (&json!("-"), Some(output.stdout.len() as u64)));
    assert_eq!(names(shop.database().parent().unwrap()), before);
    let folder = Folder::new();
    fs::write(folder.path("till.db"), &output.stdout).unwrap();
    let copy = folder.path("till.db");
    shop.till_prints(&[
        "--database",
        copy.to_str().unwrap(),
        "ledger",
        "verify",
        "--anchor",
        report["anchor"].as_str().unwrap(),
    ]);
    // A reader that is gone has no backup, so that is a failure.
    let mut command = process::command(shop.variables());
    let pipe = std::process::Stdio::piped;
    let mut child = command.args(["backup", "-"]).stdout(pipe()).stderr(pipe()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("was not written to standard output"), "{}", said(&output));
    assert_eq!(names(shop.database().parent().unwrap()), before);
}

#[test]
fn no_file_is_written_over_a_database_or_what_is_somebody_elses_or_through_a_link() {
    if is_about_a_file() {
        return;
    }
    let shop = Shop::open();
    shop.user("alice");
    let (folder, database) = (Folder::new(), shop.database());
    let beside = |suffix: &str| format!("{}{suffix}", database.display());
    symlink(&database, folder.path("to-database")).unwrap();
    // As `/dev/stdout` is one.
    symlink("/proc/self/fd/1", folder.path("output")).unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    fs::write(folder.path("other.db"), "x").unwrap();
    fs::write(folder.path("other.db-wal"), "a log").unwrap();
    fs::write(folder.path("till.env"), "SPRITE_LOG=debug\n").unwrap();
    let mine = |name: &str| folder.path(name).display().to_string();
    for (path, code, words) in [
        (beside(""), 2, "is the database"),
        (beside("-wal"), 2, "is the database"),
        (beside("-shm"), 2, "is the database"),
        (beside("-journal"), 2, "is the database"),
        (beside(".lock"), 2, "is the database"),
        (mine("to-database"), 2, "is the database"),
        (mine("folder"), 2, "is a folder"),
        (mine("other.db"), 2, "has a log beside it"),
        (mine("till.env"), 2, "is there already and is no backup"),
        (mine("absent/till.db"), 1, &format!("there is no folder {}", mine("absent"))),
        ("/dev/null".to_owned(), 1, "no file"),
        (mine("output"), 1, "no file"),
    ] {
        let output = shop.till(&["backup", &path]);
        assert_eq!(output.status.code(), Some(code), "{path}: {}", said(&output));
        assert!(said(&output).contains(words), "{path}: {}", said(&output));
    }
    // So is the export, which replaces any other file, as programs do with the file that is named for their output.
    let around = format!("{}/../{}", mine("folder"), "to-database");
    let suffixes = ["", "-wal", "-shm", "-journal", ".lock"];
    for path in suffixes.map(beside).into_iter().chain([mine("to-database"), around]) {
        let output = shop.till(&["ledger", "export", "--output", &path]);
        assert!(
            output.status.code() == Some(2) && said(&output).contains("is the database"),
            "{path}: {}",
            said(&output)
        );
    }
    fs::write(folder.path("books.csv"), "of last month").unwrap();
    for _ in 0..2 {
        shop.till_prints(&["ledger", "export", "--output", &mine("books.csv")]);
    }
    assert!(fs::read_to_string(folder.path("books.csv")).unwrap().starts_with("id,account,user_id,"));
    assert_eq!(fs::read_to_string(folder.path("till.env")).unwrap(), "SPRITE_LOG=debug\n");
    // A link to somebody's file is replaced, and the file is not touched.
    fs::write(folder.path("theirs"), "theirs").unwrap();
    symlink(folder.path("theirs"), folder.path("link")).unwrap();
    shop.till_prints(&["backup", &mine("link")]);
    assert_eq!(fs::read_to_string(folder.path("theirs")).unwrap(), "theirs");
    assert!(folder.path("link").symlink_metadata().unwrap().is_file());
    let left =
        ["books.csv", "folder", "link", "other.db", "other.db-wal", "output", "theirs", "till.env", "to-database"];
    assert_eq!(names(&folder.path("")), left);
    shop.verify_books();
}

#[test]
fn a_copy_that_does_not_hold_is_removed_and_no_backup_is_recorded() {
    if is_about_a_file() {
        return;
    }
    let shop = Shop::open();
    shop.user("alice");
    // A table that till does not make.
    let (folder, database) = (Folder::new(), shop.database());
    let mut shop = shop;
    shop.till.ask_to_stop();
    assert!(shop.till.wait_for_end().success());
    tamper(&database, "CREATE TABLE planted (a INTEGER)");
    let output = shop.till(&["backup", folder.path("till.db").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("does not hold") && said(&output).contains("planted"), "{}", said(&output));
    assert_eq!(names(&folder.path("")), Vec::<String>::new());
    let status = shop.till(&["status", "--json"]);
    assert_eq!(status.status.code(), Some(1), "books that do not hold fall short");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["last_backup"], Value::Null);
}

/// Changes a database as somebody with SQLite's own tools would.
pub fn tamper(database: &Path, sql: &str) {
    rusqlite::Connection::open(database).unwrap().execute_batch(sql).unwrap();
}
