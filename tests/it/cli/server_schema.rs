//! `till ledger verify` and the schema of books on PostgreSQL: a copy of theirs holds, and what lets rows be written past the rules is
//! found, by whatever way it was planted.

use std::collections::BTreeMap;
use std::process::Output;

use crate::harness::postgres::{self, Postgres, name_in};
use crate::harness::process::{self, prints};
use crate::harness::{Shop, left_out};

fn is_left_out() -> bool {
    if !postgres::is_installed() {
        left_out("the schema of books on PostgreSQL: no Debian package postgresql on this machine");
    }
    !postgres::is_installed()
}

fn at(url: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("SPRITE_DATABASE".to_owned(), url.to_owned())])
}

/// All that a command printed.
fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), process::said(output))
}

#[test]
fn a_copy_that_was_dumped_and_restored_proves_as_its_original_does() {
    if is_left_out() {
        return;
    }
    let (server, name) = (Postgres::get(), "dumped");
    let url = server.database(name);
    let shop = Shop::open_with(&[("SPRITE_DATABASE", &url)]);
    shop.user("alice");
    shop.give("alice", 10);
    for format in ["custom", "plain"] {
        let copy = server.empty_database(&format!("{name}_{format}"));
        server.copy(name_in(&url), name_in(&copy), format);
        assert!(prints(&at(&copy), &["ledger", "verify"]).contains("The books hold"), "{format}");
        let status = process::run(&at(&copy), &["status", "--json"]);
        assert!(printed(&status).contains("the schema is ours"), "{format}: {}", printed(&status));
    }
    drop(shop);
    server.take_back(name);
}

/// What is planted, how it is undone, and what the proof calls it.
const PLANTED: &[[&str; 3]] = &[
    ["ALTER TABLE lots DISABLE TRIGGER ALL", "ALTER TABLE lots ENABLE TRIGGER ALL", "constraint lots_account_fkey"],
    [
        "ALTER TABLE books DISABLE TRIGGER USER",
        "ALTER TABLE books ENABLE TRIGGER USER",
        "trigger entries_are_not_removed",
    ],
    [
        "ALTER DATABASE this SET session_replication_role = replica",
        "ALTER DATABASE this RESET session_replication_role",
        "setting session_replication_role=replica of the database",
    ],
    [
        "CREATE ROLE bystander; ALTER ROLE bystander IN DATABASE this SET session_replication_role = replica",
        "DROP ROLE bystander",
        "setting session_replication_role=replica of the role bystander",
    ],
    ["ALTER FUNCTION refuse() SECURITY DEFINER", "ALTER FUNCTION refuse() SECURITY INVOKER", "function refuse "],
    ["ALTER FUNCTION refuse() STABLE", "ALTER FUNCTION refuse() VOLATILE", "function refuse "],
    [
        "ALTER FUNCTION require_a_reason() SET search_path = pg_temp",
        "ALTER FUNCTION require_a_reason() RESET search_path",
        "function require_a_reason ",
    ],
    ["ALTER TABLE prices SET UNLOGGED", "ALTER TABLE prices SET LOGGED", "table prices "],
    [
        "ALTER TABLE payments ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE payments DISABLE ROW LEVEL SECURITY",
        "table payments ",
    ],
    [
        "ALTER TABLE payments FORCE ROW LEVEL SECURITY",
        "ALTER TABLE payments NO FORCE ROW LEVEL SECURITY",
        "table payments ",
    ],
    ["CREATE POLICY hidden ON payments USING (false)", "DROP POLICY hidden ON payments", "policy hidden of payments"],
    [
        "CREATE SCHEMA aside; CREATE TABLE aside.more () INHERITS (books)",
        "DROP SCHEMA aside CASCADE",
        "child table aside.more of books",
    ],
    [
        "CREATE SCHEMA aside; CREATE TABLE aside.above (version BIGINT); ALTER TABLE schema_version INHERIT aside.above",
        "ALTER TABLE schema_version NO INHERIT aside.above; DROP SCHEMA aside CASCADE",
        "parent table aside.above of schema_version",
    ],
    [
        "CREATE RULE quiet AS ON DELETE TO payments DO INSTEAD NOTHING",
        "DROP RULE quiet ON payments",
        "rule quiet of payments",
    ],
    [
        "SET ROLE till; ALTER VIEW reasons RENAME TO kept; CREATE MATERIALIZED VIEW reasons AS SELECT * FROM kept; RESET ROLE",
        "DROP MATERIALIZED VIEW reasons; ALTER VIEW kept RENAME TO reasons",
        "view reasons ",
    ],
];

#[test]
fn what_switches_the_rules_of_the_schema_off_is_found() {
    if is_left_out() {
        return;
    }
    let (server, name) = (Postgres::get(), "planted");
    let url = server.database(name);
    let mut admin = server.connect("postgres", name_in(&url));
    let mut run = |statements: &str| {
        let statements = statements.replace("DATABASE this", &format!("DATABASE {}", name_in(&url)));
        admin.batch_execute(&statements).unwrap_or_else(|why| panic!("{statements}: {why}"));
    };
    for [plant, undo, words] in PLANTED {
        run(plant);
        let output = process::run(&at(&url), &["ledger", "verify"]);
        run(undo);
        let printed = printed(&output);
        assert_eq!(output.status.code(), Some(1), "{plant}: {printed}");
        assert!(printed.contains(words), "{plant}: {printed}");
    }
    prints(&at(&url), &["ledger", "verify"]);
    drop(admin);
    server.take_back(name);
}

#[test]
fn a_schema_of_another_name_and_names_in_quotes_change_nothing() {
    if is_left_out() {
        return;
    }
    let (server, name) = (Postgres::get(), "quoted");
    let url = server.empty_database(name);
    let mut admin = server.connect("postgres", name_in(&url));
    admin
        .batch_execute(&format!(
            "CREATE SCHEMA \"My Books\" AUTHORIZATION till;
            ALTER DATABASE {database} SET search_path = \"My Books\";
            ALTER DATABASE {database} SET quote_all_identifiers = on",
            database = name_in(&url)
        ))
        .unwrap();
    process::run(&at(&url), &["user", "add", "alice"]);
    assert!(prints(&at(&url), &["ledger", "verify"]).contains("The books hold"));
    drop(admin);
    server.take_back(name);
}

#[test]
fn a_role_that_may_make_no_schema_is_told_the_one_right_that_the_proof_needs() {
    if is_left_out() {
        return;
    }
    let (server, name) = (Postgres::get(), "uncreated");
    let url = server.database(name);
    let mut admin = server.connect("postgres", name_in(&url));
    admin
        .batch_execute(
            "CREATE ROLE uncreated LOGIN PASSWORD 'geheim';
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO uncreated",
        )
        .unwrap();
    let other = format!("postgres://uncreated:geheim@{}", url.split_once('@').unwrap().1);
    let said = process::said(&process::run(&at(&other), &["ledger", "verify"]));
    assert!(said.contains("GRANT CREATE ON DATABASE") && !said.contains("GRANT SELECT"), "{said}");
    admin.batch_execute("DROP OWNED BY uncreated; DROP ROLE uncreated").unwrap();
    drop(admin);
    server.take_back(name);
}
