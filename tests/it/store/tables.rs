//! What the tables refuse: entries are never changed, and no row breaks a rule of its table. The statements
//! come past the store, on a connection of their own.

use super::{Books, add_user};
use crate::harness::{Hand, is_about_sqlite};

/// Two users; the first has an account, an entry and a lot.
const STORY: &str = "
    INSERT INTO books (account, part, used_reason, used_by) VALUES (1, 2, 'grant_1', 1);
    INSERT INTO books (account, part, seq, kind, delta, balance_after, reason, created_at, previous)
        VALUES (1, 0, 1, 'grant', 100, 100, 'grant_1', 0, zeroblob(32));
    INSERT INTO payments (reference, account, kind, units_granted, units_reversed, amount, cost, currency, offer,
            out_of_band, refunded_total, reversals, paid_at)
        VALUES ('pi_1', 1, 'pack', 100, 0, 900, 900, 'usd', 'topup_100', 0, 0, 0, 0);
    INSERT INTO lots (account, seq, units, remaining, held, expired, payment) VALUES (1, 1, 100, 100, 0, 0, 'pi_1');
    UPDATE books SET remaining = 100, credited = 100, entries = 1 WHERE account = 1 AND part = 1;";

pub fn books() -> (Books, Hand) {
    let books = Books::open();
    books.store.write(|tx| (0..2).try_for_each(|number| add_user(tx, number))).unwrap();
    let outside = books.outside();
    outside.run(STORY);
    (books, outside)
}

/// The statement fails with these words, and all tables are as before.
pub fn check(outside: &Hand, sql: &str, expected: &str) {
    let is_sqlites = ["REPLACE", "INSERT OR", "UPDATE OR"].iter().any(|words| sql.starts_with(words));
    if is_sqlites && is_about_sqlite("REPLACE, INSERT OR and UPDATE OR") {
        return;
    }
    let dump = || outside.dump(&["books", "lots", "users", "events"]);
    let before = dump();
    let refused = outside.attempt(sql).expect_err(sql);
    assert!(refused.contains(expected), "{sql}: {refused}");
    assert_eq!(dump(), before, "{sql}");
}

#[test]
fn entries_are_never_changed_or_removed_nor_are_their_reasons_and_accounts() {
    let (_books, outside) = books();
    add_entry_with_note(&outside);
    const ENTRY: &str = "(account, part, seq, kind, delta, balance_after, reason, created_at, previous)
        VALUES (1, 0, 1, 'grant', 200, 200, 'grant_1', 0, zeroblob(32))";
    const REASON: &str = "(account, part, used_reason, used_by) VALUES (1, 2, 'grant_1', 1)";
    const ACCOUNT: &str = "(account, part, owner, remaining, held, credited, entries, head, holds)
        VALUES (1, 1, 1, 0, 0, 0, 0, zeroblob(32), 0)";
    let sums = [
        "remaining",
        "held",
        "credited",
        "entries",
        "head",
        "next_due",
        "front",
        "front_free",
        "front_paid",
        "holds",
        "lots_digest",
        "low_balance",
    ];
    let columns = outside.columns("books");
    let erasable = ["note", "note_salt"];
    for column in
        columns.iter().filter(|column| !sums.contains(&column.as_str()) && !erasable.contains(&column.as_str()))
    {
        check(&outside, &format!("UPDATE books SET {column} = {column}"), "ledger entries are never changed");
    }
    for sql in [
        "UPDATE books SET delta = 200 WHERE part = 0",
        "UPDATE books SET note = 'other' WHERE seq = 1",
        "UPDATE books SET used_by = 2 WHERE used_reason = 'grant_1'",
        "UPDATE OR IGNORE books SET note = 'other'",
        "UPDATE books SET note = 'a', note_salt = zeroblob(16) WHERE seq = 1",
        "UPDATE books SET note_salt = zeroblob(16) WHERE seq = 1",
        "UPDATE books SET note = note, note_salt = note_salt WHERE seq = 2",
        "UPDATE books SET note = NULL, note_digest = NULL WHERE seq = 2",
        "UPDATE books SET note = NULL, delta = 1 WHERE seq = 2",
        "UPDATE OR REPLACE books SET seq = 2",
        &format!("INSERT INTO books {ENTRY} ON CONFLICT (account, part, seq, used_reason) DO UPDATE SET delta = 200"),
        &format!("INSERT INTO books {REASON} ON CONFLICT (account, part, seq, used_reason) DO UPDATE SET used_by = 2"),
    ] {
        check(&outside, sql, "ledger entries are never changed");
    }
    for sql in [
        "DELETE FROM books",
        "DELETE FROM books WHERE seq = 1",
        "DELETE FROM books WHERE part = 1",
        "DELETE FROM books WHERE used_reason = 'grant_1'",
        &format!("INSERT OR REPLACE INTO books {ENTRY}"),
        &format!("INSERT OR REPLACE INTO books {REASON}"),
        &format!("REPLACE INTO books {ACCOUNT}"),
        "INSERT OR REPLACE INTO books SELECT * FROM books",
    ] {
        check(&outside, sql, "ledger entries are never removed");
    }
}

