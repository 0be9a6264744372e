//! What commands, tokens and people do is written down, by whom and from where; and files with people's data are private.

use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use crate::harness::is_about_a_file;
use crate::harness::shop::Shop;

fn audit(shop: &Shop) -> Vec<Value> {
    let listed: Value = serde_json::from_str(&shop.till_prints(&["audit", "list", "--json"])).unwrap();
    listed["data"].as_array().unwrap().iter().rev().cloned().collect()
}

#[test]
fn each_action_is_in_the_audit_with_its_actor_and_each_entry_names_its_own() {
    let shop = Shop::open();
    shop.user("alice");
    // The same again changes nothing.
    shop.api.call("PUT", "/v1/users/alice", &json!({})).must(200);
    shop.api.call("PUT", "/v1/users/alice", &json!({"name": "Alice"})).must(200);
    shop.give("alice", 10);
    shop.api.call_once("/v1/users/alice/spends", "k", &json!({"units": 1})).must(201);
    shop.till_prints(&["user", "grant", "alice", "5", "--note", "by hand"]);
    drop(shop.sign_in("alice"));
    let hook = shop.till_prints(&["hook", "add", "https://app.example.org/hook", "--json"]);
    let hook: Value = serde_json::from_str(&hook).unwrap();
    let hook = hook["id"].as_str().unwrap().to_owned();
    shop.till_prints(&["hook", "remove", &hook]);
    let rows = audit(&shop);
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or("-").to_owned();
    let token = text(&rows[0], "target");
    shop.till_prints(&["token", "revoke", &token]);

    let by_token = format!("token:{token}");
    let expected: &[(&str, &str, &str, &str)] = &[
        ("cli", "token_created", &token, "-"),
        (&by_token, "user_added", "alice", "unknown"),
        (&by_token, "user_changed", "alice", "unknown"),
        (&by_token, "units_granted", "alice", "unknown"),
        ("cli", "units_granted", "alice", "-"),
        (&by_token, "login_link_made", "alice", "unknown"),
        ("user:alice", "signed_in", "alice", "unknown"),
        ("cli", "hook_added", &hook, "-"),
        ("cli", "hook_disabled", &hook, "-"),
        ("cli", "hook_removed", &hook, "-"),
        ("cli", "token_revoked", &token, "-"),
    ];
    let found: Vec<[String; 4]> =
        audit(&shop).iter().map(|row| ["actor", "action", "target", "address"].map(|field| text(row, field))).collect();
    let expected: Vec<[String; 4]> = expected
        .iter()
        .map(|(actor, action, target, address)| [actor, action, target, address].map(|text| (*text).to_owned()))
        .collect();
    assert_eq!(found, expected);
    let all = shop.till_prints(&["audit", "list"]);
    assert!(!all.contains(shop.token()), "a secret is in the audit");
    assert_eq!(shop.till_prints(&["audit", "list", "--limit", "2"]).lines().count(), 3);

    let csv = shop.till_prints(&["ledger", "export"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let at = reader.headers().unwrap().iter().position(|heading| heading == "actor").unwrap();
    let actors: Vec<String> = reader.records().map(|row| row.unwrap()[at].to_owned()).collect();
    assert_eq!(actors, [by_token.as_str(), by_token.as_str(), "cli"]);
    // Nobody changes it by mistake.
    let hand = shop.hand();
    for sql in ["DELETE FROM audit", "UPDATE audit SET actor = 'x'", "UPDATE audit SET address = 'x'"] {
        assert!(hand.attempt(sql).unwrap_err().contains("audit rows are never"), "{sql}");
    }
    hand.run("UPDATE audit SET address = NULL");
}

#[test]
fn refusals_are_counted() {
    let shop = Shop::open();
    shop.user("alice");
    let stranger = crate::harness::client::Client::program(&shop.till.url, "till_unknown");
    for _ in 0..3 {
        stranger.get("/v1/users/alice").must(401);
    }
    shop.program("read").call("PUT", "/v1/users/bob", &json!({})).must(403);
    shop.webhook_bytes(b"{}", "t=1,v1=00").must(400);
    let metrics = shop.api.get("/metrics").must(200).body;
    for (kind, count) in [("sign_in", 3), ("permission", 1), ("signature", 1)] {
        let line = format!("till_refusals_total{{kind=\"{kind}\"}} {count}");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
}

#[test]
fn what_holds_peoples_data_is_their_owners_alone() {
    if is_about_a_file() {
        return;
    }
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", 10);
    let folder = shop.database().parent().unwrap().to_owned();
    let (victim, link) = (folder.join("victim"), folder.join("books.csv"));
    std::fs::write(&victim, "theirs").unwrap();
    symlink(&victim, &link).unwrap();
    shop.till_prints(&["ledger", "export", "--output", link.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "theirs");
    let written = link.symlink_metadata().unwrap();
    assert!(written.is_file() && written.permissions().mode() & 0o777 == 0o600);

    // A name that SQLite would take for a URI.
    let uri = folder.join("file:books.db?mode=memory");
    let arguments = ["user", "add", "bob", "--database", "file:books.db?mode=memory"];
    let made = std::process::Command::new(crate::harness::process::binary())
        .args(arguments)
        .current_dir(&folder)
        .env_clear()
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(uri.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let finding = |expected: bool| {
        let output = shop.till(&["check", "--json"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let row = found["data"].as_array().unwrap().iter().find(|row| row["what"] == "private files").unwrap();
        assert_eq!(row["is_good"], expected, "{row}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(!finding(true).contains("by everybody"));
    std::fs::set_permissions(shop.database(), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(finding(false).contains("can be read or changed by everybody"));
}
