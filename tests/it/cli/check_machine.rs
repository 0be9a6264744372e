//! What `till check` and `till status` say of the machine and the books: each with its severity, of which only what falls
//! short is an exit status.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use serde_json::{Value, json};
use till::clock::{Clock, DAY_SECONDS};

use crate::harness::executable::write_script;
use crate::harness::{Disk, Folder, Shop, is_about_a_file, is_about_sqlite, left_out, process, shop};

/// What `till status` finds, with further variables: the exit status, the worst severity, and each finding.
struct Found {
    code: Option<i32>,
    severity: String,
    rows: Vec<Value>,
}

impl Found {
    fn of(shop: &Shop, more: &[(&str, &str)]) -> Found {
        let mut variables = shop.variables().clone();
        variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Found::by(&variables)
    }

    fn by(variables: &std::collections::BTreeMap<String, String>) -> Found {
        let output = process::run(variables, &["status", "--json"]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = status["findings"].as_array().unwrap().clone();
        Found { code: output.status.code(), severity: status["severity"].as_str().unwrap().to_owned(), rows }
    }

    #[track_caller]
    fn says(&self, what: &str, severity: &str, words: &str) {
        let row = self.rows.iter().find(|row| row["what"] == what);
        let row = row.unwrap_or_else(|| panic!("no {what:?} in {:?}", self.rows));
        let is_good = match severity {
            "ok" => json!(true),
            "failed" => json!(false),
            _ => Value::Null,
        };
        assert_eq!((&row["severity"], &row["is_good"]), (&json!(severity), &is_good), "{row}");
        assert!(row["detail"].as_str().unwrap().contains(words), "{row}");
        let order = ["ok", "unknown", "warning", "failed"];
        let place = |word: &str| order.iter().position(|known| *known == word).unwrap();
        assert!(place(&self.severity) >= place(severity), "{} is the worst beside {row}", self.severity);
        assert_eq!(self.code, Some(i32::from(self.severity == "failed")), "{:?}", self.rows);
    }
}

fn outside(shop: &Shop, sql: &str) {
    shop.hand().run(sql);
}

#[test]
fn files_and_folder_that_others_can_change_fall_short() {
    if is_about_a_file() {
        return;
    }
    let shop = Shop::open();
    let folder = shop.database().parent().unwrap().to_owned();
    let allow = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for (mode, severity, words) in [
        (0o700, "ok", "can be written to by its owner alone"),
        (0o755, "ok", "(mode 0755)"),
        (0o770, "warning", "others can put files beside the database"),
        (0o1777, "warning", "others can put files beside the database"),
        (0o777, "failed", "others can replace the database. chmod 700"),
    ] {
        allow(&folder, mode);
        Found::of(&shop, &[]).says("database folder", severity, words);
    }
    allow(&folder, 0o700);
    allow(&shop.database(), 0o644);
    Found::of(&shop, &[]).says("private files", "failed", "till.db");
    allow(&shop.database(), 0o600);
    // What a command of another user left behind.
    let lock = folder.join("till.db.lock");
    match chown(&lock, Some(65_534), None) {
        Ok(()) => Found::of(&shop, &[]).says("database folder", "failed", "till.db.lock belongs to another user"),
        Err(why) => left_out(&format!("a file that belongs to another user: {why}")),
    }
}

#[test]
fn a_disk_without_room_falls_short_and_one_in_memory_is_a_warning() {
    if is_about_a_file() {
        return;
    }
    let Some(disk) = Disk::mount("size=16m") else { return };
    let database = disk.path("till.db");
    let shop = Shop::open_with(&[("SPRITE_DATABASE", database.to_str().unwrap())]);
    let found = Found::of(&shop, &[]);
    found.says("disk space", "failed", "a backup to this disk fails, and soon every write. Make room");
    found.says("file system", "warning", "tmpfs, which is memory: it may be gone with a restart");
    let roomy = Shop::open();
    let found = Found::of(&roomy, &[]);
    assert_ne!(found.severity, "failed", "{:?}", found.rows);
}

#[test]
fn whether_the_clock_is_synchronised_is_asked_and_not_assumed() {
    let shop = Shop::open();
    let programs = Folder::new();
    let program = |name: &str, body: &str| {
        write_script(&programs.path(name), &format!("#!/bin/sh\n{body}\n"));
    };
    let path = programs.path("");
    let look = || Found::of(&shop, &[("PATH", path.to_str().unwrap())]);
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        look().says("time sync", "ok", "systemd-timesyncd has set the clock");
    } else {
        look().says("time sync", "unknown", "not known: neither timedatectl nor chronyc answers here");
    }
    program("chronyc", "echo 00000000,,0,0.0,0,0,0,0,0,0,0,0,0,'Not synchronised'");
    look().says("time sync", "warning", "chrony has not synchronised the clock");
    program("chronyc", "echo C0248F97,192.0.2.9,3,1.5,0,0,0,0,0,0,0,0,0,Normal");
    look().says("time sync", "ok", "chrony says");
    program("timedatectl", "echo no");
    look().says("time sync", "warning", "timedatectl set-ntp true");
    program("timedatectl", "[ \"$2\" = --property=NTPSynchronized ] && echo yes");
    look().says("time sync", "ok", "timedatectl says that the clock is synchronised");
    program("timedatectl", "echo yes; exit 1");
    look().says("time sync", "ok", "chrony says");
}

