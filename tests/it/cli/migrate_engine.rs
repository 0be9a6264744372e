//! `till migrate`: the books go from a file to PostgreSQL and back, whole, proved, and never in two places at once.

use std::collections::BTreeMap;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::harness::postgres::{self, Postgres, name_in};
use crate::harness::process::said;
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Folder, Hand, Shop, eventually, is_about_a_file, left_out, process};

/// A row of each table that the story of [`books`] leaves empty. None of them changes what the proof computes.
const MORE: &str = "
INSERT INTO attempts (bucket, full_at) VALUES (zeroblob(32), 5);
INSERT INTO steps (hash, purpose, body, expires_at) VALUES (zeroblob(32), 'code', zeroblob(28), 5);
INSERT INTO comparisons (number, actor, asked_at) VALUES (1, 'cli', 5);
INSERT INTO charges (id, customer, made_at) VALUES ('ch_more', 'cus_more', 5);
INSERT INTO invoice_documents (invoice, number) VALUES ('in_more', 'N-1 ä 你');
INSERT INTO next_payments (subscription, amount, currency) SELECT id, 5, 'usd' FROM subscriptions LIMIT 1;
INSERT INTO open_invoices (subscription, invoice, due_at) SELECT id, 'in_more', 5 FROM subscriptions LIMIT 1;
INSERT INTO scheduled_changes (subscription, offer, starts_at) SELECT id, '-', 5 FROM subscriptions LIMIT 1;
INSERT INTO customer_changes (account, generation, number, request_key, request_body, attempts, next_attempt_at, made_at)
    SELECT account, generation, 1, 'key', '', 0, 5, 5 FROM customers LIMIT 1;
INSERT INTO allotments (reference, month, due_at, units, cost, posted_at) SELECT reference, 7, 5, 1, 0, 5 FROM payments LIMIT 1;
INSERT INTO invoice_payments (payment_intent, invoice) VALUES ('pi_more', 'in_more');
INSERT INTO prices (price, currency, amount) VALUES ('price_more', 'usd', 5);
INSERT INTO refunds (id, payment, amount, state, made_at) SELECT 're_more', reference, 0, 'pending', 5 FROM payments LIMIT 1;
INSERT INTO credit_notes (id, payment, returned, status, made_at)
    SELECT 'cn_more', reference, 0, 'issued', 5 FROM payments LIMIT 1;
INSERT INTO disputes (id, payment, disputed, withheld, stage, moves, opened_at, currency)
    SELECT 'dp_more', reference, 0, 0, 'inquiry', 0, 5, 'usd' FROM payments LIMIT 1;
INSERT INTO cursors (name, position, moved_at) VALUES ('more', -5, 5);
INSERT INTO login_links (hash, account, created_at, expires_at) VALUES (zeroblob(32), 1, 5, 6);
INSERT INTO sessions (number, hash, account, method, created_at, last_used_at, idle_seconds, expires_at)
    VALUES (77, zeroblob(32), 1, 'link', 5, 5, 5, 5);
INSERT INTO operators (account, made_at) VALUES (1, 5);
INSERT INTO addresses (canonical, account, written, verified_at) VALUES ('a@b.example', 1, 'A@b.example', 5);
INSERT INTO identities (issuer, subject, account, created_at) VALUES ('https://id.example', 'a', 1, 5);
INSERT INTO passwords (account, hash, set_at) VALUES (1, '$argon2id$', 5);
INSERT INTO passkeys (number, credential, account, handle, name, transports, public_key, state, created_at)
    VALUES (1, zeroblob(16), 1, zeroblob(16), 'it''s \"one\"', 0, x'00ff', zeroblob(7), 5);
