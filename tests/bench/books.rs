//! A database full of users, made by the product's own rules; and the statements of a spend, straight against it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use till::clock::Clock;
use till::id::UserId;
use till::ledger::{self, Account, Credit, Kind, Spend, Units};
use till::store::{Store, entries, users};

/// Units that each user has.
const UNITS: i64 = 1_000_000;
/// Users in one transaction.
const CHUNK: usize = 5000;

/// The id of a user.
pub fn user(number: usize) -> String {
    format!("user_{number}")
}

/// Makes users, each with one lot.
pub fn fill(database: &Path, count: usize) {
    let clock = Clock::System;
    let store = Store::open(database, &clock).unwrap();
    for first in (0..count).step_by(CHUNK) {
        let now = clock.now();
        let make = move |tx: &mut dyn till::store::Tx| {
            for number in first..count.min(first + CHUNK) {
                let (user, _) = users::put(tx, &UserId::new(&user(number)).unwrap(), None, None, now)?;
                let (units, reason) = (Units::new(UNITS).unwrap(), "grant_bench".to_owned());
                let gift = Credit { kind: Kind::Grant, units, reason, note: None, expires_at: None };
                let account = Account::open(user.account);
                assert!(entries::post(tx, &account, &ledger::credit(&account, gift, now).unwrap(), None)?);
            }
            Ok(())
        };
        store.write(make).unwrap();
    }
}

/// Spends a second without HTTP: as many writers as the load has connections, each waiting for its commit.
pub fn spends_straight(database: &Path, count: usize, writers: usize, lasts: Duration) -> f64 {
    let store = Arc::new(Store::open(database, &Clock::System).unwrap());
    let (done, began) = (AtomicU64::new(0), Instant::now());
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                let mut random = super::load::Random::new(1_000_000 + writer as u64);
                while began.elapsed() < lasts {
                    let id = user(random.below(count));
                    let reason = format!("spend_{:016x}", random.next());
                    let now = Clock::System.now();
                    let spend = move |tx: &mut dyn till::store::Tx| {
                        let account = entries::load_of_user(tx, &id)?.unwrap().simplified();
                        let wanted = Spend { units: Units::new(1).unwrap(), reason: reason.clone(), note: None };
                        let posting = ledger::spend(&account, wanted, now).unwrap();
                        entries::post_simple(tx, &account, &posting)
                    };
                    assert!(store.write(spend).unwrap());
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}
