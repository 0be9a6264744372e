//! Callers that spend one unit for each key, or hold it and capture it, and repeat each call until it is acknowledged, at one process
//! after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use till::clock::Deadline;

use crate::harness::wait::{self, eventually_within};
use crate::harness::{Answer, Client};

/// Patroni lets a standby take over after up to half a minute; a loaded machine takes longer.
const PATIENCE: Duration = wait::PATIENCE.saturating_mul(2);
/// A pause before a key is repeated, so that a service that is away is not asked in a circle.
const PAUSE: Duration = Duration::from_millis(20);

/// What callers were told.
pub struct Load {
    /// What its keys begin with.
    name: &'static str,
    acknowledged: Mutex<BTreeSet<(String, String)>>,
    /// How often a user's callers were answered with another status, or 0: with none, because a connection was lost.
    others: Mutex<BTreeMap<(String, u16), u64>>,
    count: AtomicU64,
    is_over: AtomicBool,
}

impl Load {
    /// Nothing yet.
    pub fn named(name: &'static str) -> Load {
        let (acknowledged, others) = (Mutex::default(), Mutex::default());
        Load { name, acknowledged, others, count: AtomicU64::new(0), is_over: AtomicBool::new(false) }
    }

    /// Spends on behalf of each of these users until `meanwhile` returns. Then each caller ends with the key that it has begun.
    pub fn run(&self, users: &[&str], processes: &[Client], meanwhile: impl FnOnce()) {
        thread::scope(|scope| {
            for (caller, user) in users.iter().enumerate() {
                scope.spawn(move || self.spend(caller, user, processes));
            }
            // The callers end in any case, so that a failure of the test is seen.
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(meanwhile));
            self.is_over.store(true, Ordering::SeqCst);
            ended.unwrap_or_else(|failure| std::panic::resume_unwind(failure));
        });
    }

    fn spend(&self, caller: usize, user: &str, processes: &[Client]) {
        let mut processes = processes.iter().cycle().skip(caller);
        for number in 0.. {
            let key = format!("{}{caller}n{number}", self.name);
            let mut until_done = |path: &str| self.until_done(&mut processes, user, path, &key);
            let reason = match number % 3 {
                0 => {
                    let hold = until_done(&format!("/v1/users/{user}/holds")).json();
                    let id = hold["id"].as_str().unwrap();
                    until_done(&format!("/v1/holds/{id}/capture"));
                    format!("hold_{id}")
                }
                _ => {
                    until_done(&format!("/v1/users/{user}/spends"));
                    format!("spend_{key}")
                }
            };
            self.acknowledged.lock().unwrap().insert((user.to_owned(), reason));
            self.count.fetch_add(1, Ordering::SeqCst);
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    fn until_done<'a>(
        &self,
        processes: &mut impl Iterator<Item = &'a Client>,
        user: &str,
        path: &str,
        key: &str,
    ) -> Answer {
        let deadline = Deadline::after(PATIENCE);
        loop {
            assert!(!deadline.left().is_zero(), "{path} {key}: never acknowledged");
            let answer = processes.next().and_then(|process| one_unit(process, path, key).ok());
            let status = match answer {
                Some(answer) if [200, 201].contains(&answer.status) => return answer,
                Some(answer) => answer.status,
                None => 0,
            };
            *self.others.lock().unwrap().entry((user.to_owned(), status)).or_default() += 1;
            thread::sleep(PAUSE);
        }
    }

    /// Waits until so many more are acknowledged.
    pub fn wait_for(&self, more: u64) {
        let until = self.count.load(Ordering::SeqCst) + more;
        let what = format!("{more} more spends of {}, beside {:?}", self.name, self.others());
        eventually_within(PATIENCE, &what, || (self.count.load(Ordering::SeqCst) >= until).then_some(()));
    }

    /// Every spend and every capture that was acknowledged: user and reason.
    pub fn acknowledged(&self) -> BTreeSet<(String, String)> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// How often a user's callers were told something else.
    pub fn others(&self) -> BTreeMap<(String, u16), u64> {
        self.others.lock().unwrap().clone()
    }

    /// Everything else that callers were told.
    pub fn statuses(&self) -> BTreeSet<u16> {
        self.others().into_keys().map(|(_, status)| status).collect()
    }
}

/// Spends one unit: the status, or nothing where there was no answer.
pub fn spend_once(client: &Client, user: &str, key: &str) -> Option<u16> {
    Some(one_unit(client, &format!("/v1/users/{user}/spends"), key).ok()?.status)
}

fn one_unit(client: &Client, path: &str, key: &str) -> Result<Answer, String> {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    client.try_send("POST", path, &headers, br#"{"units":1}"#)
}
