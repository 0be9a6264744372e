//! The books of a run: filled by the rules of the house; and a copy of them that is spent from without HTTP, to see what
//! the database alone does. A copy, because a process that writes beside another makes it forget what it has read.

use std::path::Path;
use std::time::{Duration, Instant};

use till::actor::Actor;
use till::clock::{Clock, Timestamp};
use till::error::{Fault, Result};
use till::id::UserId;
use till::ledger::{self, Credit, EntryNote, Kind, Spend, Units};
use till::store::{Store, Tx, entries, users};

use super::Outcome;
use super::load::Round;
use super::request::{Dice, KEYS, user_id};

/// What each user is given: more than any run can spend.
const LOT: i64 = 1_000_000_000;
/// Users made in one transaction.
const CHUNK: u32 = 5_000;

/// Makes a database with so many users, each with a lot of one grant. Answers how many seconds it took.
pub fn fill(path: &Path, users: u32) -> Outcome<f64> {
    let started = Instant::now();
    let store = Store::open(path, &Clock::System)?;
    for first in (0..users).step_by(CHUNK as usize) {
        let chunk = first..users.min(first + CHUNK);
        let now = Clock::System.now();
        let filled = store.write(move |tx| chunk.clone().try_for_each(|number| add_user(tx, number, now)));
        filled.map_err(|error| told("cannot fill the database", &error))?;
    }
    Ok(started.elapsed().as_secs_f64())
}

/// The copy, open.
pub struct Copy {
    store: Store,
    users: u32,
}

impl Copy {
    /// Copies books that nobody has open.
    pub fn of(filled: &Path, path: &Path, users: u32) -> Outcome<Copy> {
        std::fs::copy(filled, path).map_err(|cause| Fault::new("cannot copy the database", cause))?;
        Ok(Copy { store: Store::open(path, &Clock::System)?, users })
    }

    /// Spends for `length`, so many in each transaction, each found, decided and stored by the statements of a spend.
    pub fn spend_alone(&self, at_once: u32, length: Duration, seed: u64) -> Outcome<Round> {
        let mut dice = Dice::new(seed);
        let mut round = Round::default();
        let begin = Instant::now() + length / 10;
        let end = begin + length;
        loop {
            let now = Clock::System.now();
            let wanted: Vec<(String, String)> =
                (0..at_once).map(|_| (user_id(dice.below(self.users)), KEYS.next(&mut dice))).collect();
            let started = Instant::now();
            let spent =
                self.store.write(move |tx| wanted.iter().try_for_each(|(user, key)| spend_one(tx, user, key, now)));
            spent.map_err(|error| told("the database alone cannot spend", &error))?;
            let ended = Instant::now();
            round.answered += 1;
            if ended >= end {
                break;
            }
            if ended >= begin {
                round.keep(ended - started);
            }
        }
        round.window = length;
        Ok(round)
    }
}

fn add_user(tx: &mut dyn Tx, number: u32, now: Timestamp) -> Result<()> {
    let id = UserId::new(&user_id(number)).ok_or_else(|| Fault::bare("a user id that is none"))?;
    let (user, _) = users::put(tx, &id, None, None, now)?;
    let loaded = entries::load(tx, user.account, None)?;
    let units = Units::new(LOT).ok_or_else(|| Fault::bare("a lot out of bounds"))?;
    let note = Some(EntryNote::new("for the benchmark".to_owned(), [0; 16]));
    let credit = Credit { kind: Kind::Grant, units, reason: "grant_bench".into(), note, expires_at: None };
    let posting =
        ledger::credit(&loaded.account, credit, now).map_err(|refusal| Fault::bare(format!("{refusal:?}")))?;
    stored(entries::post(tx, &loaded, &posting, None, &Actor::till())?)
}

fn spend_one(tx: &mut dyn Tx, user: &str, key: &str, now: Timestamp) -> Result<()> {
    let row = entries::find_of_user(tx, user)?.ok_or_else(|| Fault::bare("a user is missing"))?;
    let units = Units::new(1).ok_or_else(|| Fault::bare("one is no number of units"))?;
    let spend = Spend { units, reason: format!("spend_{key}"), note: None };
    let loaded = row.with_front_only();
    let posting = ledger::spend(&loaded.account, spend, now).map_err(|refusal| Fault::bare(format!("{refusal:?}")))?;
    stored(entries::post(tx, &loaded, &posting, None, &Actor::till())?)
}

fn stored(is_new: bool) -> Result<()> {
    if is_new { Ok(()) } else { Err(Fault::bare("an entry was there already").into()) }
}

fn told(what: &str, error: &till::error::Error) -> Fault {
    Fault::bare(format!("{what}: {error:?}"))
}