#[test]
fn no_view_is_a_way_round_the_rules() {
    let (_books, outside) = books();
    // On a server a view of one table takes what its table takes.
    for (sql, by_rule) in [
        ("UPDATE entries SET delta = 200", "ledger entries are never changed"),
        ("DELETE FROM entries", "ledger entries are never removed"),
        ("UPDATE reasons SET seq = 2", "ledger entries are never changed"),
        ("DELETE FROM reasons", "ledger entries are never removed"),
        ("UPDATE accounts SET held = -1", "CHECK constraint failed"),
        ("DELETE FROM accounts", "ledger entries are never removed"),
    ] {
        check(&outside, sql, if outside.is_in_a_file() { "because it is a view" } else { by_rule });
    }
}

/// The account's second entry.
fn add_entry_with_note(outside: &Hand) {
    let with_note = entry("1, 2, 'grant', 5, 105, 'x', 0, zeroblob(32)")
        .replace("previous)", "previous, note, note_salt, note_digest)");
    let with_note = with_note.replace("(32))", "(32), 'text', zeroblob(16), zeroblob(32))");
    outside.run(&format!("{}; {with_note}", reason(1, "x", 2)));
}

#[test]
fn the_text_of_a_note_is_erased_with_its_salt_or_not_at_all() {
    let (_books, outside) = books();
    add_entry_with_note(&outside);
    // Both or none.
    check(&outside, "UPDATE books SET note = NULL WHERE seq = 2", "a note can only be erased");
    check(&outside, "UPDATE books SET note_salt = NULL WHERE seq = 2", "a note can only be erased");
    outside.run("UPDATE books SET note = NULL, note_salt = NULL WHERE seq = 2");
}

fn reason(account: i64, reason: &str, seq: i64) -> String {
    format!("INSERT INTO books (account, part, used_reason, used_by) VALUES ({account}, 2, '{reason}', {seq})")
}

fn entry(values: &str) -> String {
    const COLUMNS: &str = "(account, part, seq, kind, delta, balance_after, reason, created_at, previous)";
    let (account, rest) = values.split_once(", ").unwrap();
    format!("INSERT INTO books {COLUMNS} VALUES ({account}, 0, {rest})")
}

#[test]
fn no_entry_breaks_a_rule_of_its_table() {
    let (_books, outside) = books();
    outside.run(&[reason(1, "x", 2), reason(1, "y", 1), reason(9, "x", 1)].join(";"));
    let taken = "UNIQUE constraint failed";
    let check_failed = "CHECK constraint failed";
    let not_used = "a ledger entry has not used up its reason";
    for (values, expected) in [
        ("1, 2, 'grant', 5, 105, 'grant_1', 0, zeroblob(32)", not_used),
        ("1, 2, 'grant', 5, 105, 'y', 0, zeroblob(32)", not_used),
        ("1, 2, 'grant', 5, 105, 'z', 0, zeroblob(32)", not_used),
        ("1, 0, 'grant', 5, 105, 'x', 0, zeroblob(32)", not_used),
        ("1, 2, 'grant', 5, 105, NULL, 0, zeroblob(32)", not_used),
        ("9, 1, 'grant', 5, 5, 'x', 0, zeroblob(32)", "a ledger entry has no account"),
        ("1, 1, 'grant', 5, 105, 'y', 0, zeroblob(32)", taken),
        ("1, 2, 'gift', 5, 105, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'grant', 0, 100, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'grant', 5, 1000000000000001, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'grant', -5, -1000000000000001, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'spend', -101, -1, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'spend', 5, 105, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'expiry', 5, 105, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'grant', 5, 105, 'x', 0, zeroblob(31)", check_failed),
        ("1, 2, NULL, 5, 105, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'grant', NULL, 105, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'grant', 5, NULL, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'grant', 5, 105, 'x', NULL, zeroblob(32)", check_failed),
        ("1, 2, 'grant', 5, 105, 'x', 0, NULL", check_failed),
        ("1, 2, 'grant', 'five', 105, 'x', 0, zeroblob(32)", "cannot store TEXT"),
        ("1, 2, 'grant', 9223372036854775807 + 1, 105, 'x', 0, zeroblob(32)", "cannot store REAL"),
    ] {
        check(&outside, &entry(values), expected);
    }
    if !is_about_sqlite("a fraction, which PostgreSQL makes whole") {
        check(&outside, &entry("1, 2, 'grant', 1.5, 105, 'x', 0, zeroblob(32)"), "cannot store REAL");
    }
    // Displacing the entry that has the reason, as one in a place of its own.
    let again = entry("1, 2, 'grant', 200, 200, 'grant_1', 0, zeroblob(32)").replace("INSERT", "REPLACE");
    check(&outside, &again, not_used);
    // What belongs to an account or a reason.
    for column in [
        "owner",
        "remaining",
        "held",
        "credited",
        "entries",
        "next_due",
        "front",
        "front_free",
        "holds",
        "low_balance",
        "used_by",
        "used_reason",
        "note",
    ] {
        let with = entry("1, 2, 'grant', 5, 105, 'x', 0, zeroblob(32)");
        let with = with.replace("previous)", &format!("previous, {column})")).replace("(32))", "(32), 1)");
        check(&outside, &with, check_failed);
    }
    outside.run(&entry("1, 2, 'grant', 5, 105, 'x', 0, zeroblob(32)"));
}

