//! How SQLite finds rows of the books: by their whole key, without a scan and without sorting.

use super::Books;
use crate::harness::is_about_sqlite;

#[test]
fn a_row_of_the_books_is_found_by_its_whole_key_and_pages_are_not_sorted() {
    if is_about_sqlite("how SQLite looks rows up") {
        return;
    }
    let books = Books::open();
    let outside = books.outside();
    const WHOLE_KEY: &str = "USING PRIMARY KEY (account=? AND part=? AND seq=? AND used_reason=?)";
    for (sql, expected) in [
        ("SELECT held FROM accounts WHERE account = 1", WHOLE_KEY),
        ("SELECT kind FROM entries WHERE account = 1 AND seq = 1", WHOLE_KEY),
        ("SELECT seq FROM reasons WHERE account = 1 AND reason = 'grant_1'", WHOLE_KEY),
        ("SELECT u.id, a.held FROM users u JOIN accounts a ON a.account = u.account WHERE u.id = 'user_0'", WHOLE_KEY),
        (
            "SELECT u.id, a.held FROM users u JOIN accounts a ON a.account = u.account
                WHERE u.account > 1 ORDER BY u.account LIMIT 10",
            WHOLE_KEY,
        ),
        (
            "SELECT kind FROM entries WHERE account = 1 AND seq < 9 ORDER BY seq DESC LIMIT 10",
            "USING PRIMARY KEY (account=? AND part=? AND seq<?)",
        ),
    ] {
        let plan = outside.rows(&format!("EXPLAIN QUERY PLAN {sql}")).concat().join("; ");
        assert!(plan.contains(expected) && !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}
