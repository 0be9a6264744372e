//! Whether the database has changed: what was read stays true as long as it has not. Our own commits are counted; those
//! of commands beside us are noticed through SQLite's `data_version` ("Pragma statements supported by SQLite"), which is
//! looked at once in a millisecond at most, so that a change made by another process is seen that much later.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::sqlite::Watcher;
use crate::clock::Deadline;
use crate::error::Fault;

/// How old the last look may be.
const AGE: Duration = Duration::from_millis(1);

/// Commits of the writer: even between them, odd while one is under way.
#[derive(Clone, Default)]
pub(super) struct Commits(Arc<AtomicU64>);

impl Commits {
    /// Does `commit`, and counts it.
    pub(super) fn around<T>(&self, commit: impl FnOnce() -> T) -> T {
        self.0.fetch_add(1, Ordering::SeqCst);
        let done = commit();
        self.0.fetch_add(1, Ordering::SeqCst);
        done
    }
}

/// A state of the database. What was read after it was asked for is still true while it is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    commits: u64,
    version: i64,
}

/// Looks whether the database has changed.
pub(super) struct Watch {
    commits: Commits,
    seen: Mutex<Seen>,
}

struct Seen {
    connection: Watcher,
    version: i64,
    fresh: Deadline,
}

impl Watch {
    pub(super) fn start(connection: Watcher, commits: Commits) -> Watch {
        // Not fresh: whoever comes first looks.
        Watch { commits, seen: Mutex::new(Seen { connection, version: 0, fresh: Deadline::after(Duration::ZERO) }) }
    }

    /// The state of the database now; `None` while a commit is under way, of which one cannot tell whether it is in what
    /// is read.
    pub(super) fn stamp(&self) -> Result<Option<Stamp>, Fault> {
        let commits = self.commits.0.load(Ordering::SeqCst);
        let version = self.version()?;
        Ok(commits.is_multiple_of(2).then_some(Stamp { commits, version }))
    }

    /// A number that is another one after somebody committed, at most a millisecond late.
    pub(super) fn version(&self) -> Result<i64, Fault> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.fresh.left().is_zero() {
            seen.version = seen.connection.data_version()?;
            seen.fresh = Deadline::after(AGE);
        }
        Ok(seen.version)
    }
}