#[test]
fn a_reason_is_used_once_and_every_row_of_the_books_is_in_its_place() {
    let (_books, outside) = books();
    let taken = "UNIQUE constraint failed";
    let check_failed = "CHECK constraint failed";
    let account = |part: i64, seq: i64, owner: i64, head: &str| {
        format!(
            "INSERT INTO books (account, part, seq, owner, remaining, held, credited, entries, head, holds)
                VALUES (3, {part}, {seq}, {owner}, 0, 0, 0, 0, {head}, 0)"
        )
    };
    outside.run("INSERT INTO users (account, id, created_at) VALUES (3, 'user_3', 0)");
    for (sql, expected) in [
        (reason(1, "grant_1", 1), taken),
        (reason(1, "grant_1", 2), taken),
        (reason(1, "", 2), check_failed),
        (reason(1, "x", 2).replace(" 2, 'x'", " 0, 'x'"), "a ledger entry has not used up its reason"),
        (reason(1, "x", 2).replace(" 2, 'x'", " 1, 'x'"), check_failed),
        (reason(1, "x", 2).replace(" 2, 'x'", " 3, 'x'"), check_failed),
        (reason(1, "x", 2).replace(" 2, 'x'", " -1, 'x'"), check_failed),
        (reason(1, "x", 2).replace(" 2, 'x'", " NULL, 'x'"), "NOT NULL constraint failed"),
        (reason(1, "x", 0), check_failed),
        (reason(1, "x", 2).replace("part,", "part, seq,").replace(" 2, 'x'", " 2, 1, 'x'"), check_failed),
        (reason(1, "x", 2).replace(", 2)", ", NULL)"), check_failed),
        (account(1, 1, 3, "zeroblob(32)"), check_failed),
        (account(2, 0, 3, "zeroblob(32)"), check_failed),
        (account(0, 0, 3, "zeroblob(32)"), "a ledger entry has not used up its reason"),
        (account(1, 0, 1, "zeroblob(32)"), check_failed),
        (account(1, 0, 1, "zeroblob(32)").replace(" 0, 1,", " 0, NULL,"), check_failed),
        (
            account(1, 0, 3, "zeroblob(32)").replace("holds)", "holds, used_reason)").replace(", 0)", ", 0, 'x')"),
            check_failed,
        ),
        (
            account(1, 0, 3, "zeroblob(32)").replace("holds)", "holds, used_by)").replace(", 0)", ", 0, 1)"),
            check_failed,
        ),
        (reason(-5, "x", 1), check_failed),
        (account(1, 0, 3, "NULL"), check_failed),
        (reason(1, "x", 2).replace("used_by)", "used_by, note)").replace(", 2)", ", 2, 'x')"), check_failed),
        (reason(1, "x", 2).replace("used_by)", "used_by, held)").replace(", 2)", ", 2, 0)"), check_failed),
        (account(1, 0, 3, "zeroblob(32)").replace("holds)", "holds, delta)").replace(", 0)", ", 0, 1)"), check_failed),
        (account(1, 0, 3, "zeroblob(32)").replace("(3,", "(4,").replace(" 3, 0", " 4, 0"), "FOREIGN KEY"),
    ] {
        check(&outside, &sql, expected);
    }
    let whole = [
        "account 3",
        "part 1",
        "seq 0",
        "owner 3",
        "remaining 0",
        "held 0",
        "credited 0",
        "entries 0",
        "head zeroblob(32)",
        "holds 0",
    ];
    for missing in &whole[3..] {
        let (columns, values): (Vec<&str>, Vec<&str>) =
            whole.iter().filter(|column| column != &missing).map(|column| column.split_once(' ').unwrap()).unzip();
        let sql = format!("INSERT INTO books ({}) VALUES ({})", columns.join(", "), values.join(", "));
        check(&outside, &sql, check_failed);
    }
    outside.run(&account(1, 0, 3, "zeroblob(32)"));
}

