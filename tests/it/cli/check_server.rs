//! What `till check`, `till status`, the metrics and the commands about files say where the books are on PostgreSQL.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::postgres::{self, Postgres, name_in};
use crate::harness::process::{self, prints};
use crate::harness::{Shop, left_out};

/// What is found by `till status` with these variables: by its name, the severity and the words.
fn found(variables: &BTreeMap<String, String>) -> BTreeMap<String, (String, String)> {
    let output = process::run(variables, &["status", "--json"]);
    let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", process::said(&output)));
    assert_eq!(status["engine"], "PostgreSQL", "{status}");
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let rows = status["findings"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "what"), (text(row, "severity"), text(row, "detail")))).collect()
}

#[track_caller]
fn says(found: &BTreeMap<String, (String, String)>, what: &str, severity: &str, words: &str) {
    let (is, detail) = found.get(what).unwrap_or_else(|| panic!("{what}: {found:?}"));
    assert!(is == severity && detail.contains(words), "{what}: {is}: {detail}");
}

#[test]
fn books_on_a_server_are_judged_by_what_the_server_says_of_itself() {
    if !postgres::is_installed() {
        return left_out("the check of books on PostgreSQL: no Debian package postgresql on this machine");
    }
    let name = "check_server";
    let url = Postgres::get().database(name);
    let shop = Shop::open_with(&[("SPRITE_DATABASE", &url)]);
    shop.user("alice");
    let variables = shop.variables();
    let good = found(variables);
    // The tests' own server keeps nothing through a power cut.
    says(&good, "server durability", "warning", "fsync and full_page_writes off");
    says(&good, "standbys", "unknown", "GRANT pg_monitor");
    says(&good, "backup", "unknown", "pg_dump");
    for (what, words) in [
        ("database", "(PostgreSQL) takes writes"),
        ("connections", "are in use"),
        ("rights", "may do all"),
        ("server TLS", "does not leave this machine"),
        ("server clock", "agrees"),
        ("processes", "served by till serve, process"),
        ("units", "the schema is ours"),
    ] {
        says(&good, what, "ok", words);
    }
    for what in ["disk space", "file system", "database folder"] {
        assert!(!good.contains_key(what), "{what} is about a file");
    }
    assert!(prints(variables, &["status"]).contains("(PostgreSQL), "));

    // With real money a server that may lose it falls short, and nobody demands till backup.
    let mut live = variables.clone();
    live.insert("SPRITE_STRIPE_SECRET_KEY".to_owned(), "sk_live_1".to_owned());
    let live = found(&live);
    says(&live, "server durability", "failed", "a crash of its machine may damage the books");
    says(&live, "backup", "unknown", "till ledger verify proves a copy");
    let refused = shop.till(&["backup", "copy.db"]);
    assert!(!refused.status.success() && process::said(&refused).contains("pg_dump makes their backup"));

    // A role of another owner's tables, with few connections.
    let admin = &mut Postgres::get().connect("postgres", name_in(&url));
    admin
        .batch_execute(
            "CREATE ROLE check_poor LOGIN PASSWORD 'poor' CONNECTION LIMIT 16; GRANT pg_monitor TO check_poor;
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO check_poor;
            REVOKE DELETE ON mails FROM check_poor",
        )
        .unwrap();
    let place = url.split_once('@').unwrap().1;
    let mut poor = variables.clone();
    poor.insert("SPRITE_DATABASE".to_owned(), format!("postgres://check_poor:poor@{place}"));
    let poor = found(&poor);
    says(&poor, "rights", "failed", "the role lacks DELETE on the table mails");
    says(&poor, "connections", "warning", "of 16 are in use");
    says(&poor, "standbys", "unknown", "goes with its disk");

    let metrics = shop.api.get("/metrics").must(200).body;
    assert!(metrics.contains("till_database_engine{kind=\"PostgreSQL\"} 1"), "{metrics}");
    for of_file in ["till_wal_bytes", "till_disk_free_bytes", "till_disk_size_bytes", "till_backup_age_seconds"] {
        assert!(!metrics.contains(of_file), "an alert would take {of_file} for a fault");
    }
    drop(shop);
    admin.batch_execute("DROP OWNED BY check_poor; DROP ROLE check_poor").unwrap();
    Postgres::get().take_back(name);
}
