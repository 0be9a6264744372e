//! What was recorded of an account leads to its lots again, and accounts for each unit.

use till::app::App;
use till::ledger::Part;
use till::store::{entries, proof};
use till::usecase::users::lot_history::{LotRecords, work_out};

/// The same for every account.
pub fn check_all(app: &App) {
    let accounts = app.store.read(|tx| proof::accounts_after(tx, 0, 1000)).unwrap();
    accounts.into_iter().for_each(|account| check(app, account, &format!("account {account}")));
}

/// Compares what is worked out with the rows of the tables.
pub fn check(app: &App, account: i64, context: &str) {
    app.store
        .read(|tx| {
            let records = LotRecords::read(tx, account)?;
            let history =
                work_out(tx, account, &records)?.unwrap_or_else(|| panic!("nothing was worked out: {context}"));
            assert_eq!((history.before, history.fates.len()), (None, records.lots.len()), "{context}");
            for (seq, record) in &records.lots {
                let (fate, lot) = (history.fates[seq], &record.lot);
                let stored = [lot.units, lot.remaining, lot.held, lot.expired];
                assert_eq!([fate.units, fate.left, fate.held, fate.expired], stored, "{context}: {lot:?}");
                let gone = fate.spent + fate.expired + fate.reversed + fate.corrected + fate.repaid;
                assert_eq!(fate.units + fate.returned - gone, fate.left, "{context}: {fate:?}");
            }
            let entries = entries::of_account_after(tx, account, 0, 10_000)?;
            assert_eq!(entries.len(), history.effects.len(), "{context}");
            for entry in entries {
                let effect = &history.effects[&entry.seq];
                let taken: i64 = effect.taken.iter().map(|part| part.units).sum();
                let put = effect.put.map_or(0, |part| part.units);
                let delta = put + effect.repaid - taken - effect.owed;
                assert_eq!(entry.delta, delta, "{context}: {entry:?} {effect:?}");
                let lots: Vec<i64> = effect.taken.iter().map(|Part { lot, .. }| *lot).collect();
                assert!(lots.iter().all(|lot| records.lots.contains_key(lot)), "{context}: {effect:?}");
            }
            Ok(())
        })
        .unwrap();
}
