//! Somebody changes the file with a tool of their own, past triggers and checks: the proof says so, whatever it was.
//! (Books that were rewritten as a whole, with all hashes new: see `rewriting.rs`.)

use std::sync::mpsc::channel;

use till::error::Error;
use till::usecase::units::hold::{self, Closing, HoldRequest};
use till::usecase::units::request::IdempotencyKey;

use super::{Books, Move};
use crate::harness::Hand;

/// Tables of the books, in the order in which they are filled.
const TABLES: &[&str] =
    &["users", "books", "lots", "payments", "holds", "hold_lots", "refunds", "figures", "subscription_counts"];

/// Books in which everything has happened, and a hand that changes them.
pub(super) struct Tampered {
    pub books: Books,
    pub hand: Hand,
}

impl Tampered {
    pub fn open() -> Tampered {
        let mut books = Books::open();
        for step in [
            Move::Grant { units: 50, lives: Some(10) },
            Move::Buy { units: 100 },
            Move::Spend { units: 30 },
            Move::Wait { millis: 20 },
            Move::Expire,
            Move::Grant { units: 40, lives: Some(1000) },
            Move::Reverse { payment: 0, take: 60 },
            Move::Reverse { payment: 0, take: 20 },
            Move::Correct { units: 5 },
            Move::Spend { units: 1 },
        ] {
            books.make(0, &step);
        }
        books.make(1, &Move::Buy { units: 7 });
        books.make(1, &Move::Spend { units: 7 });
        // Spent and then refunded: a debt.
        books.make(1, &Move::Reverse { payment: 0, take: 7 });
        held(&mut books);
        books.check();
        let hand = Hand::open_unbound(&books.folder.database("till.db"));
        for table in TABLES {
            hand.run(&format!("CREATE TEMP TABLE honest_{table} AS SELECT * FROM {table}"));
        }
        Tampered { books, hand }
    }

    /// Makes a change that no trigger stops.
    pub fn change(&self, change: &str) {
        self.attempt(change).unwrap_or_else(|why| panic!("{change}: {why}"));
    }

    fn attempt(&self, change: &str) -> Result<(), String> {
        self.hand.attempt(&format!("BEGIN; {change}; COMMIT"))
    }

    /// Makes the change, which the proof must see, and takes it back.
    fn check(&self, change: &str) {
        assert!(!self.found(change).is_empty(), "not seen: {change}");
    }

    /// What the proof finds of a change, which is then taken back.
    pub fn found(&self, change: &str) -> Vec<String> {
        if let Err(why) = self.attempt(change) {
            // The checks of PostgreSQL's tables cannot be put aside without a trace.
            let is_kept_out = why.contains("CHECK constraint") || why.contains("UNIQUE constraint");
            assert!(is_kept_out && !self.hand.is_in_a_file(), "{change}: {why}");
            return vec![why];
        }
        let breaks = match self.books.proof() {
            Ok(proof) => proof.breaks.iter().map(|found| found.what.clone()).collect(),
            Err(Error::Fault(fault)) => vec![fault.to_string()],
            Err(other) => panic!("{change}: {other}"),
        };
        self.restore();
        breaks
    }

