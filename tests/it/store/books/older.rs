//! Books of an older version, whatever happened in them, are the same books after their migration: the proof holds, what
//! can be spent is what could be, and the next movements work.

use till::app::App;
use till::clock::Clock;
use till::config::{Need, Sources};
use till::store::Store;
use till::usecase::operator::verify::verify;
use till::usecase::users;

use super::tampering::held;
use super::{ACCOUNTS, Books, Move, user};
use crate::harness::Folder;

/// What an older version kept its books in.
struct Older {
    schema: &'static str,
    tables: &'static [&'static str],
    /// What else differs: `new` is a database of today with the same books.
    differs: &'static str,
}

const VERSION_1: Older = Older {
    schema: include_str!("../schema_1.sql"),
    tables: &["users", "payments", "entries", "lots", "accounts"],
    // It had no front lot: each lot's row had all that was in it.
    differs: "UPDATE lots SET remaining = remaining + (SELECT a.front_free FROM new.accounts a WHERE a.account = lots.account)
            WHERE (account, seq) IN (SELECT account, front FROM new.accounts WHERE front IS NOT NULL);
        INSERT INTO schema_version (version, applied_at, checked_at) VALUES (1, 0, 0);",
};

const VERSION_2: Older = Older {
    schema: include_str!("../schema_2.sql"),
    tables: &["users", "payments", "entries", "lots", "accounts", "holds", "hold_lots"],
    differs: "INSERT INTO schema_version (version, applied_at, checked_at) VALUES (2, 0, 0);",
};

/// Lots that are used up, over, reversed, and come back; a debt; an account of which nothing is left.
fn lived() -> Books {
    let mut books = Books::open();
    for step in [
        Move::Grant { units: 50, lives: Some(10) },
        Move::Buy { units: 100 },
        Move::Spend { units: 30 },
        Move::Wait { millis: 20 },
        Move::Expire,
        Move::Grant { units: 40, lives: Some(1000) },
        Move::Grant { units: 5, lives: Some(900) },
        Move::Reverse { payment: 0, take: 60 },
        Move::Reverse { payment: 0, take: 20 },
        Move::Spend { units: 6 },
    ] {
        books.make(0, &step);
    }
    for step in [Move::Buy { units: 7 }, Move::Spend { units: 7 }, Move::Reverse { payment: 0, take: 7 }] {
        books.make(1, &step);
    }
    for step in [Move::Grant { units: 3, lives: None }, Move::Spend { units: 3 }] {
        books.make(2, &step);
    }
    books
}

/// Writes what the older version would have written.
fn write_as(older: &Older, books: &Books, folder: &Folder) {
    let old = rusqlite::Connection::open(folder.path("till.db")).unwrap();
    old.execute_batch(&format!("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; {}", older.schema)).unwrap();
    old.execute("ATTACH $1 AS new", [books.folder.path("till.db").to_str().unwrap()]).unwrap();
    for table in older.tables {
        let mut columns = old.prepare("SELECT name FROM pragma_table_info($1, 'main')").unwrap();
        let columns = columns.query_map([table], |row| row.get::<_, String>(0)).unwrap();
        let columns = columns.map(Result::unwrap).collect::<Vec<_>>().join(", ");
        let read = columns.replace("next_expiry", "next_due");
        old.execute_batch(&format!("INSERT INTO main.{table} ({columns}) SELECT {read} FROM new.{table}")).unwrap();
    }
    old.execute_batch(older.differs).unwrap();
}

/// The books are the same after their migration, and go on.
fn check(older: &Older, new: Books) {
    let folder = Folder::new();
    write_as(older, &new, &folder);
    drop(Store::open(&folder.path("till.db"), &Clock::manual(new.now)).unwrap());

    let database = folder.path("till.db");
    let sources = Sources::from_variables([("SPRITE_DATABASE", database.to_str().unwrap())]);
    let config = till::config::load(&sources, Need::Nothing).unwrap().config;
    let app = App::open(config, Clock::manual(new.now)).unwrap();
    assert_eq!(verify(&app, |_| ()).unwrap().breaks, []);
    for number in 0..ACCOUNTS {
        let balances = [&app, &new.app].map(|app| users::show(app, &user(number)).unwrap().balance);
        assert_eq!(balances[0], balances[1], "{}", user(number));
    }
    // And they go on.
    let mut old = Books { app, folder, ..new };
    old.make(0, &Move::Spend { units: 1 });
    old.make(0, &Move::Spend { units: 70 });
    old.make(1, &Move::Buy { units: 9 });
    old.make(2, &Move::Grant { units: 1, lives: None });
    old.make(0, &Move::Wait { millis: 5000 });
    old.make(0, &Move::Expire);
    old.check();
}

#[test]
fn books_of_version_1_are_the_same_books() {
    check(&VERSION_1, lived());
}

#[test]
fn books_of_version_2_are_the_same_books_with_their_holds() {
    let mut books = lived();
    held(&mut books);
    check(&VERSION_2, books);
}
