//! The text of a user's notes can be erased, and the proof of the books stays.

use std::process::Command;

use till::usecase::operator::head::take;
use till::usecase::operator::verify::verify_against;
use till::usecase::stripe_events::bodies;
use till::usecase::units::grant::{GrantRequest, grant};
use till::usecase::units::request::IdempotencyKey;
use till::usecase::users::notes;

use super::tampering::held;
use super::{Books, Move, user};

const SECRET: &str = "Erika Mustermann of 12 Long Street";

/// How often a text is in the files of the database, or in the rows of one on a server.
fn copies(books: &Books, text: &str) -> usize {
    let hand = books.hand();
    if !hand.is_in_a_file() {
        return hand.everything().iter().filter(|found| found.contains(text)).count();
    }
    // It ends with 1 where it finds nothing.
    let mut grep = Command::new("grep");
    grep.args(["--text", "--only-matching", "--no-filename", "--fixed-strings", text]);
    let found = grep.args(["till.db", "till.db-wal"]).current_dir(books.folder.path("")).output().unwrap();
    assert!(found.stderr.is_empty(), "{found:?}");
    String::from_utf8(found.stdout).unwrap().lines().count()
}

#[test]
fn the_text_of_notes_is_erased_from_the_file_and_the_proof_stays() {
    let mut books = Books::open();
    let given = |number: usize, note: &str| {
        let key = IdempotencyKey::parse(&format!("note-{number}")).unwrap();
        GrantRequest::new(7, note.to_owned(), None, key).unwrap()
    };
    // So many that pages were split, and more than one batch.
    for number in 0..1200 {
        let note = if number % 2 == 0 { SECRET.to_owned() } else { format!("{SECRET}, {}", "and more ".repeat(40)) };
        grant(&books.app, &user(0), &given(number, &note)).unwrap();
        books.sums[0] += 7;
        if number % 100 == 0 {
            grant(&books.app, &user(1), &given(number, "of another user")).unwrap();
            books.sums[1] += 7;
        }
    }
    held(&mut books);
    books.make(0, &Move::Spend { units: 1 });
    let anchor = take(&books.app).unwrap();
    let empty_log = |books: &Books| {
        let hand = books.hand();
        if hand.is_in_a_file() {
            hand.rows("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    };
    empty_log(&books);
    assert!(copies(&books, SECRET) >= 1200);

    // Five holds, of which one was captured.
    assert_eq!(notes::erase(&books.app, &user(0)).unwrap(), 1200 + 5 + 1);
    assert_eq!(notes::erase(&books.app, &user(0)).unwrap(), 0);
    empty_log(&books);
    // Where a page was split, SQLite leaves a copy of what moved in the page's unused part until that is used again.
    assert!(copies(&books, "Erika Mustermann") < 12);
    books.hand().run("VACUUM");
    empty_log(&books);
    assert_eq!(copies(&books, "Erika Mustermann"), 0);
    assert!(copies(&books, "of another user") >= 12);
    books.check();
    assert!(verify_against(&books.app, Some(&anchor), |_| ()).unwrap().breaks.is_empty());

    // A repetition of a call still does nothing; whether its note was another cannot be told any more.
    let again = grant(&books.app, &user(0), &given(0, SECRET)).unwrap();
    assert_eq!((again.replayed, again.entry.note_text()), (true, None));
    let more = GrantRequest::new(8, SECRET.to_owned(), None, IdempotencyKey::parse("note-0").unwrap()).unwrap();
    assert!(grant(&books.app, &user(0), &more).is_err());
}

#[test]
fn bodies_of_events_go_ninety_days_after_they_had_their_effect() {
    let books = Books::open();
    let hand = books.hand();
    let day = 86_400_000;
    let now = super::START.millis();
    for (id, status, days) in
        [("a", "applied", 91), ("b", "ignored", 91), ("c", "applied", 89), ("d", "unmatched", 91), ("e", "failed", 91)]
    {
        let decided = now - days * day;
        let row = format!(
            "INSERT INTO events (id, kind, livemode, body, created_at, received_at, status, detail, attempts, decided_at)
                VALUES ('{id}', 'x', 0, 'the body', 1, 1, '{status}', '', 1, {decided})"
        );
        hand.run(&row);
    }
    assert_eq!((bodies::remove_old(&books.app).unwrap(), bodies::remove_old(&books.app).unwrap()), (2, 0));
    assert_eq!(hand.column("SELECT id FROM events WHERE body IS NOT NULL ORDER BY id"), ["c", "d", "e"]);
    let refused = hand.attempt("UPDATE events SET body = NULL").unwrap_err();
    assert!(refused.contains("CHECK constraint failed"), "{refused}");
}