    /// All tables as they were.
    pub fn restore(&self) {
        let restore =
            TABLES.iter().map(|table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM honest_{table}"));
        self.change(&restore.collect::<Vec<_>>().join(";"));
    }

    /// What is stored now is honest from here on.
    pub fn keep(&self) {
        for table in TABLES {
            let keep = format!("DELETE FROM honest_{table}; INSERT INTO honest_{table} SELECT * FROM {table}");
            self.hand.run(&keep);
        }
    }

    /// The keys of a table's rows.
    fn keys(&self, table: &str, columns: &str) -> Vec<(i64, i64)> {
        let rows = self.hand.rows(&format!("SELECT {columns} FROM {table} ORDER BY 1, 2"));
        rows.iter().map(|row| (row[0].parse().unwrap(), row[1].parse().unwrap())).collect()
    }
}

/// Holds of user_0, one closed in each way and two open, one of which lies in two lots.
pub(super) fn held(books: &mut Books) {
    for (number, (units, seconds, closing)) in [
        (5, 900, Some(Closing::capture(Some(3)).unwrap())),
        (4, 900, Some(Closing::Release)),
        (2, 1, None),
        (4, 900, None),
        (30, 900, None),
    ]
    .into_iter()
    .enumerate()
    {
        let (answer, answered) = channel();
        let key = IdempotencyKey::parse(&number.to_string()).unwrap();
        let wanted = HoldRequest::new(super::user(0), units, Some(seconds), Some("n".into()), key).unwrap();
        hold::hold(&books.app, wanted, move |made| answer.send(made).unwrap());
        let id = answered.recv().unwrap().unwrap().hold.id();
        let (answer, answered) = channel();
        if let Some(closing) = closing {
            hold::close(&books.app, &id, closing, move |closed| answer.send(closed).unwrap());
            books.sums[0] -= answered.recv().unwrap().unwrap().hold.captured;
        }
    }
    books.make(2, &Move::Wait { millis: 1500 });
    books.make(2, &Move::Expire);
}

#[test]
fn no_column_of_any_entry_or_reason_can_be_changed_unseen() {
    let tampered = Tampered::open();
    for (account, seq) in tampered.keys("entries", "account, seq") {
        let its_reason = format!("account = {account} AND part = 2 AND used_by = {seq}");
        for change in [
            "account = account + 10",
            "account = account % 2 + 1",
            "used_reason = used_reason || 'x'",
            "used_reason = '!'",
            "seq = 1",
            "part = 0",
            "part = 1",
            "part = 3",
            "part = -1",
            "used_by = used_by + 1",
            "used_by = used_by + 100",
            "used_by = NULL",
            "kind = 'grant'",
            "note = 'x'",
            "anchors = 1",
            "actor = 'x'",
            "held = 1",
        ] {
            tampered.check(&format!("UPDATE books SET {change} WHERE {its_reason}"));
        }
        tampered.check(&format!("DELETE FROM books WHERE {its_reason}"));
        for change in [
            "account = account + 10",
            "account = account % 2 + 1, seq = seq + 100",
            "seq = seq + 100",
            "part = 2",
            "used_reason = 'x'",
            "kind = CASE kind WHEN 'dispute' THEN 'refund' ELSE 'dispute' END",
            "delta = delta + 1",
            "delta = delta + 1, balance_after = balance_after + 1",
            "balance_after = balance_after - 1",
            "reason = reason || 'x'",
            "note = COALESCE(note, '') || 'x'",
            "note = 'x', note_salt = zeroblob(16)",
            "note = 'x', note_salt = zeroblob(16), note_digest = zeroblob(32)",
            "note = CASE WHEN note IS NULL THEN 'x' END",
            "note_salt = CASE WHEN note_salt IS NULL THEN zeroblob(16) END",
            "note_digest = CASE WHEN note_digest IS NULL THEN zeroblob(32) END",
            "note = NULL, note_salt = NULL, note_digest = CASE WHEN note IS NULL THEN zeroblob(32) END",
            // Columns of another part.
            "remaining = 1",
            "used_by = 1",
            "lots_digest = zeroblob(32)",
            "note = CAST(x'ff' AS TEXT)",
            "lot = COALESCE(lot, 0) + 1",
            "expires_at = COALESCE(expires_at, 0) + 1",
            "created_at = created_at + 1",
            "previous = randomblob(32)",
        ] {
            tampered
                .check(&format!("UPDATE books SET {change} WHERE account = {account} AND part = 0 AND seq = {seq}"));
        }
        tampered.check(&format!("DELETE FROM books WHERE account = {account} AND part = 0 AND seq = {seq}"));
        tampered.check(&format!("DELETE FROM books WHERE account = {account} AND part = 0 AND seq >= {seq}"));
        tampered.check(&format!("DELETE FROM books WHERE account = {account} AND part = 0 AND seq <= {seq}"));
    }
    tampered.books.check();
}

#[test]
fn entries_cannot_change_places_be_added_or_cut_off_unseen() {
    let tampered = Tampered::open();
    for change in [
        // Two change places.
        "UPDATE books SET seq = 100 WHERE account = 1 AND part = 0 AND seq = 2;
            UPDATE books SET seq = 2 WHERE account = 1 AND part = 0 AND seq = 3;
            UPDATE books SET seq = 3 WHERE account = 1 AND part = 0 AND seq = 100",
        // So do two reasons; one is made up.
        "UPDATE books SET used_by = 5 - used_by WHERE account = 1 AND part = 2 AND used_by IN (2, 3)",
        "INSERT INTO books (account, part, used_reason, used_by) VALUES (1, 2, 'grant_x', 1)",
        "INSERT INTO books (account, part, used_reason, used_by) VALUES (1, 2, 'grant_x', 100)",
        "INSERT INTO books (account, part, used_reason, used_by) VALUES (9, 2, 'grant_x', 1)",
        // One more at the end, with a balance and a hash made up, and the account made to fit.
        "INSERT INTO books (account, part, used_reason, used_by)
                SELECT account, 2, 'grant_x', entries + 1 FROM accounts WHERE account = 1;
            INSERT INTO books (account, part, seq, kind, delta, balance_after, reason, created_at, previous)
                SELECT account, 0, seq + 1, 'grant', 1000, balance_after + 1000, 'grant_x', created_at, zeroblob(32)
                FROM entries WHERE account = 1 ORDER BY seq DESC LIMIT 1;
            UPDATE books SET entries = entries + 1, remaining = remaining + 1000 WHERE account = 1 AND part = 1",
        // The last one cut off, and the account made to fit.
        "DELETE FROM books WHERE account = 1 AND part = 2 AND used_by = (SELECT entries FROM accounts WHERE account = 1);
            DELETE FROM books WHERE account = 1 AND part = 0 AND seq = (SELECT entries FROM accounts WHERE account = 1);
            UPDATE books SET entries = entries - 1, remaining = remaining + 1 WHERE account = 1 AND part = 1;
            UPDATE lots SET remaining = remaining + 1 WHERE account = 1 AND remaining > 0 AND expires_at IS NOT NULL",
        "DELETE FROM books WHERE part = 0",
        "DELETE FROM books WHERE part <> 1",
        "DELETE FROM books WHERE part <> 1; DELETE FROM lots; DELETE FROM payments",
        "DELETE FROM books; DELETE FROM lots; DELETE FROM payments",
    ] {
        tampered.check(change);
    }
    tampered.books.check();
}

#[test]
fn accounts_lots_and_payments_cannot_be_changed_unseen() {
    let tampered = Tampered::open();
    for (account, _) in tampered.keys("accounts", "account, account") {
        for change in [
            "account = account + 10",
            "seq = 1",
            "used_reason = 'x'",
            "part = 0",
            "part = 2",
            "owner = owner + 1",
            "owner = NULL",
            "remaining = remaining + 1",
            "held = held + 1",
            "credited = credited + 1",
            "entries = entries + 1",
            "head = randomblob(32)",
            "next_due = COALESCE(next_due, 0) + 1",
            "front_free = COALESCE(front_free, 0) + 1",
            "front = COALESCE(front, 0) + 100",
            "lots_digest = randomblob(32)",
            "delta = 1",
            "note_digest = zeroblob(32)",
            "used_by = 1",
        ] {
            tampered.check(&format!("UPDATE books SET {change} WHERE account = {account} AND part = 1"));
        }
        tampered.check(&format!("DELETE FROM books WHERE account = {account} AND part = 1"));
    }
    for (account, seq) in tampered.keys("lots", "account, seq") {
        for change in [
            "account = account % 2 + 1, seq = seq + 100",
            "seq = seq + 100",
            "units = units + 1",
            "remaining = remaining + 1",
            "expired = expired + 1",
            "expires_at = COALESCE(expires_at, 0) + 1",
            "grace_until = COALESCE(expires_at, 0) + 1",
        ] {
            tampered.check(&format!("UPDATE lots SET {change} WHERE account = {account} AND seq = {seq}"));
        }
        tampered.check(&format!("DELETE FROM lots WHERE account = {account} AND seq = {seq}"));
    }
    // Units moved from one lot to another, whose sum stays.
    tampered.check(
        "UPDATE lots SET remaining = remaining + 2 WHERE account = 1 AND seq =
                (SELECT seq FROM lots WHERE account = 1 ORDER BY remaining, seq LIMIT 1);
            UPDATE lots SET remaining = remaining - 2 WHERE account = 1 AND seq =
                (SELECT seq FROM lots WHERE account = 1 ORDER BY remaining DESC, seq DESC LIMIT 1)",
    );
    tampered.check("UPDATE lots SET held = 1 WHERE remaining > 0");
    tampered.check("UPDATE lots SET remaining = 0");
    tampered.check("UPDATE lots SET payment = NULL");
    tampered.check("UPDATE lots SET payment = 'pi_x' WHERE account = 2");
    tampered.check("UPDATE payments SET units_granted = units_granted + 1");
    // Of a payment that was reversed, and of one that was not.
    for (_, number) in tampered.keys("payments", "account, row_number() OVER (ORDER BY reference)") {
        let its =
            format!("reference = (SELECT reference FROM payments ORDER BY reference LIMIT 1 OFFSET {})", number - 1);
        tampered.check(&format!("UPDATE payments SET account = 3 - account WHERE {its}"));
        tampered.check(&format!("UPDATE payments SET account = 3 WHERE {its}"));
        tampered.check(&format!("UPDATE payments SET reversals = reversals + 1 WHERE {its}"));
    }
    tampered.check("UPDATE payments SET units_reversed = units_granted - units_reversed");
    tampered.check("INSERT INTO users (account, id, created_at) VALUES (9, 'x', 0)");
    tampered.check("DELETE FROM users WHERE account = 1");
    tampered.check("UPDATE users SET account = 9 WHERE account = 1");
    tampered.books.check();
}

#[test]
fn nothing_is_left_of_accounts_that_are_gone_or_that_cannot_be() {
    let tampered = Tampered::open();
    // What belongs to accounts that are gone, or that cannot be.
    tampered.check("INSERT INTO lots (account, seq, units, remaining, held, expired) VALUES (77, 1, 5, 5, 0, 0)");
    tampered
        .check("INSERT INTO holds (account, number, key, units, created_at, expires_at) VALUES (77, 1, 'k', 5, 0, 1)");
    tampered.check("INSERT INTO hold_lots (account, number, lot, units) VALUES (77, 1, 1, 5)");
    tampered.check("DELETE FROM books WHERE account = 2; DELETE FROM users WHERE account = 2; DELETE FROM payments");
    for account in [0, -1] {
        tampered.check(&format!("INSERT INTO users (account, id, created_at) VALUES ({account}, 'x', 0)"));
        tampered.check(&format!(
            "INSERT INTO users (account, id, created_at) VALUES ({account}, 'x', 0);
            INSERT INTO books (account, part, owner, remaining, held, credited, entries, head, holds)
                VALUES ({account}, 1, {account}, 0, 0, 0, 0, zeroblob(32), 0)"
        ));
    }
    // An entry numbered 0, with its claim.
    tampered.check(
        "INSERT INTO books (account, part, used_reason, used_by) VALUES (1, 2, 'grant_x', 0);
            INSERT INTO books (account, part, seq, kind, delta, balance_after, reason, created_at, previous)
                VALUES (1, 0, 0, 'grant', 5, 5, 'grant_x', 0, zeroblob(32))",
    );
    tampered.books.check();
}

#[test]
fn holds_cannot_be_changed_unseen() {
    let tampered = Tampered::open();
    let holds = tampered.keys("holds", "account, number");
    assert_eq!(holds.len(), 5);
    for (_, number) in holds {
        for change in [
            "account = 2",
            "number = number + 100",
            "units = units + 1",
            "captured = captured + 1, captured_at = COALESCE(captured_at, 1)",
            "captured = 0, captured_at = NULL, released_at = CASE WHEN captured > 0 THEN 1 ELSE NULL END,
                expired_at = CASE WHEN captured > 0 OR expired_at IS NOT NULL OR released_at IS NOT NULL THEN NULL ELSE 1 END",
        ] {
            tampered.check(&format!("UPDATE holds SET {change} WHERE number = {number}"));
        }
        tampered.check(&format!("DELETE FROM holds WHERE number = {number}"));
        tampered.check(&format!(
            "DELETE FROM holds WHERE number = {number}; DELETE FROM hold_lots WHERE number = {number}"
        ));
        tampered.check(&format!("DELETE FROM hold_lots WHERE number = {number}"));
        tampered.check(&format!("UPDATE hold_lots SET units = units + 1 WHERE number = {number}"));
    }
    for change in [
        "UPDATE holds SET note = 'x' WHERE captured > 0",
        "UPDATE holds SET expires_at = expires_at - 1 WHERE number = 4",
        "UPDATE holds SET made_after = 999 WHERE number = 4",
        "UPDATE holds SET made_after = 999, ended_after = 999 WHERE ended_after IS NOT NULL",
        "UPDATE holds SET made_after = made_after + 1 WHERE number = 1",
        "UPDATE hold_lots SET lot = lot + 100 WHERE number = 5",
        "UPDATE hold_lots SET number = 9 WHERE number = 2",
        "UPDATE books SET holds = holds + 1 WHERE account = 1 AND part = 1",
        "UPDATE books SET holds = holds - 1 WHERE account = 1 AND part = 1",
        "INSERT INTO holds (account, number, key, units, created_at, expires_at, released_at) VALUES (1, 6, 'x', 1, 0, 1, 1)",
    ] {
        tampered.check(change);
    }
    tampered.books.check();
}
