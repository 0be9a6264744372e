//! What the tables refuse, whoever asks: entries are for ever, and no row breaks a rule of its table. The statements
//! come past the store, on a connection of their own.

use super::{Books, add_user};

/// Two users; the first has an account, an entry and a lot.
const STORY: &str = "
    INSERT INTO entries (account, seq, kind, delta, balance_after, reason, created_at, previous)
        VALUES (1, 1, 'grant', 100, 100, 'grant_1', 0, zeroblob(32));
    INSERT INTO payments (reference, account, kind, gave, taken, amount, currency, offer, out_of_band, refund_stated,
            reversals, paid_at) VALUES ('pi_1', 1, 'pack', 100, 0, 900, 'usd', 'topup_100', 0, 0, 0, 0);
    INSERT INTO lots (account, seq, units, remaining, held, expired, payment) VALUES (1, 1, 100, 100, 0, 0, 'pi_1');
    UPDATE accounts SET remaining = 100, credited = 100, entries = 1 WHERE account = 1;";

fn books() -> (Books, rusqlite::Connection) {
    let books = Books::open();
    books.store.write(|tx| (0..2).try_for_each(|number| add_user(tx, number))).unwrap();
    let outside = books.outside();
    outside.execute_batch(STORY).unwrap();
    (books, outside)
}

/// The statement fails with these words, and all tables are as before.
fn check(outside: &rusqlite::Connection, sql: &str, expected: &str) {
    let before = dump(outside);
    let refused = outside.execute_batch(sql).expect_err(sql).to_string();
    assert!(refused.contains(expected), "{sql}: {refused}");
    assert_eq!(dump(outside), before, "{sql}");
}