INSERT INTO second_factors (account, secret, last_step, confirmed_at) VALUES (1, zeroblob(20), 5, 5);
INSERT INTO codes (hash, purpose, address, created_at, expires_at) VALUES (zeroblob(32), 'sign_in', 'a@b.example', 5, 6);
INSERT INTO invites (hash, created_at, expires_at) VALUES (zeroblob(32), 5, 6);
INSERT INTO welcomes (digest, granted_at) VALUES (zeroblob(32), 5);
INSERT INTO address_salt (one, salt) VALUES (1, randomblob(32));
INSERT INTO webhook_endpoints (id, url, kinds, secret, created_at) VALUES ('we_more', 'https://a.example', '*', 's', 5);
INSERT INTO messages (account, number, id, kind, body, created_at) VALUES (1, 5, 'msg_more', 'ping', '{}', 5);
INSERT INTO deliveries (account, message, endpoint, give_up_at) VALUES (1, 5, 'we_more', 5);
INSERT INTO mails (number, reason, account, to_address, kind, locale, created_at, give_up_at, sent_at)
    VALUES (5, 'more', 1, 'a@b.example', 'receipt', 'en', 5, 5, 5);
INSERT INTO mail_choices (account, kind, off_at) VALUES (1, 'receipt', 5);
INSERT INTO mail_key (one, key, made_at) VALUES (1, randomblob(32), 5);
INSERT INTO anchors (number, taken_at) VALUES (1, 5);
INSERT INTO backups (one, made_at, place, bytes) VALUES (1, 5, '-', 5);
";

/// Whether the test cannot be run here.
fn is_left_out() -> bool {
    if !postgres::is_installed() {
        left_out("the move of the books to PostgreSQL: no Debian package postgresql on this machine");
        return true;
    }
    is_about_a_file()
}

/// A shop that is closed, with a row in every table.
fn books() -> Shop {
    let mut shop = Shop::open();
    shop.user("alice");
    shop.user("bob");
    for plan in ["topup_100", "starter"] {
        let checkout = shop.checkout("alice", plan).1;
        shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    }
    eventually("the subscription", || (shop.remaining("alice") > 100).then_some(()));
    shop.give("bob", 20);
    for key in ["a", "b", "c"] {
        shop.api.call_once("/v1/users/bob/spends", key, &json!({"units": 2, "note": "naïve 你好"})).must(201);
    }
    shop.api.call_once("/v1/users/bob/holds", "h", &json!({"units": 3})).must(201);
    shop.till.ask_to_stop();
    assert!(shop.till.wait_for_end().success());
    let hand = shop.hand();
    for statement in MORE.split(";\n") {
        // What the story has written is there already.
        if let Err(why) = hand.attempt(statement) {
            assert!(why.contains("UNIQUE"), "{statement}: {why}");
        }
    }
    for table in hand.tables().iter().filter(|table| *table != "relocation") {
        assert!(
            !hand.rows(&format!("SELECT * FROM {table} LIMIT 1")).is_empty(),
            "{table} has no row: add one to MORE"
        );
    }
    shop
}

/// A database of the server's with this name and nothing in it, which goes with the test.
struct ServerDatabase {
    name: &'static str,
    url: String,
}

impl ServerDatabase {
    fn empty(name: &'static str) -> ServerDatabase {
        ServerDatabase { name, url: Postgres::get().empty_database(name) }
    }

    /// With till's tables.
    fn with_tables(name: &'static str) -> ServerDatabase {
        ServerDatabase { name, url: Postgres::get().database(name) }
    }
}

impl Drop for ServerDatabase {
    fn drop(&mut self) {
        Postgres::get().take_back(self.name);
    }
}

/// Each row of each table of the books.
fn rows(place: &str) -> BTreeMap<String, Vec<Vec<String>>> {
    let hand = Hand::open(place);
    let tables = hand.tables().into_iter().filter(|table| !["relocation", "schema_version"].contains(&table.as_str()));
    tables
        .map(|table| {
            let mut columns = hand.columns(&table);
            columns.sort();
            let columns: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
            let mut rows = hand.rows(&format!("SELECT {} FROM {table}", columns.join(", ")));
            rows.sort();
            (table, rows)
        })
        .collect()
}

