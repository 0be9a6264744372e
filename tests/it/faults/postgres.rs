//! A PostgreSQL that cannot be used, or that a newer till has changed: the words say what is wrong and what to do, and nothing
//! is harmed.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Output;

use postgres::Client as Admin;
use serde_json::json;

use crate::harness::port::free_port;
use crate::harness::postgres::{self as server, Postgres};
use crate::harness::{Client, Folder, Shop, Till, eventually, is_about_a_server, process, shop};

/// Of the roles that these tests make.
const PASSWORD: &str = "geheim";

/// A command that needs the database.
fn list(url: &str) -> Output {
    let variables = BTreeMap::from([("SPRITE_DATABASE".to_owned(), url.to_owned())]);
    process::run(&variables, &["user", "list"])
}

#[track_caller]
fn check(url: &str, expected: &[&str]) {
    let output = list(url);
    let said = process::said(&output);
    assert_eq!(output.status.code(), Some(1), "{url}: {said}");
    for words in expected.iter().chain(&["the database postgres://", "cannot be used"]) {
        assert!(said.contains(words), "{url}: {words}: {said}");
    }
    assert!(said.lines().count() == 1 && !said.contains(PASSWORD), "{url}: {said}");
}

/// A database, which is removed with the folder: its address, and PostgreSQL's own role in it. None where these tests are left out.
fn database(name: &str) -> Option<(Folder, String, Admin)> {
    if is_about_a_server() {
        return None;
    }
    let folder = Folder::new();
    let url = folder.database(name);
    let admin = Postgres::get().connect("postgres", server::name_in(&url));
    Some((folder, url, admin))
}

/// The address of the same database for another role, which is made.
fn role(admin: &mut Admin, url: &str, name: &str, options: &str) -> String {
    let make = format!("DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {options}");
    admin.batch_execute(&make).unwrap();
    let rest = url.split_once('@').unwrap().1;
    format!("postgres://{name}:{PASSWORD}@{rest}")
}