#[test]
fn a_backup_is_wanted_of_real_money_and_ages() {
    if is_about_sqlite("a backup that till makes") {
        return;
    }
    let shop = Shop::open();
    let days_ago = |days: i64| Clock::System.now().millis() - days * DAY_SECONDS * 1000;
    Found::of(&shop, &[]).says("backup", "unknown", "books without real money need none");
    let live = [("SPRITE_STRIPE_SECRET_KEY", "sk_live_stories")];
    Found::of(&shop, &live).says("backup", "warning", "there is none, and the books hold real money");
    for (days, severity) in [(0, "ok"), (6, "ok"), (7, "warning"), (29, "warning"), (30, "failed")] {
        let at = days_ago(days);
        let row = format!(
            "INSERT INTO backups (one, made_at, place, bytes) VALUES (1, {at}, '/var/backups/till.db', 1)
             ON CONFLICT (one) DO UPDATE SET made_at = {at}"
        );
        outside(&shop, &row);
        Found::of(&shop, &live).says("backup", severity, "/var/backups/till.db");
    }
    outside(&shop, "DELETE FROM backups WHERE one = 1");
    shop.user("alice");
    outside(&shop, &format!("UPDATE users SET created_at = {} WHERE id = 'alice'", days_ago(31)));
    Found::of(&shop, &live).says("backup", "failed", "there is none");
}

#[test]
fn events_and_comparisons_that_wait_for_a_hand_are_named() {
    let shop = Shop::open();
    let now = Clock::System.now().millis();
    let found = Found::of(&shop, &[]);
    found.says("events", "ok", "0 unmatched, 0 failed, 0 waiting");
    found.says("comparison", "unknown", "none has ended yet");
    found.says("payments", "unknown", "no comparison with Stripe has ended yet");
    Found::of(&shop, &[("SPRITE_RECONCILE_INTERVAL", "off")]).says(
        "comparison",
        "warning",
        "what webhooks miss stays missing",
    );
    let event = |id: &str, status: &str, at: i64| {
        format!(
            "INSERT INTO events (id, kind, livemode, body, created_at, received_at, status, detail, waits_for, attempts, decided_at)
             VALUES ('{id}', 'refund.created', 0, '{{}}', {at}, {at}, '{status}', 'x', 'pi_1', 1, {at})"
        )
    };
    outside(&shop, &event("evt_1", "waiting", now));
    Found::of(&shop, &[]).says("events", "ok", "1 waiting");
    outside(&shop, &event("evt_2", "waiting", now - 3_601_000));
    Found::of(&shop, &[]).says("events", "warning", "1 of them for more than an hour");
    outside(&shop, &event("evt_3", "unmatched", now));
    Found::of(&shop, &[]).says("events", "failed", "1 unmatched, 0 failed, 2 waiting: till event list");
    let comparison = |at: i64, agrees: i64| {
        format!(
            "INSERT INTO comparisons (number, actor, asked_at, started_at, ended_at, agrees)
                SELECT COALESCE(MAX(number), 0) + 1, 'cli', {at}, {at}, {at}, {agrees} FROM comparisons"
        )
    };
    for (ago, agrees, severity, words) in [
        (0, 1, "ok", "books and Stripe agreed at"),
        (DAY_SECONDS + 60, 1, "warning", "is till serve running"),
        (0, 0, "warning", "found books and Stripe to differ"),
    ] {
        outside(&shop, &comparison(now - ago * 1000, agrees));
        Found::of(&shop, &[]).says("comparison", severity, words);
    }
    let text = shop.till(&["status"]);
    let said = String::from_utf8(text.stdout).unwrap();
    assert!(text.status.code() == Some(1) && said.lines().count() == 10, "{said}");
    let last = said.lines().last().unwrap();
    assert!(
        last.contains("FAIL: events; warn: ") && last.contains("comparison") && last.ends_with("till check says more"),
        "{last}"
    );
}

#[test]
fn units_that_do_not_match_and_a_schema_that_is_not_ours_fall_short() {
    let shop = Shop::open();
    Found::of(&shop, &[]).says("units", "ok", "there is no account yet");
    shop.user("alice");
    shop.give("alice", 20);
    Found::of(&shop, &[]).says("units", "ok", "the entries of 1 accounts lead to what is stored");
    let [plant, remove] = shop.hand().trigger("lots");
    outside(&shop, &plant);
    Found::of(&shop, &[]).says("units", "failed", "planted of lots that this program does not make");
    outside(&shop, &format!("{remove}; UPDATE lots SET expired = 3"));
    Found::of(&shop, &[]).says("units", "failed", "Keep a copy of the file, and run till ledger verify");
    let verified = shop.till(&["ledger", "verify"]);
    assert_eq!(verified.status.code(), Some(1));
}

#[test]
fn what_falls_short_beside_a_database_that_is_not_there_is_said_by_the_command() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let variables = shop::variables(&folder, "http://127.0.0.1:1");
    let output = process::run(&variables, &["status", "--json"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
}
