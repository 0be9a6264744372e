//! The store on a real database: what a statement's parameters mean, what the tables refuse, what is kept of many writes at
//! once when some of them fail, what the files on the disk are, and what goes by
//! its age.

mod books;
mod changes;
mod columns;
mod costs;
mod files;
mod log;
mod lookup;
mod operator;
mod people;
mod queue;
mod retention;
mod rows;
mod shop_tables;
mod statements;
mod tables;

use till::clock::{Clock, Timestamp};
use till::config::{Need, Sources, load};
use till::database::Database;
use till::error::{Error, Result};
use till::id::UserId;
use till::store::{DbResult, Store, Tx, users};

use crate::harness::{Folder, Hand};

/// When it is, in these tests.
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// A store of a test's own. Closed before its folder goes.
struct Books {
    store: Store,
    folder: Folder,
}

impl Books {
    fn open() -> Books {
        let folder = Folder::new();
        Books { store: open(&folder.database("till.db")), folder }
    }

    /// Books that are written whatever marks of a move they have.
    fn open_in_relocation() -> Books {
        let folder = Folder::new();
        let store = Store::open_in_relocation(&database(&folder.database("till.db")), &Clock::manual(NOW));
        Books { store: store.unwrap(), folder }
    }

    /// A connection past the store, as another program has one.
    fn outside(&self) -> Hand {
        Hand::open(&self.folder.database("till.db"))
    }
}

/// The books at `place`, as `SPRITE_DATABASE` names it.
fn open(place: &str) -> Store {
    try_to_open(place).unwrap()
}

fn try_to_open(place: &str) -> DbResult<Store> {
    Store::open(&database(place), &Clock::manual(NOW))
}

fn database(place: &str) -> Database {
    load(&Sources::from_variables([("SPRITE_DATABASE", place)]), Need::Nothing).unwrap().config.database
}

/// Makes a user whose id is this number.
fn add_user(tx: &mut dyn Tx, number: usize) -> Result<()> {
    let id = UserId::new(&format!("user_{number}")).unwrap();
    users::put(tx, &id, None, None, NOW).map(drop)
}

fn count_users(store: &Store) -> i64 {
    let count = |tx: &mut dyn Tx| tx.one("SELECT COUNT(*) AS users FROM users", &[], |row| row.int("users"));
    store.read(count).unwrap().unwrap()
}

/// What an error says.
#[track_caller]
fn words<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result.expect_err("a failure was expected") {
        Error::Refused(refused) => refused.code().to_owned(),
        Error::Fault(fault) => fault.to_string(),
    }
}
