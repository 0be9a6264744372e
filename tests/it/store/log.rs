//! What a write costs: pages in SQLite's log.

use super::rows::{give, spend_one};
use super::{Books, add_user};
use crate::harness::{eventually, is_about_a_file};

const USERS: usize = 4000;
/// Bytes of a page in the log, with what is said of it there ("Database File Format", section 4.1).
const FRAME: u64 = 24 + 4096;

#[test]
fn spends_of_many_users_write_about_one_page_each() {
    if is_about_a_file() {
        return;
    }
    const SPENDS: usize = 50;
    let books = Books::open();
    books.store.write(|tx| (0..USERS).try_for_each(|number| add_user(tx, number))).unwrap();
    books.store.write(|tx| (1..=USERS).try_for_each(|account| give(tx, account as i64, None))).unwrap();
    // Books that have lived have room in their pages.
    books.store.write(|tx| (1..=USERS).try_for_each(|account| spend_one(tx, account as i64, "a"))).unwrap();
    // The store's own checkpoint may be under way.
    let log_bytes = || std::fs::metadata(books.folder.path("till.db-wal")).unwrap().len();
    eventually("the log is empty", || {
        books.outside().rows("PRAGMA wal_checkpoint(TRUNCATE)");
        (log_bytes() == 0).then_some(())
    });
    let some = || (1..=USERS).step_by(USERS / SPENDS);
    books.store.write(move |tx| some().try_for_each(|account| spend_one(tx, account as i64, "b"))).unwrap();
    let written = log_bytes() / FRAME;
    // A page that has become full is split, which writes the page above it too. And an account of these has some 510 bytes (a
    // tenth of them are its note's salt and digest), so that one in eight lies across the end of a page. The figures of the
    // day are one page for all of them.
    const FIGURES: u64 = 1;
    let (spends, most) = (SPENDS as u64, SPENDS as u64 * 8 / 5 + 2 + FIGURES);
    assert!((spends..most).contains(&written), "{written} pages for {spends} spends");
}