#[test]
fn a_stripe_id_belongs_to_one_user_and_a_callers_key_to_each() {
    let (_books, outside) = books();
    let taken = "UNIQUE constraint failed";
    let payment = |reference: &str, account: i64| {
        format!(
            "INSERT INTO payments (reference, account, kind, units_granted, units_reversed, amount, cost, currency, offer,
                out_of_band, refunded_total, reversals, paid_at)
                VALUES ('{reference}', {account}, 'pack', 0, 0, 0, 0, 'usd', '-', 0, 0, 0, 0)"
        )
    };
    check(&outside, &payment("pi_1", 2), taken);
    outside.run(&payment("pi_2", 2));
    let allotment = "INSERT INTO allotments (reference, month, due_at, units, cost) VALUES ('pi_1', 1, 0, 5, 0)";
    outside.run(allotment);
    check(&outside, allotment, taken);
    for once in [
        "INSERT INTO refunds (id, payment, amount, state, made_at) VALUES ('re_1', 'pi_1', 1, 'pending', 0)",
        "INSERT INTO credit_notes (id, payment, returned, status, made_at) VALUES ('cn_1', 'pi_1', 1, 'issued', 0)",
        "INSERT INTO disputes (id, payment, disputed, withheld, stage, moves, opened_at, currency)
            VALUES ('dp_1', 'pi_1', 1, 1, 'open', 1, 0, 'usd')",
    ] {
        outside.run(once);
        check(&outside, &once.replace("pi_1", "pi_2"), taken);
    }
    outside.run(&reason(2, "grant_1", 1));
    outside.run(&entry("2, 1, 'grant', 5, 5, 'grant_1', 0, zeroblob(32)"));
}

#[test]
fn the_entries_of_one_stripe_id_are_of_one_user() {
    if is_about_sqlite("an index over the entries of all accounts") {
        return;
    }
    let (_books, outside) = books();
    outside.run(&[reason(1, "topup_pi_1", 2), reason(2, "topup_pi_1", 1)].join(";"));
    outside.run(&entry("1, 2, 'topup', 5, 105, 'topup_pi_1', 0, zeroblob(32)"));
    let stolen = entry("2, 1, 'topup', 5, 5, 'topup_pi_1', 0, zeroblob(32)");
    check(&outside, &stolen, "UNIQUE constraint failed");
    check(&outside, &stolen.replace("INSERT", "REPLACE"), "ledger entries are never removed");
}