#[test]
fn a_database_that_cannot_be_used_is_refused_with_what_to_do() {
    let Some((folder, url, mut admin)) = database("refused") else { return };
    let (name, admin) = (server::name_in(&url), &mut admin);

    let (place, rest) = url.split_once('@').unwrap();
    let password = place.rsplit_once(':').unwrap().1;
    check(&url.replace(password, "wrong"), &["refuses this user", "password", "SPRITE_DATABASE", "(SQLSTATE 28P01)"]);
    check(&url.replace(&format!(":{password}"), ""), &["wants a password", "postgres://USER:PASSWORD@HOST"]);
    check(&url.replace(name, "nothing_here"), &["no such database", "createdb"]);
    let closed = format!("127.0.0.1:{}", free_port());
    let elsewhere = format!("{place}@{closed}/{}", rest.split_once('/').unwrap().1);
    check(&elsewhere, &["nothing listens there", "start PostgreSQL", "Connection refused"]);
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = stranger.local_addr().unwrap();
    std::thread::spawn(move || stranger.incoming().for_each(drop));
    check(&elsewhere.replace(&closed, &address.to_string()), &["ended the connection", "is no PostgreSQL"]);

    // A role with too little.
    let none_left = role(admin, &url, "till_crowded", "CONNECTION LIMIT 0");
    check(&none_left, &["no connection left", "raise max_connections", "too many connections for role"]);
    let stranger = role(admin, &url, "till_stranger", "");
    check(
        &stranger,
        &["lacks a right", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES", "permission denied for table"],
    );
    let rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO till_stranger";
    admin.batch_execute(rights).unwrap();
    assert!(list(&stranger).status.success(), "{}", process::said(&list(&stranger)));
    admin.batch_execute("REVOKE SELECT ON users FROM till_stranger").unwrap();
    check_words(&list(&stranger), &["lacks a right", "permission denied for table users"]);
    admin.batch_execute("REVOKE ALL ON SCHEMA public FROM PUBLIC").unwrap();
    check(&stranger, &["may use no schema", "GRANT USAGE, CREATE ON SCHEMA public"]);
    admin.batch_execute("GRANT USAGE ON SCHEMA public TO PUBLIC").unwrap();
    admin.batch_execute(&format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")).unwrap();
    check(&stranger, &["may not connect", "GRANT CONNECT ON DATABASE"]);
    admin.batch_execute(&format!("GRANT CONNECT ON DATABASE {name} TO PUBLIC")).unwrap();

    // Somebody else holds the rows for longer than the role may wait.
    let hasty = role(admin, &url, "till_hasty", "IN ROLE till");
    admin.batch_execute("ALTER ROLE till_hasty SET statement_timeout = '200ms'").unwrap();
    admin.batch_execute("BEGIN; LOCK TABLE users").unwrap();
    check_words(&list(&hasty), &["cannot be used right now", "nothing was changed", "Try again"]);
    admin.batch_execute("ROLLBACK").unwrap();
    assert!(list(&hasty).status.success(), "{}", process::said(&list(&hasty)));

    // What is in it.
    admin.batch_execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).unwrap();
    check(&url, &["takes no writes", "standby", "name the primary"]);
    admin.batch_execute(&format!("ALTER DATABASE {name} RESET default_transaction_read_only")).unwrap();
    admin.batch_execute("INSERT INTO schema_version (version, applied_at, checked_at) VALUES (99, 0, 0)").unwrap();
    check(&url, &["schema 99", "use the newer till"]);
    admin
        .batch_execute(
            "UPDATE schema_version SET version = 0 WHERE version = 1; DELETE FROM schema_version WHERE version = 99",
        )
        .unwrap();
    check(&url, &["schema 0", "no way from there"]);
    let foreign = folder.empty_database("foreign");
    let barred = role(admin, &foreign, "till_barred", "");
    let variables = BTreeMap::from([("SPRITE_DATABASE".to_owned(), barred)]);
    let output = process::run(&variables, &["user", "add", "alice"]);
    check_words(
        &output,
        &["the tables cannot be made", "GRANT CREATE ON SCHEMA public", "permission denied for schema"],
    );
    Postgres::get().connect("till", server::name_in(&foreign)).batch_execute("CREATE TABLE songs (a INTEGER)").unwrap();
    check(&foreign, &["another program's", "songs", "createdb"]);
    for role in ["till_crowded", "till_stranger", "till_hasty", "till_barred"] {
        admin.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
    }
}

#[test]
fn a_command_says_why_a_later_connection_was_not_made() {
    let Some((_folder, url, mut admin)) = database("scarce") else { return };
    let scarce = role(&mut admin, &url, "till_scarce", "CONNECTION LIMIT 1 IN ROLE till");
    let variables = BTreeMap::from([("SPRITE_DATABASE".to_owned(), scarce)]);
    // The server may still be ending the connection by which the command looked whether there is a database: then the next one is
    // refused, which the command says as well, in other words.
    let output = eventually("a command with one connection", || {
        let output = process::run(&variables, &["ledger", "verify"]);
        process::said(&output).contains("right now").then_some(output)
    });
    let words = ["cannot be used right now", "raise max_connections", "too many connections for role"];
    check_words(&output, &words);
    admin.batch_execute("DROP OWNED BY till_scarce; DROP ROLE till_scarce").unwrap();
}

#[test]
fn a_role_that_may_only_read_does_not_serve_and_a_right_that_is_lost_is_a_503_with_its_name_in_the_log() {
    let Some((folder, url, mut admin)) = database("reader") else { return };
    let mut variables = shop::variables(&folder, "http://127.0.0.1:1");
    variables.insert("SPRITE_DATABASE".to_owned(), role(&mut admin, &url, "till_reader", ""));
    admin.batch_execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO till_reader").unwrap();
    let refused = process::run(&variables, &["serve"]);
    check_words(&refused, &["lacks INSERT on the table books, UPDATE on the table books", "GRANT SELECT, INSERT"]);

    admin.batch_execute("GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO till_reader").unwrap();
    let till = Till::start(&variables);
    admin.batch_execute("REVOKE UPDATE ON schema_version FROM till_reader").unwrap();
    Client::new(&till.url, &[]).get("/readyz").must(503);
    assert!(till.log().contains("permission denied for table schema_version"), "{}", till.log());
    till.kill();
    admin.batch_execute("DROP OWNED BY till_reader; DROP ROLE till_reader").unwrap();
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_is_not_waited_for() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("postgres://till:{PASSWORD}@{}/till?connect_timeout=1", silent.local_addr().unwrap());
    check(&url, &["does not answer", "stands still", "no answer came in time"]);
}

#[track_caller]
fn check_words(output: &Output, expected: &[&str]) {
    let said = process::said(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(expected.iter().all(|words| said.contains(words)), "{said}");
}

#[test]
fn a_connection_is_as_safe_as_sslmode_asks() {
    let Some((folder, url, mut admin)) = database("tls") else { return };
    let with = |words: &str| url.replace("sslmode=disable", words);
    check(&with("sslmode=require"), &["offers no TLS", "ssl = on", "sslmode=prefer"]);
    assert!(list(&with("sslmode=prefer")).status.success());

    // The server makes its certificate, in the folder of its data.
    let make = "COPY (SELECT 1) TO PROGRAM 'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout server.key -out server.crt -subj /CN=localhost -days 2 -addext basicConstraints=critical,CA:FALSE \
        -addext subjectAltName=DNS:localhost'";
    admin.batch_execute(make).unwrap();
    admin.batch_execute("ALTER SYSTEM SET ssl = on").unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    eventually("TLS", || {
        let row =
            Postgres::get().connect("postgres", "postgres").query_one("SELECT current_setting('ssl')", &[]).unwrap();
        (row.get::<_, String>(0) == "on").then_some(())
    });
    let certificate: String = admin.query_one("SELECT pg_read_file('server.crt')", &[]).unwrap().get(0);
    std::fs::write(folder.path("server.crt"), certificate).unwrap();
    let roots = format!("sslrootcert={}", folder.path("server.crt").display());
    let at_localhost = |words: &str| with(words).replace("@127.0.0.1:", "@localhost:");
    for good in [
        with("sslmode=require"),
        with("sslmode=prefer"),
        with(&format!("sslmode=verify-ca&{roots}")),
        with(&format!("sslmode=require&{roots}")),
        at_localhost(&format!("sslmode=verify-full&{roots}")),
    ] {
        assert!(list(&good).status.success(), "{good}: {}", process::said(&list(&good)));
    }
    check(&with(&format!("sslmode=verify-full&{roots}")), &["of another name", "sslmode=verify-ca"]);
    check(&at_localhost("sslmode=verify-full"), &["no authority that is trusted", "sslrootcert=FILE"]);
    check(&with("sslmode=verify-ca"), &["no authority that is trusted", "sslrootcert=FILE"]);
    check(&with("sslmode=verify-full&sslrootcert=/no/such.crt"), &["sslrootcert=/no/such.crt", "cannot be read"]);
    admin.batch_execute("ALTER SYSTEM RESET ssl").unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").unwrap();
}

#[test]
fn an_older_till_writes_nothing_once_a_newer_one_has_changed_the_database() {
    writes_nothing_while(
        "INSERT INTO schema_version (version, applied_at, checked_at) VALUES (99, 0, 0)",
        "DELETE FROM schema_version WHERE version = 99",
        &["a newer till has changed the database", "schema 99"],
    );
}

#[test]
fn a_till_that_still_runs_writes_nothing_once_the_books_are_on_their_way_to_another_database() {
    // The mark of till migrate, which begins where nobody serves. This one lost the connection that says that it does.
    writes_nothing_while(
        "INSERT INTO relocation (one, id, direction, other, anchor, begun_at)
            VALUES (1, 'move', 'out', '/var/lib/till/till.db', '1:1:aa', 0)",
        "DELETE FROM relocation",
        &["till migrate is moving the books"],
    );
}

/// Between two statements of somebody else a till refuses every write, says why in its log, and reads all the same.
#[track_caller]
fn writes_nothing_while(begin: &str, end: &str, why: &[&str]) {
    if is_about_a_server() {
        return;
    }
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", 10);
    let spend = || shop.api.call_once("/v1/users/alice/spends", "spend-1", &json!({"units": 3}));
    let hand = shop.hand();
    hand.run(begin);
    let refused = spend().must(503);
    assert_eq!((refused.code().as_str(), refused.header("retry-after").is_empty()), ("unavailable", false));
    Client::new(&shop.till.url, &[]).get("/readyz").must(503);
    shop.api.call("PUT", "/v1/users/bob", &json!({})).must(503);
    assert_eq!(shop.remaining("alice"), 10, "it is read all the same");
    let log = shop.till.log();
    assert!(why.iter().all(|words| log.contains(words)), "{log}");
    hand.run(end);
    spend().must(201);
    assert_eq!(shop.remaining("alice"), 7);
    shop.verify_books();
}
