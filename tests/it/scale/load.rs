//! Callers that spend one unit for each key, and repeat a key until it is acknowledged, at one process after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use till::clock::Deadline;

use crate::harness::wait::PATIENCE;
use crate::harness::{Client, eventually};

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
        let mut asked = caller;
        for number in 0.. {
            let key = format!("{}{caller}n{number}", self.name);
            let deadline = Deadline::after(2 * PATIENCE);
            loop {
                assert!(!deadline.left().is_zero(), "{user} {key}: never acknowledged");
                let status = spend_once(&processes[asked % processes.len()], user, &key).unwrap_or(0);
                asked += 1;
                if status == 201 {
                    break;
                }
                *self.others.lock().unwrap().entry((user.to_owned(), status)).or_default() += 1;
                thread::sleep(PAUSE);
            }
            self.acknowledged.lock().unwrap().insert((user.to_owned(), format!("spend_{key}")));
            self.count.fetch_add(1, Ordering::SeqCst);
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    /// Waits until so many more are acknowledged.
    pub fn wait_for(&self, more: u64) {
        let until = self.count.load(Ordering::SeqCst) + more;
        eventually(&format!("{more} more spends of {}, beside {:?}", self.name, self.others()), || {
            (self.count.load(Ordering::SeqCst) >= until).then_some(())
        });
    }

    /// Every spend that was acknowledged: user and reason.
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
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let answer = client.try_send("POST", &format!("/v1/users/{user}/spends"), &headers, br#"{"units":1}"#).ok()?;
    Some(answer.status)
}
