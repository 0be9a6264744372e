//! What the tables refuse of what was paid for lots, and of the times of what was returned.

use super::tables::{books, check};

#[test]
fn no_cost_and_no_time_breaks_a_rule_of_its_table() {
    let (_books, outside) = books();
    let check_failed = "CHECK constraint failed";
    for (sql, expected) in [
        ("INSERT INTO allotments (reference, month, due_at, units, cost) VALUES ('pi_1', 1, 0, 1, -1)", check_failed),
        ("UPDATE lots SET cost = 1", check_failed),
        ("UPDATE lots SET cost = -1, currency = 'usd'", check_failed),
        ("UPDATE lots SET cost = 1, currency = 'usd', payment = NULL", check_failed),
        ("UPDATE books SET front_paid = '' WHERE part = 1", check_failed),
        ("UPDATE books SET front_paid = '0 1 1 usd' WHERE part = 0", check_failed),
        ("UPDATE books SET front_paid = '0 1 1 usd' WHERE part = 2", check_failed),
        (
            "INSERT INTO refunds (id, payment, amount, state, made_at) VALUES ('re_1', 'pi_1', 1, 'failed', 0)",
            check_failed,
        ),
        (
            "INSERT INTO credit_notes (id, payment, returned, status, made_at) VALUES ('cn_1', 'pi_1', 1, 'void', 0)",
            check_failed,
        ),
    ] {
        check(&outside, sql, expected);
    }
}