fn dump(outside: &rusqlite::Connection) -> Vec<String> {
    let rows = "SELECT account || ' ' || seq || ' ' || kind || ' ' || delta || ' ' || reason || ' ' || hex(previous)
            FROM entries
        UNION ALL SELECT account || ' ' || remaining || ' ' || held || ' ' || credited || ' ' || entries FROM accounts
        UNION ALL SELECT account || ' ' || seq || ' ' || units || ' ' || remaining FROM lots
        UNION ALL SELECT account || ' ' || id FROM users UNION ALL SELECT id || ' ' || status FROM events ORDER BY 1";
    let mut rows = outside.prepare(rows).unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn entries_are_never_changed_or_removed() {
    let (_books, outside) = books();
    const ROW: &str = "(account, seq, kind, delta, balance_after, reason, created_at, previous)
        VALUES (1, 1, 'grant', 200, 200, 'grant_1', 0, zeroblob(32))";
    for sql in [
        "UPDATE entries SET delta = 200",
        "UPDATE entries SET note = 'other' WHERE seq = 1",
        "UPDATE OR IGNORE entries SET note = 'other'",
        "UPDATE OR REPLACE entries SET seq = 2",
        &format!("INSERT INTO entries {ROW} ON CONFLICT (account, seq) DO UPDATE SET delta = 200"),
    ] {
        check(&outside, sql, "ledger entries are never changed");
    }
    for sql in [
        "DELETE FROM entries",
        "DELETE FROM entries WHERE seq = 1",
        &format!("INSERT OR REPLACE INTO entries {ROW}"),
        &format!("REPLACE INTO entries {}", ROW.replace("(1, 1,", "(1, 2,")),
        "INSERT OR REPLACE INTO entries SELECT * FROM entries",
    ] {
        check(&outside, sql, "ledger entries are never removed");
    }
    check(&outside, "DROP TABLE entries", "FOREIGN KEY");
}

fn entry(values: &str) -> String {
    format!(
        "INSERT INTO entries (account, seq, kind, delta, balance_after, reason, created_at, previous) VALUES ({values})"
    )
}

#[test]
fn no_entry_breaks_a_rule_of_its_table() {
    let (_books, outside) = books();
    let taken = "UNIQUE constraint failed";
    let check_failed = "CHECK constraint failed";
    for (values, expected) in [
        ("1, 2, 'grant', 5, 105, 'grant_1', 0, zeroblob(32)", taken),
        ("1, 1, 'grant', 5, 105, 'grant_2', 0, zeroblob(32)", taken),
        ("1, 0, 'grant', 5, 105, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'gift', 5, 105, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'grant', 0, 100, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'grant', 5, 1000000000000001, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'grant', -5, -1000000000000001, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'spend', -101, -1, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'spend', 5, 105, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'expiry', 5, 105, 'x', 0, zeroblob(32)", check_failed),
        ("1, 2, 'grant', 5, 105, 'x', 0, zeroblob(31)", check_failed),
        ("1, 2, 'grant', 1.5, 105, 'x', 0, zeroblob(32)", "cannot store REAL"),
        ("1, 2, 'grant', 'five', 105, 'x', 0, zeroblob(32)", "cannot store TEXT"),
        ("1, 2, 'grant', 9223372036854775807 + 1, 105, 'x', 0, zeroblob(32)", "cannot store REAL"),
        ("1, 2, 'grant', 5, 105, NULL, 0, zeroblob(32)", "NOT NULL"),
        ("9, 1, 'grant', 5, 5, 'x', 0, zeroblob(32)", "FOREIGN KEY"),
    ] {
        check(&outside, &entry(values), expected);
    }
}

#[test]
fn a_stripe_id_belongs_to_one_user_and_a_callers_key_to_each() {
    let (_books, outside) = books();
    let taken = "UNIQUE constraint failed";
    outside.execute_batch(&entry("1, 2, 'topup', 5, 105, 'topup_pi_1', 0, zeroblob(32)")).unwrap();
    check(&outside, &entry("2, 1, 'topup', 5, 5, 'topup_pi_1', 0, zeroblob(32)"), taken);
    outside.execute_batch(&entry("2, 1, 'grant', 5, 5, 'grant_1', 0, zeroblob(32)")).unwrap();
}

#[test]
fn no_other_row_breaks_a_rule_of_its_table() {
    let (_books, outside) = books();
    let (taken, check_failed) = ("UNIQUE constraint failed", "CHECK constraint failed");
    for (sql, expected) in [
        ("UPDATE accounts SET remaining = 1000000000000001", check_failed),
        ("UPDATE accounts SET remaining = -1000000000000001", check_failed),
        ("UPDATE accounts SET held = -1", check_failed),
        ("UPDATE accounts SET credited = -1", check_failed),
        ("UPDATE accounts SET head = zeroblob(16)", check_failed),
        ("UPDATE lots SET held = 101", check_failed),
        ("UPDATE lots SET remaining = -1", check_failed),
        ("UPDATE lots SET units = 0", check_failed),
        ("UPDATE lots SET expired = -1", check_failed),
        ("INSERT INTO lots (account, seq, units, remaining, held, expired) VALUES (1, 7, 1, 1, 0, 0)", "FOREIGN KEY"),
        ("INSERT INTO users (account, id, created_at) VALUES (3, '', 0)", check_failed),
        ("INSERT INTO users (account, id, created_at) VALUES (3, 'user_0', 0)", taken),
        ("DELETE FROM users WHERE account = 1", "FOREIGN KEY"),
        ("DELETE FROM accounts WHERE account = 1", "FOREIGN KEY"),
        ("UPDATE payments SET taken = 101", check_failed),
        ("UPDATE payments SET gave = -1", check_failed),
        ("UPDATE payments SET kind = 'gift'", check_failed),
        ("UPDATE lots SET payment = 'pi_9'", "FOREIGN KEY"),
        ("INSERT INTO allotments (reference, month, due_at, units) VALUES ('pi_9', 1, 0, 5)", "FOREIGN KEY"),
        ("INSERT INTO allotments (reference, month, due_at, units) VALUES ('pi_1', 1, 0, 0)", check_failed),
        ("INSERT INTO refunds (id, payment, amount, state) VALUES ('re_1', 'pi_9', 1, 0)", "FOREIGN KEY"),
        ("INSERT INTO refunds (id, payment, amount, state) VALUES ('re_1', 'pi_1', 1, 3)", check_failed),
        ("INSERT INTO hooks (id, url, kinds, secret, created_at) VALUES ('hook_1', '', '*', 'x', 0)", check_failed),
        ("INSERT INTO messages (number, id, account, kind, body, created_at) VALUES (1, 'm', 9, 'x', '', 0)", "FOREIGN KEY"),
        ("INSERT INTO deliveries (hook, message, account, give_up_at) VALUES ('hook_9', 1, 1, 0)", "FOREIGN KEY"),
        (
            "INSERT INTO deliveries (hook, message, account, give_up_at, delivered_at, parked_at)
                VALUES ('hook_9', 1, 1, 0, 0, 0)",
            check_failed,
        ),
        (
            "INSERT INTO deliveries (hook, message, account, give_up_at, delivered_at, next_attempt_at)
                VALUES ('hook_9', 1, 1, 0, 0, 0)",
            check_failed,
        ),
        (
            "INSERT INTO events (id, kind, livemode, body, created_at, received_at, status, detail, attempts, decided_at)
                VALUES ('evt_1', 'x', 0, '{}', 0, 0, 'waiting', '', 1, 0)",
            check_failed,
        ),
        (
            "INSERT INTO events (id, kind, livemode, body, created_at, received_at, status, detail, attempts, decided_at)
                VALUES ('evt_1', 'x', 2, '{}', 0, 0, 'applied', '', 1, 0)",
            check_failed,
        ),
    ] {
        check(&outside, sql, expected);
    }
}
