//! The books before the load: users with a history of lots and spends, posted by the rules of the house and the statements
//! of the store, many in a transaction. A user's entries are posted one after the other, and then the next user's: so the
//! file grows at its end, and 10,000,000 entries take minutes and no more memory than 100,000.

use std::ops::Range;
use std::time::Instant;

use till::actor::Actor;
use till::clock::{Clock, Timestamp};
use till::database::Database;
use till::error::{Fault, Result};
use till::id::UserId;
use till::ledger::{self, Credit, EntryNote, Kind, Posting, Refusal, Spend, Units};
use till::store::entries::LoadedAccount;
use till::store::{Store, Tx, entries, users};

use super::Outcome;
use super::request::{Dice, KEYS, user_id};

/// The last lot of each user: more than any run can spend.
const LAST_LOT: i64 = 1_000_000_000;
/// Each lot before it, and the spends that use it up.
const LOT: u32 = 49;
/// Entries posted in one transaction.
const CHUNK: u64 = 20_000;
/// After how many entries it is said how many there are.
const SAID_EACH: u64 = 1_000_000;

/// So many entries, spread over so many users, each of whom has at least one.
#[derive(Clone, Copy)]
pub struct History {
    users: u64,
    entries: u64,
}

impl History {
    /// Refuses fewer entries than users: what each user spends from is an entry.
    pub fn of(users: u32, entries: Option<u64>) -> Outcome<History> {
        let entries = entries.unwrap_or(users.into());
        if entries < users.into() {
            let fault = format!(
                "--entries {entries} is too few for {users} users: each has a lot, which is an entry. Add --users {entries} \
                 or less"
            );
            return Err(Fault::bare(fault));
        }
        Ok(History { users: users.into(), entries })
    }

    /// How many entries there are.
    pub fn entries(self) -> u64 {
        self.entries
    }

    /// Makes the database. Answers how many seconds it took.
    pub fn write(self, database: &Database) -> Outcome<f64> {
        let started = Instant::now();
        let store = Store::open(database, &Clock::System)?;
        let mut first = 0;
        while first < self.entries {
            let places = first..self.entries.min(first + CHUNK);
            first = places.end;
            let now = Clock::System.now();
            let posted = store.write(move |tx| self.post(tx, places.clone(), now));
            posted.map_err(|error| Fault::bare(format!("cannot fill the database: {error:?}")))?;
            if first.is_multiple_of(SAID_EACH) && first < self.entries {
                println!("{first} of {} entries, {:.0} s", self.entries, started.elapsed().as_secs_f64());
            }
        }
        Ok(started.elapsed().as_secs_f64())
    }

    /// Where a user's entries begin among all.
    fn begin(self, user: u64) -> u64 {
        user * self.entries / self.users
    }

    /// The user to whom the entry at this place belongs: the last who does not begin after it.
    fn user_at(self, place: u64) -> u64 {
        ((place + 1) * self.users - 1) / self.entries
    }

    /// Posts the entries at these places among all.
    fn post(self, tx: &mut dyn Tx, places: Range<u64>, now: Timestamp) -> Result<()> {
        let mut dice = Dice::new(places.start);
        let mut place = places.start;
        while place < places.end {
            let user = self.user_at(place);
            let own = self.begin(user)..self.begin(user + 1);
            let mut loaded = open_account(tx, user, now)?;
            while place < own.end.min(places.end) {
                let key = KEYS.next(&mut dice);
                let account = &loaded.account;
                let posting = if place + 1 == own.end {
                    ledger::credit(account, grant(LAST_LOT, &key)?, now)
                } else if (place - own.start).is_multiple_of(u64::from(LOT) + 1) {
                    ledger::credit(account, grant(LOT.into(), &key)?, now)
                } else {
                    ledger::spend(account, Spend { units: units(1)?, reason: format!("spend_{key}"), note: None }, now)
                };
                loaded = stored(tx, &loaded, posting)?;
                place += 1;
            }
        }
        Ok(())
    }
}

/// The account of the user with this number, who may be new.
fn open_account(tx: &mut dyn Tx, number: u64, now: Timestamp) -> Result<LoadedAccount> {
    let number = u32::try_from(number).map_err(|cause| Fault::new("a user's number is too large", cause))?;
    let id = UserId::new(&user_id(number)).ok_or_else(|| Fault::bare("a user id that is none"))?;
    let (user, _) = users::put(tx, &id, None, None, now)?;
    entries::load(tx, user.account, None)
}

fn grant(count: i64, key: &str) -> Result<Credit> {
    let note = Some(EntryNote::new("for the benchmark".to_owned(), [0; 16]));
    let reason = format!("grant_{key}");
    Ok(Credit { kind: Kind::Grant, units: units(count)?, reason, note, expires_at: None, cost: None })
}

fn units(count: i64) -> Result<Units> {
    Units::new(count).ok_or_else(|| Fault::bare("units out of bounds").into())
}

/// Stores the posting. Answers the account after it, as it would be loaded.
fn stored(
    tx: &mut dyn Tx,
    before: &LoadedAccount,
    posting: std::result::Result<Posting, Refusal>,
) -> Result<LoadedAccount> {
    let posting = posting.map_err(|refusal| Fault::bare(format!("the books refuse an entry: {refusal:?}")))?;
    if !entries::post(tx, before, &posting, None, &Actor::till())? {
        return Err(Fault::bare("an entry was there already").into());
    }
    let mut account = posting.after;
    account.lots.retain(|lot| lot.remaining > 0);
    Ok(LoadedAccount { account, lots: before.lots, low_balance: before.low_balance })
}
