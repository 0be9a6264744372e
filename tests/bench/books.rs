//! A copy of the books of a run that is spent from without HTTP, to see what the database alone does. A copy, because a
//! process that writes beside another makes it forget what it has read.

use std::path::Path;
use std::time::{Duration, Instant};

use till::actor::Actor;
use till::clock::{Clock, Timestamp};
use till::error::{Fault, Result};
use till::ledger::{self, Spend, Units};
use till::store::{Store, Tx, entries};

use super::Outcome;
use super::load::Round;
use super::request::{Dice, KEYS, user_id};

/// The copy, open.
pub struct Copy {
    store: Store,
    users: u32,
}

impl Copy {
    /// Copies books that nobody has open.
    pub fn of(filled: &Path, path: &Path, users: u32) -> Outcome<Copy> {
        std::fs::copy(filled, path).map_err(|cause| Fault::new("cannot copy the database", cause))?;
        Ok(Copy { store: Store::open(&path.into(), &Clock::System)?, users })
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
            spent.map_err(|error| Fault::bare(format!("the database alone cannot spend: {error:?}")))?;
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

fn spend_one(tx: &mut dyn Tx, user: &str, key: &str, now: Timestamp) -> Result<()> {
    let row = entries::find_of_user(tx, user)?.ok_or_else(|| Fault::bare("a user is missing"))?;
    let units = Units::new(1).ok_or_else(|| Fault::bare("one is no number of units"))?;
    let spend = Spend { units, reason: format!("spend_{key}"), note: None };
    let covers = row.front_covers(units.count(), now);
    let loaded = if covers { row.with_front_only() } else { row.with_lots(tx, None)? };
    let posting = ledger::spend(&loaded.account, spend, now).map_err(|refusal| Fault::bare(format!("{refusal:?}")))?;
    match entries::post(tx, &loaded, &posting, None, &Actor::till())? {
        true => Ok(()),
        false => Err(Fault::bare("a spend was there already").into()),
    }
}
