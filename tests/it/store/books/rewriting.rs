//! Somebody rewrites the books with all hashes new, so that they prove themselves: an anchor that was taken before shows it,
//! however much was added since. And somebody changes the schema.

use till::ledger::Chain;
use till::store::{Tx, entries};
use till::usecase::operator::head::{Anchor, take};
use till::usecase::operator::verify::{verify, verify_against};

use super::tampering::Tampered;
use super::{Books, Move};

/// Computes an account's chain again from its first entry, so that it proves itself.
fn recompute(tampered: &Tampered, account: i64) {
    let page = |tx: &mut dyn Tx| entries::of_account_after(tx, account, 0, 1000);
    let mut chain = Chain::start(account);
    let (mut entries, hex) = (tampered.books.app.store.read(page).unwrap(), till::id::hex);
    for entry in &mut entries {
        entry.previous = chain.head;
        entry.balance_after = chain.remaining + entry.delta;
        chain.follow(entry).unwrap();
        let (previous, balance) = (hex(&entry.previous), entry.balance_after);
        tampered.change(&format!(
            "UPDATE books SET previous = x'{previous}', balance_after = {balance}
                WHERE account = {account} AND part = 0 AND seq = {}",
            entry.seq
        ));
    }
    let Chain { remaining, credited, entries, head, .. } = chain;
    tampered.change(&format!(
        "UPDATE books SET remaining = {remaining}, credited = {credited}, entries = {entries}, head = x'{}'
            WHERE account = {account} AND part = 1",
        hex(&head)
    ));
}

fn breaks(books: &Books, anchor: Option<&Anchor>) -> Vec<String> {
    let proof = verify_against(&books.app, anchor, |_| ()).unwrap();
    proof.breaks.into_iter().map(|found| format!("{}: {}", found.account, found.what)).collect()
}

#[test]
fn an_anchor_holds_however_the_books_grow_and_no_rewriting_passes_it() {
    let mut tampered = Tampered::open();
    let early = take(&tampered.books.app).unwrap();
    assert_eq!(breaks(&tampered.books, Some(&early)), Vec::<String>::new());
    // Without a change the next one says the same.
    let second = take(&tampered.books.app).unwrap();
    assert_eq!((second.number, second.head), (early.number + 1, early.head));
    for step in [Move::Grant { units: 3, lives: None }, Move::Spend { units: 1 }] {
        (0..3).for_each(|whose| tampered.books.make(whose, &step));
    }
    let late = take(&tampered.books.app).unwrap();
    assert_ne!(late.head, early.head);
    // Also if the clock steps back.
    tampered.books.make(0, &Move::Wait { millis: -100_000 });
    tampered.books.make(1, &Move::Grant { units: 3, lives: None });
    for anchor in [&early, &second, &late] {
        let line = Anchor::parse(&anchor.to_string()).unwrap();
        assert_eq!(breaks(&tampered.books, Some(&line)), Vec::<String>::new());
    }
    let unknown = Anchor { number: late.number + 1, ..late };
    assert!(breaks(&tampered.books, Some(&unknown))[0].contains("is not known to these books"));
    tampered.keep();

    // Account 2 bought 7, spent 7, and was refunded; then came a grant and a spend.
    for (change, is_early) in [
        ("UPDATE books SET created_at = created_at - 5 WHERE account = 2 AND part = 0 AND seq = 2", true),
        (
            "UPDATE books SET note = NULL, note_salt = NULL, note_digest = NULL WHERE account = 2 AND part = 0 AND seq = 4",
            false,
        ),
        (
            "UPDATE books SET reason = 'spend_x' WHERE account = 2 AND part = 0 AND seq = 2;
            UPDATE books SET used_reason = 'spend_x' WHERE account = 2 AND part = 2 AND used_by = 2",
            true,
        ),
        // The last entry of all cut off.
        (
            "DELETE FROM books WHERE account = 3 AND part IN (0, 2) AND (seq = 2 OR used_by = 2);
            UPDATE books SET front_free = front_free + 1 WHERE account = 3 AND part = 1;
            UPDATE figures SET used = used - 1, units_left = units_left + 1
                WHERE used > 0 AND writer = (SELECT MAX(writer) FROM figures WHERE used > 0)",
            false,
        ),
    ] {
        tampered.change(change);
        let account = if change.contains("account = 3") { 3 } else { 2 };
        recompute(&tampered, account);
        assert_eq!(breaks(&tampered.books, None), Vec::<String>::new(), "it proves itself: {change}");
        for (anchor, is_seen) in [(&early, is_early), (&late, true)] {
            let found = breaks(&tampered.books, Some(anchor));
            assert_eq!(!found.is_empty(), is_seen, "anchor {}: {change}: {found:?}", anchor.number);
            assert!(found.iter().all(|what| what.contains("the anchor")), "{found:?}");
        }
        tampered.restore();
    }
    // So is a user who was removed with everything that is theirs, and an entry that claims to be of another time.
    tampered.change(
        "DELETE FROM books WHERE account = 3; DELETE FROM lots WHERE account = 3; DELETE FROM users WHERE account = 3",
    );
    let found = breaks(&tampered.books, None);
    assert!(!found.is_empty() && found.iter().all(|what| what.contains("the figure ")), "{found:?}");
    assert!(breaks(&tampered.books, Some(&late))[0].contains(" of 2: "));
    tampered.restore();
    assert_eq!(breaks(&tampered.books, None), Vec::<String>::new());
    tampered.change("UPDATE books SET anchors = 0 WHERE account = 1 AND part = 0");
    assert_eq!((breaks(&tampered.books, Some(&early)).len(), breaks(&tampered.books, None).len()), (1, 0));
    tampered.restore();
    assert_eq!(breaks(&tampered.books, Some(&late)), Vec::<String>::new());
}

