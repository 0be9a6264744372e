//! Which lots entries drew on is worked out for so many entries, and beyond them from a moment at which nothing was left.

use till::actor::Actor;
use till::clock::Timestamp;
use till::ledger::{self, Account, Credit, Kind, LotFate, Posting, Spend, Units};
use till::store::{entries, users};
use till::usecase::users::lot_history::{LotHistory, LotRecords, work_out};

use super::{Books, START, user};

fn units(count: i64) -> Units {
    Units::new(count).unwrap()
}

/// Posts many at once: each row is what it gives (above zero) or spends, one unit at a time.
fn live(books: &Books, whose: usize, rows: &'static [i64]) {
    let write = move |tx: &mut dyn till::store::Tx| {
        let number = users::by_id(tx, &user(whose))?.account;
        for (row, count) in rows.iter().enumerate() {
            let times = if *count > 0 { 1 } else { -count };
            for n in 0..times {
                let loaded = entries::load(tx, number, None)?;
                let posting = post(&loaded.account, *count, format!("{row}_{n}"), START);
                assert!(entries::post(tx, &loaded, &posting, None, &Actor::till())?);
            }
        }
        Ok(())
    };
    books.app.store.write(write).unwrap();
}

fn post(account: &Account, count: i64, key: String, at: Timestamp) -> Posting {
    let note = None;
    let posting = if count > 0 {
        let (kind, reason) = (Kind::Grant, format!("grant_{key}"));
        ledger::credit(account, Credit { kind, units: units(count), reason, note, expires_at: None, cost: None }, at)
    } else {
        ledger::spend(account, Spend { units: units(1), reason: format!("spend_{key}"), note }, at)
    };
    posting.unwrap()
}

fn history(books: &Books, whose: usize) -> Option<LotHistory> {
    let read = |tx: &mut dyn till::store::Tx| {
        let number = users::by_id(tx, &user(whose))?.account;
        let records = LotRecords::read(tx, number)?;
        work_out(tx, number, &records)
    };
    books.app.store.read(read).unwrap()
}

#[test]
fn a_long_life_is_explained_from_the_last_moments_at_which_nothing_was_left() {
    let books = Books::open();
    live(&books, 0, &[3000, -3000, 2000, 1500, -2500]);
    let found = history(&books, 0).unwrap();
    // The grant and the spends of everything before are not explained.
    assert_eq!(found.before.map(|(seq, _)| seq), Some(3001));
    let lot = |units, spent| LotFate { units, spent, left: units - spent, ..LotFate::default() };
    assert_eq!(found.fates.into_iter().collect::<Vec<_>>(), [(3002, lot(2000, 2000)), (3003, lot(1500, 500))]);
    assert_eq!((found.effects.len(), found.effects[&5503].taken[0].lot), (2502, 3003));
    // Something was always left.
    live(&books, 1, &[6000, -5500]);
    assert!(history(&books, 1).is_none());
}