#[test]
fn no_other_row_breaks_a_rule_of_its_table() {
    let (_books, outside) = books();
    let (taken, check_failed) = ("UNIQUE constraint failed", "CHECK constraint failed");
    for (sql, expected) in [
        ("UPDATE books SET remaining = 1000000000000001", check_failed),
        ("UPDATE books SET remaining = -1000000000000001", check_failed),
        ("UPDATE books SET held = -1", check_failed),
        ("UPDATE books SET credited = -1", check_failed),
        ("UPDATE books SET head = zeroblob(16)", check_failed),
        ("UPDATE lots SET held = 101", check_failed),
        ("UPDATE lots SET remaining = -1", check_failed),
        ("UPDATE lots SET units = 0", check_failed),
        ("UPDATE lots SET expired = -1", check_failed),
        ("UPDATE lots SET grace_until = 1", check_failed),
        ("UPDATE lots SET expires_at = 5, grace_until = 5", check_failed),
        ("INSERT INTO lots (account, seq, units, remaining, held, expired) VALUES (1, 7, 1, 1, 0, 0)", "a lot has no ledger entry"),
        ("INSERT INTO users (account, id, created_at) VALUES (3, '', 0)", check_failed),
        ("INSERT INTO users (account, id, created_at) VALUES (3, '..', 0)", check_failed),
        ("INSERT INTO users (account, id, created_at) VALUES (3, 'user_0', 0)", taken),
        ("DELETE FROM users WHERE account = 1", "FOREIGN KEY"),
        ("UPDATE books SET entries = -1", check_failed),
        ("UPDATE books SET held = 0 WHERE part = 0", check_failed),
        ("UPDATE books SET next_due = 0 WHERE used_reason = 'grant_1'", check_failed),
        ("UPDATE books SET holds = NULL WHERE part = 1", check_failed),
        ("UPDATE payments SET units_reversed = 101", check_failed),
        ("UPDATE payments SET units_granted = -1", check_failed),
        ("UPDATE payments SET kind = 'gift'", check_failed),
        ("UPDATE payments SET doubt = ''", check_failed),
        ("UPDATE payments SET doubt = 'not paid', confirmed_at = 0", check_failed),
        ("UPDATE lots SET payment = 'pi_9'", "FOREIGN KEY"),
        ("INSERT INTO allotments (reference, month, due_at, units, cost) VALUES ('pi_9', 1, 0, 5, 0)", "FOREIGN KEY"),
        ("INSERT INTO allotments (reference, month, due_at, units, cost) VALUES ('pi_1', 1, 0, 0, 0)", check_failed),
        ("INSERT INTO refunds (id, payment, amount, state, made_at) VALUES ('re_1', 'pi_9', 1, 'pending', 0)", "FOREIGN KEY"),
        ("INSERT INTO refunds (id, payment, amount, state, made_at) VALUES ('re_1', 'pi_1', 1, 'gone', 0)", check_failed),
        ("INSERT INTO credit_notes (id, payment, returned, status, made_at) VALUES ('cn_1', 'pi_1', 1, 'gone', 0)", check_failed),
        ("INSERT INTO disputes (id, payment, disputed, withheld, stage, moves, opened_at, currency) VALUES ('dp_1', 'pi_1', 1, 1, 'gone', 1, 0, 'usd')", check_failed),
        ("INSERT INTO backups (one, made_at, place, bytes) VALUES (2, 0, '-', 1)", check_failed),
        ("INSERT INTO backups (one, made_at, place, bytes) VALUES (1, 0, '', 1)", check_failed),
        ("INSERT INTO backups (one, made_at, place, bytes) VALUES (1, 0, '-', 0)", check_failed),
        ("INSERT INTO stripe_account (one, id, livemode, bound_at) VALUES (2, 'acct_1', 0, 0)", check_failed),
        ("INSERT INTO stripe_account (one, id, livemode, bound_at) VALUES (1, '', 0, 0)", check_failed),
        ("INSERT INTO stripe_account (one, id, livemode, bound_at) VALUES (1, 'acct_1', 2, 0)", check_failed),
        ("INSERT INTO webhook_endpoints (id, url, kinds, secret, created_at) VALUES ('hook_1', '', '*', 'x', 0)", check_failed),
        ("INSERT INTO tokens (id, name, hash, scopes, created_at) VALUES ('t', 'n', zeroblob(32), 'self', 0)", check_failed),
        (
            "INSERT INTO tokens (id, name, hash, scopes, account, created_at) VALUES ('t', 'n', zeroblob(32), 'read', 1, 0)",
            check_failed,
        ),
        ("INSERT INTO messages (number, id, account, kind, body, created_at) VALUES (1, 'm', 9, 'x', '', 0)", "FOREIGN KEY"),
        ("INSERT INTO deliveries (endpoint, message, account, give_up_at) VALUES ('hook_9', 1, 1, 0)", "FOREIGN KEY"),
        ("INSERT INTO messages (number, id, account, kind, body, created_at) VALUES (0, 'm', 1, 'x', '', 0)", check_failed),
        ("UPDATE figures SET writer = -1", check_failed),
        (
            "INSERT INTO deliveries (endpoint, message, account, give_up_at, delivered_at, parked_at)
                VALUES ('hook_9', 1, 1, 0, 0, 0)",
            check_failed,
        ),
        (
            "INSERT INTO deliveries (endpoint, message, account, give_up_at, delivered_at, next_attempt_at)
                VALUES ('hook_9', 1, 1, 0, 0, 0)",
            check_failed,
        ),
        (
            "INSERT INTO events (id, kind, livemode, body, created_at, received_at, status, detail, attempts, decided_at)
                VALUES ('evt_1', 'x', 0, '{}', 0, 0, 'waiting', '', 1, 0)",
            check_failed,
        ),
    ] {
        check(&outside, sql, expected);
    }
}