#[test]
fn a_schema_that_is_not_ours_is_seen() {
    let books = Books::open();
    let hand = books.hand();
    // Litestream's tables are of no concern, nor are SQLite's own.
    hand.run("CREATE TABLE _litestream_seq (id INTEGER); CREATE TABLE _litestream_lock (id INTEGER); ANALYZE");
    assert!(verify(&books.app, |_| ()).unwrap().breaks.is_empty());
    if !hand.is_in_a_file() {
        let names =
            "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace ORDER BY 1 LIMIT 1";
        let name = hand.text(names);
        hand.run(&format!("CREATE FUNCTION {name}(planted INTEGER) RETURNS INTEGER LANGUAGE sql AS 'SELECT 1'"));
        let found = breaks(&books, None);
        assert!(found.iter().any(|what| what.contains(&format!("function {name} is not the one"))), "{found:?}");
        hand.run(&format!("DROP FUNCTION {name}(INTEGER)"));
    }
    let [plant, remove] = hand.trigger("users");
    let unguard = format!("DROP TRIGGER entries_are_not_removed{}", if hand.is_in_a_file() { "" } else { " ON books" });
    for (change, back, expected) in [
        (plant.as_str(), remove.as_str(), "has a trigger planted of users that"),
        ("CREATE VIEW planted AS SELECT 1 AS a", "DROP VIEW planted", "has a view planted that"),
        ("CREATE TABLE planted (a INTEGER)", "DROP TABLE planted", "has a table planted that"),
        ("CREATE INDEX planted ON users (name)", "DROP INDEX planted", "has a index planted of users that"),
        (
            "ALTER TABLE users ADD COLUMN planted TEXT",
            "ALTER TABLE users DROP COLUMN planted",
            "table users is not the one",
        ),
        ("DROP INDEX users_by_email", "CREATE INDEX users_by_email ON users (name)", "lacks the index users_by_email"),
        ("SELECT 1", &unguard, "index users_by_email is not the one"),
        ("SELECT 1", "SELECT 1", "lacks the trigger entries_are_not_removed"),
    ] {
        hand.run(change);
        let found = breaks(&books, None);
        assert!(found.iter().any(|what| what.contains(expected)), "{change}: {found:?}");
        hand.run(back);
    }
}
