//! What the tables refuse of customers, of letters, of what Stripe said, and of books on their way to another database.

use super::tables::{books, check};

#[test]
fn no_row_of_customers_of_letters_or_of_ignored_payments_breaks_a_rule_of_its_table() {
    let (_books, outside) = books();
    let (taken, check_failed) = ("UNIQUE constraint failed", "CHECK constraint failed");
    for (sql, expected) in [
        (
            "INSERT INTO events (id, kind, livemode, body, created_at, received_at, status, detail, attempts, decided_at)
                VALUES ('evt_1', 'x', 2, '{}', 0, 0, 'applied', '', 1, 0)",
            check_failed,
        ),
        (
            "INSERT INTO events (id, kind, livemode, body, created_at, received_at, status, ignore_reason, detail, attempts,
                decided_at) VALUES ('evt_1', 'x', 0, '{}', 0, 0, 'ignored', 'bored', '', 1, 0)",
            check_failed,
        ),
        (
            "INSERT INTO events (id, kind, livemode, body, created_at, received_at, status, ignore_reason, detail, attempts,
                decided_at) VALUES ('evt_1', 'x', 0, '{}', 0, 0, 'unmatched', 'foreign', '', 1, 0)",
            check_failed,
        ),
        (
            "INSERT INTO customers (account, generation, source, stripe_id, requested_at) VALUES (1, 9, 'guess', 'cus_9', 0)",
            check_failed,
        ),
        (
            "INSERT INTO customers (account, generation, source, stripe_id, requested_at) VALUES (1, 9, 'request', 'cus_9', 0)",
            check_failed,
        ),
        ("INSERT INTO customers (account, generation, source, requested_at) VALUES (1, 9, 'operator', 0)", check_failed),
        ("INSERT INTO mail_key (one, key, made_at) VALUES (1, zeroblob(31), 0)", check_failed),
        ("INSERT INTO mail_choices (account, kind, off_at) VALUES (9, 'welcome', 0)", "FOREIGN KEY"),
        (
            "INSERT INTO mails (number, reason, to_address, kind, locale, fields, created_at, give_up_at, sent_at)
                VALUES (1, 'r', 'a@b', 'welcome', 'en', '{}', 0, 0, 0)",
            check_failed,
        ),
        (
            "INSERT INTO customers (account, generation, source, stripe_id, requested_at)
                VALUES (1, 8, 'operator', 'cus_8', 0), (2, 8, 'checkout', 'cus_8', 0)",
            taken,
        ),
    ] {
        check(&outside, sql, expected);
    }
}

#[test]
fn no_mark_of_books_on_their_way_breaks_a_rule_of_its_table() {
    let (_books, outside) = books();
    for values in [
        "2, 'a', 'in', 'b', '', 0, NULL, NULL, NULL, 0",
        "1, '', 'in', 'b', '', 0, NULL, NULL, NULL, 0",
        "1, 'a', 'on', 'b', '', 0, NULL, NULL, NULL, 0",
        "1, 'a', 'in', '', '', 0, NULL, NULL, NULL, 0",
        "1, 'a', 'in', 'b', '', 0, 1, NULL, NULL, 0",
        "1, 'a', 'in', 'b', '', 0, NULL, 'users', NULL, 0",
        "1, 'a', 'in', 'b', '', 0, NULL, NULL, NULL, -1",
    ] {
        const NAMES: &str = "one, id, direction, other, anchor, begun_at, ended_at, part, position, rows";
        check(&outside, &format!("INSERT INTO relocation ({NAMES}) VALUES ({values})"), "CHECK constraint failed");
    }
}