fn at(shop: &Shop, place: &str, arguments: &[&str]) -> Output {
    let mut variables = shop.variables().clone();
    variables.insert("SPRITE_DATABASE".to_owned(), place.to_owned());
    process::run(&variables, arguments)
}

/// Refused with these words, by whatever status.
#[track_caller]
fn refused(output: &Output, words: &str) {
    let said = said(output);
    assert!(!output.status.success() && said.contains(words), "{words}: {said}");
}

fn moved(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn books_go_to_a_server_and_back_row_by_row_and_work_in_one_place_at_a_time() {
    if is_left_out() {
        return;
    }
    let shop = books();
    let (server, file) = (ServerDatabase::empty("migrate_there"), shop.file("back.db"));
    let (there, back) = (server.url.as_str(), file.to_str().unwrap());
    let here = shop.variables()["SPRITE_DATABASE"].clone();
    let before = rows(&here);

    // What it would do, it says beforehand and does not.
    let plan = moved(&shop.till(&["migrate", "--to", there, "--dry-run", "--json"]));
    assert_eq!((&plan["dry_run"], &plan["accounts"], &plan["anchor"]), (&json!(true), &json!(2), &Value::Null));
    assert_eq!(plan["rows"].as_u64().unwrap(), before.values().map(|rows| rows.len() as u64).sum::<u64>());
    assert!(!plan["to"].as_str().unwrap().contains(there), "the password is not shown: {plan}");
    assert!(rows(&here) == before && Hand::open(there).tables().is_empty());

    let list = shop.file("target");
    std::fs::write(&list, format!("{there}\n")).unwrap();
    let done = moved(&shop.till(&["migrate", "--to-file", list.to_str().unwrap(), "--json"]));
    let left = rows(&here);
    assert_eq!(rows(there), left);
    let changed: Vec<&String> = before.keys().filter(|table| before[*table] != left[*table]).collect();
    assert_eq!(changed, ["anchors", "audit"], "the old books know that they have gone, and nothing else");
    let anchor = done["anchor"].as_str().unwrap();
    assert!(at(&shop, there, &["ledger", "verify", "--anchor", anchor]).status.success());
    for command in [&["user", "list"][..], &["serve"], &["ledger", "verify"]] {
        refused(&shop.till(command), "were moved to postgres://till@127.0.0.1");
    }
    refused(&shop.till(&["migrate", "--to", there]), "were moved to postgres://");

    // There it works, and from there it goes back, by the same way.
    let granted = at(&shop, there, &["user", "grant", "bob", "5", "--note", "more"]);
    assert!(granted.status.success(), "{}", said(&granted));
    let done = moved(&at(&shop, there, &["migrate", "--to", back, "--json"]));
    assert_eq!((&done["was_begun"], &done["accounts"]), (&json!(false), &json!(2)));
    assert_eq!(rows(there), rows(back));
    refused(&at(&shop, there, &["user", "list"]), "were moved to");
    assert!(at(&shop, back, &["ledger", "verify", "--anchor", anchor]).status.success());
    assert!(at(&shop, back, &["user", "grant", "bob", "5", "--note", "more"]).status.success());

    // The first database may be taken into use again by one who means it.
    assert!(shop.till(&["migrate", "--reopen"]).status.success());
    assert!(shop.till_prints(&["audit", "list"]).contains("books_reopened"));
    refused(&shop.till(&["migrate", "--reopen"]), "is in use");
    shop.verify_books();
}

#[test]
fn a_move_that_is_killed_goes_on_where_it_was_and_neither_database_works_meanwhile() {
    if is_left_out() {
        return;
    }
    let shop = books();
    let server = ServerDatabase::with_tables("migrate_killed");
    let there = server.url.as_str();
    let here = shop.variables()["SPRITE_DATABASE"].clone();
    // No row comes into this table as long as the lock is held.
    let mut lock = Postgres::get().connect("till", name_in(&server.url));
    lock.batch_execute("BEGIN; LOCK TABLE lots IN SHARE MODE").unwrap();
    let mut command = process::command(shop.variables());
    let mut running =
        command.args(["migrate", "--to", there]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let hand = Hand::open(there);
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually("the lots", || (hand.number(waiting) > 0).then_some(()));
    refused(&shop.till(&["user", "list"]), "are being moved to");
    refused(&at(&shop, there, &["user", "list"]), "a copy of");
    refused(&shop.till(&["migrate", "--to", there]), "in use by till migrate");
    running.kill().unwrap();
    running.wait().unwrap();
    lock.batch_execute("COMMIT").unwrap();
    refused(&at(&shop, there, &["serve"]), "run till migrate there again");

    // Not into another, which would make two copies.
    let half_done = hand.number("SELECT rows FROM relocation");
    let done = moved(&shop.till(&["migrate", "--to", there, "--json"]));
    assert!(done["was_begun"] == true && half_done > 0, "{done}");
    assert_eq!(rows(there), rows(&here));
    assert!(at(&shop, there, &["ledger", "verify"]).status.success());
    refused(&shop.till(&["user", "list"]), "were moved to");
}

#[test]
fn a_target_or_a_source_that_is_not_fit_is_refused_and_nothing_is_changed() {
    if is_left_out() {
        return;
    }
    let shop = books();
    let here = shop.variables()["SPRITE_DATABASE"].clone();
    let before = rows(&here);
    let server = ServerDatabase::with_tables("migrate_refused");
    let there = server.url.as_str();
    let folder = Folder::new();
    let to = |target: &str| shop.till(&["migrate", "--to", target]);

    refused(&to(folder.path("a.db").to_str().unwrap()), "both are files");
    refused(&to("mysql://a/b"), "names no database");
    refused(&to(&there.replace(name_in(there), "migrate_absent")), "no such database");
    // Not empty, another program's, and without rights.
    let hand = Hand::open(there);
    hand.run("INSERT INTO users (account, id, created_at) VALUES (1, 'eve', 0)");
    refused(&to(there), "rows in its table users");
    hand.run("DELETE FROM users; CREATE TABLE songs (a BIGINT); ALTER TABLE schema_version RENAME TO notes");
    refused(&to(there), "another program's database");
    let bare = ServerDatabase::empty("migrate_bare");
    let admin = &mut Postgres::get().connect("postgres", name_in(&bare.url));
    admin
        .batch_execute(&format!(
            "ALTER DATABASE {} OWNER TO postgres; REVOKE CREATE ON SCHEMA public FROM public",
            name_in(&bare.url)
        ))
        .unwrap();
    for more in [&[][..], &["--dry-run"]] {
        refused(&shop.till(&[&["migrate", "--to", &bare.url], more].concat()), "CREATE ON SCHEMA public");
    }
    admin.batch_execute(&format!("ALTER DATABASE {} OWNER TO till", name_in(&bare.url))).unwrap();

    // A text that PostgreSQL does not keep.
    shop.hand().run("UPDATE users SET name = 'a' || char(0) || 'b' WHERE id = 'bob'");
    refused(&to(&bare.url), "a row of users has a text with the character U+0000");
    shop.hand().run("UPDATE users SET name = NULL WHERE id = 'bob'");
    // Books that do not hold.
    shop.hand().run("UPDATE books SET held = held + 1 WHERE part = 1 AND account = 1");
    refused(&to(&bare.url), "do not hold, and nothing was changed");
    shop.hand().run("UPDATE books SET held = held - 1 WHERE part = 1 AND account = 1");
    let after = rows(&here);
    let changed: Vec<&String> = before.keys().filter(|table| before[*table] != after[*table]).collect();
    assert_eq!(changed, Vec::<&String>::new());
    // The source is in use.
    let mut serving = process::Till::start(shop.variables());
    refused(&to(&bare.url), "in use by till serve");
    assert!(shop.till(&["migrate", "--to", &bare.url, "--dry-run"]).status.success());
    serving.ask_to_stop();
    assert!(serving.wait_for_end().success());
    assert!(Hand::open(&bare.url).tables().is_empty());
}
