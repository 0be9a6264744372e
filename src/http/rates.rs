//! How often what costs may be asked for: each account and each client has a bucket of tokens, which fills up again with
//! time. Of a file one process serves, which counts in memory; where several share a database, they count there, together. And
//! that Stripe is asked one thing at a time for each account. So one buyer's clicks never fill the threads that
//! wait for Stripe.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use super::shares::ClientKey;
use crate::clock::{Deadline, Timestamp};
use crate::error::{Error, Refused, Result};
use crate::id;
use crate::store::Store;
use crate::store::attempts::{self, Bucket};

/// What costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Costly {
    /// A press that makes a checkout or opens the portal.
    Press,
    /// A question to Stripe by the page after a payment.
    Question,
    /// An attempt to sign in.
    SignIn,
    /// A password that is compared with one that is stored.
    Password,
    /// A code of a second factor that is compared.
    Code,
    /// A letter that somebody asks for.
    Letter,
}

/// The size of a bucket, and how long one token takes to come back.
struct Rate {
    size: u32,
    refill: Duration,
}

const fn rate(size: u32, refill_seconds: u64) -> Rate {
    Rate { size, refill: Duration::from_secs(refill_seconds) }
}

impl Costly {
    /// Nobody who buys by hand comes near these.
    const fn of_account(self) -> Rate {
        match self {
            Costly::Press => rate(40, 6),
            // The page asks every two seconds at first, then less often.
            Costly::Question => rate(30, 2),
            Costly::SignIn => rate(20, 6),
            // A guesser gets ten passwords at once, and then 120 an hour.
            Costly::Password => rate(10, 30),
            // Six digits are guessed sooner than a password: ten at once, and then 60 an hour.
            Costly::Code => rate(10, 60),
            Costly::Letter => rate(5, 600),
        }
    }

    /// More than for an account, because several people may share an address.
    const fn of_client(self) -> Rate {
        match self {
            Costly::Press => rate(120, 2),
            Costly::Question => rate(90, 1),
            Costly::SignIn => rate(30, 2),
            Costly::Password => rate(30, 10),
            Costly::Code => rate(20, 30),
            Costly::Letter => rate(20, 300),
        }
    }

    /// For the metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Costly::Press => "presses",
            Costly::Question => "questions",
            Costly::SignIn => "sign_ins",
            Costly::Password => "passwords",
            Costly::Code => "codes",
            Costly::Letter => "letters",
        }
    }

    fn refused(self, wait_seconds: u64) -> Error {
        let retry_after = wait_seconds + 1;
        let detail = format!("{} Nothing was changed; try again in {retry_after} s.", self.words());
        Refused::RateLimited { retry_after, detail }.into()
    }

    fn words(self) -> &'static str {
        match self {
            Costly::Press => "You have pressed this many times in a short while.",
            Costly::Question => "This page was asked for many times in a short while.",
            Costly::SignIn => "There were many attempts to sign in from here in a short while.",
            Costly::Password => "There were many attempts to sign in by a password in a short while.",
            Costly::Code => "There were many attempts with a code in a short while.",
            Costly::Letter => "Many letters were asked for in a short while.",
        }
    }
}

/// Whose bucket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Payer {
    Account(i64),
    Client(ClientKey),
    /// A name or an address that somebody typed, by its digest.
    Name([u8; 32]),
}

impl Payer {
    /// Upper and lower case are one name.
    pub(super) fn of_name(name: &str) -> Payer {
        Payer::Name(id::digest(name.to_lowercase().as_bytes()))
    }
}

/// The buckets of everybody who has taken something lately.
pub(super) struct Buckets {
    running: Deadline,
    /// When each bucket will be full again, on the clock of `running`: the "theoretical arrival time" of the generic cell
    /// rate algorithm (ITU-T I.371).
    full_at: Mutex<HashMap<(Costly, Payer), Duration>>,
}

/// Takes the same tokens as [`Buckets::take`] in the database, for all processes that share it.
pub(super) fn take_of_all(
    store: &Store,
    what: Costly,
    payer: Option<Payer>,
    client: Option<ClientKey>,
    now: Timestamp,
) -> Result<()> {
    let buckets: Vec<Bucket> = payers(what, payer, client).map(|(payer, rate)| bucket(what, payer, &rate)).collect();
    let Some(first) = buckets.first().map(|bucket| bucket.key) else { return Ok(()) };
    match store.write_of_row(&first, move |tx| attempts::take(tx, &buckets, now))? {
        None => Ok(()),
        Some(wait) => Err(what.refused(u64::try_from(wait / 1000).unwrap_or_default())),
    }
}

/// Whose buckets a token is taken from.
fn payers(what: Costly, payer: Option<Payer>, client: Option<ClientKey>) -> impl Iterator<Item = (Payer, Rate)> {
    let payer = payer.map(|payer| (payer, what.of_account()));
    payer.into_iter().chain(client.map(|client| (Payer::Client(client), what.of_client())))
}

