//! What a write costs: pages in SQLite's log.

use till::error::Result;
use till::ledger::{Account, Credit, Kind, Spend, Units, credit, spend};
use till::store::{Tx, entries};

use super::{Books, NOW, add_user};

const USERS: usize = 4000;
/// Bytes of a page in the log, with what is said of it there ("Database File Format", section 4.1).
const FRAME: u64 = 24 + 4096;

fn give(tx: &mut dyn Tx, account: i64) -> Result<()> {
    let units = Units::new(100).unwrap();
    let gift = Credit { kind: Kind::Grant, units, reason: "grant_1".into(), note: None, expires_at: None };
    let posting = credit(&Account::open(account), gift, NOW).unwrap();
    assert!(entries::post(tx, &Account::open(account), &posting, None)?);
    Ok(())
}

fn spend_one(tx: &mut dyn Tx, account: i64, key: &str) -> Result<()> {
    let before = entries::load(tx, account, None)?.simplified();
    let wanted = Spend { units: Units::new(1).unwrap(), reason: format!("spend_{key}"), note: None };
    assert!(entries::post_simple(tx, &before, &spend(&before, wanted, NOW).unwrap())?);
    Ok(())
}

#[test]
fn spends_of_many_users_write_about_one_page_each() {
    const SPENDS: usize = 50;
    let books = Books::open();
    books.store.write(|tx| (0..USERS).try_for_each(|number| add_user(tx, number))).unwrap();
    books.store.write(|tx| (1..=USERS).try_for_each(|account| give(tx, account as i64))).unwrap();
    // Books that have lived have room in their pages.
    books.store.write(|tx| (1..=USERS).try_for_each(|account| spend_one(tx, account as i64, "a"))).unwrap();
    books.outside().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let some = || (1..=USERS).step_by(USERS / SPENDS);
    books.store.write(move |tx| some().try_for_each(|account| spend_one(tx, account as i64, "b"))).unwrap();
    let written = std::fs::metadata(books.folder.path("till.db-wal")).unwrap().len() / FRAME;
    // A page that has become full is divided, and the one above it told.
    let (spends, most) = (SPENDS as u64, SPENDS as u64 * 3 / 2);
    assert!((spends..most).contains(&written), "{written} pages for {spends} spends");
}
