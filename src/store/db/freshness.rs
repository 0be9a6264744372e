//! Whether what was read is still true: our own commits count at once, those of other processes at most a millisecond
//! late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::changes::{CacheKey, ChangeLog, ReadVersion};
use super::sqlite::DataVersionProbe;
use crate::clock::Deadline;

/// How old the last poll for other processes' commits may be.
const POLL_AGE: Duration = Duration::from_millis(1);

/// Answers whether what was read is still true.
pub(in crate::store) struct Freshness {
    changes: Arc<ChangeLog>,
    probe: DataVersionProbe,
    started: Deadline,
    /// When to poll again, in microseconds since the start.
    due: AtomicU64,
}

impl Freshness {
    pub(in crate::store) fn start(probe: DataVersionProbe, changes: Arc<ChangeLog>) -> Freshness {
        Freshness { changes, probe, started: Deadline::after(Duration::ZERO), due: AtomicU64::new(0) }
    }

    /// The version of what is read from now on.
    pub(in crate::store) fn read_version(&self) -> ReadVersion {
        self.poll();
        self.changes.read_version()
    }

    /// Whether what was read of `key` at `version` still holds. The caller has taken a version of its own before.
    pub(in crate::store) fn is_current(&self, key: CacheKey, version: ReadVersion) -> bool {
        self.changes.is_current(key, version)
    }

    /// Polls for other processes' commits when the last poll is too old. One caller does it, and nobody waits for it.
    fn poll(&self) {
        let now = micros(self.started.elapsed());
        let due = self.due.load(Ordering::SeqCst);
        let next = now + micros(POLL_AGE);
        let is_ours = now >= due && self.due.compare_exchange(due, next, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        // During a transaction of ours there is nothing to find: it noticed all earlier commits at its beginning, and
        // nobody else can commit. If the connection is held for another reason, the next caller polls.
        if is_ours && !self.changes.is_under_way() && !self.probe.poll_data_version() {
            self.due.store(0, Ordering::SeqCst);
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