fn bucket(what: Costly, payer: Payer, rate: &Rate) -> Bucket {
    let payer = match payer {
        Payer::Account(account) => format!("account {account}"),
        Payer::Client(client) => format!("client {client}"),
        Payer::Name(digest) => format!("name {}", id::hex(&digest)),
    };
    Bucket {
        key: id::digest(format!("{} of {payer}", what.label()).as_bytes()),
        size: rate.size.into(),
        refill_millis: i64::try_from(rate.refill.as_millis()).unwrap_or(i64::MAX),
    }
}

/// So many buckets are looked through for full ones.
const MANY: usize = 16_384;
/// More than these are not remembered.
const TOO_MANY: usize = 131_072;

impl Buckets {
    pub(super) fn new() -> Buckets {
        Buckets { running: Deadline::after(Duration::ZERO), full_at: Mutex::default() }
    }

    /// Takes a token from the bucket of an account or a name and from the client's, as far as they are known. If one is empty,
    /// nothing is taken, and the refusal says when to try again.
    pub(super) fn take(&self, what: Costly, payer: Option<Payer>, client: Option<ClientKey>) -> Result<()> {
        self.take_at(self.running.elapsed(), what, payer, client)
    }

    fn take_at(&self, now: Duration, what: Costly, payer: Option<Payer>, client: Option<ClientKey>) -> Result<()> {
        let payers: Vec<(Payer, Rate)> = payers(what, payer, client).collect();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= MANY {
            full_at.retain(|_, full_at| *full_at > now);
            if full_at.len() >= TOO_MANY {
                full_at.clear();
            }
        }
        let full =
            |full_at: &HashMap<_, Duration>, payer| full_at.get(&(what, payer)).copied().unwrap_or_default().max(now);
        let wait = |(payer, rate): &(Payer, Rate)| {
            let filled = full(&full_at, *payer).saturating_sub(now);
            filled.saturating_sub(rate.refill * rate.size.saturating_sub(1))
        };
        let wait = payers.iter().map(wait).max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(what.refused(wait.as_secs()));
        }
        for (payer, rate) in payers {
            let next = full(&full_at, payer) + rate.refill;
            full_at.insert((what, payer), next);
        }
        Ok(())
    }
}

/// Whose turn it is, for each account: to ask Stripe, or to write a page.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<i64, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits until no other call for the account is under way. The turn lasts until the guard is dropped.
    pub(super) async fn wait(&self, account: i64) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() >= 1024 {
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(turns.entry(account).or_default())
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn wait_of(refusal: Result<()>) -> Option<u64> {
        match refusal {
            Ok(()) => None,
            Err(Error::Refused(Refused::RateLimited { retry_after, .. })) => Some(retry_after),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_bucket_empties_fills_again_and_is_its_owners_alone() {
        let buckets = Buckets::new();
        let client = Some(ClientKey::of("192.0.2.1".parse().unwrap()));
        let at = |seconds: u64| Duration::from_secs(seconds);
        let press = |seconds, account: Option<i64>| {
            wait_of(buckets.take_at(at(seconds), Costly::Press, account.map(Payer::Account), client))
        };
        for _ in 0..40 {
            assert_eq!(press(0, Some(1)), None);
        }
        assert_eq!(press(0, Some(1)), Some(7), "one token comes back in six seconds");
        assert_eq!(press(5, Some(1)), Some(2));
        assert_eq!((press(6, Some(1)), press(6, Some(1))), (None, Some(7)));
        assert_eq!(press(0, Some(2)), None, "another account of the same address");
        assert_eq!(
            wait_of(buckets.take_at(at(0), Costly::Question, Some(Payer::Account(1)), client)),
            None,
            "another thing"
        );
        // The address is bounded too, and an account's refusals take nothing from it.
        let more = (0..).take_while(|account| press(6, Some(100 + account)).is_none()).count();
        assert_eq!(more, 120 - 42 + 3, "three came back in six seconds");
        assert_eq!(
            wait_of(buckets.take_at(at(6), Costly::Press, Some(Payer::Account(3)), None)),
            None,
            "nothing is known of the client"
        );
    }

    #[test]
    fn a_bucket_of_all_processes_is_its_payers_and_of_one_thing() {
        let payers = [Payer::Account(1), Payer::Account(2), Payer::of_name("1"), Payer::of_name("2")];
        let clients = ["192.0.2.1", "2001:db8::1"].map(|text| Payer::Client(ClientKey::of(text.parse().unwrap())));
        let all = || payers.iter().chain(&clients);
        let of = |what: Costly| all().map(move |payer| bucket(what, *payer, &what.of_account()).key);
        let keys: HashSet<[u8; 32]> = of(Costly::Code).chain(of(Costly::Letter)).collect();
        assert_eq!(keys.len(), 12);
        assert_eq!(Payer::of_name("Ada"), Payer::of_name("aDA"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let buckets = Buckets::new();
        for account in 0..40_000 {
            let now = Duration::from_secs(u64::try_from(account).unwrap() / 100);
            buckets.take_at(now, Costly::Press, Some(Payer::Account(account)), None).unwrap();
        }
        assert!(buckets.full_at.lock().unwrap().len() <= MANY + 1);
    }
}
