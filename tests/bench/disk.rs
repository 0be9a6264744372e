//! What is seen of the disk beside the load: what a flush costs, how large the log becomes, and a file that is not in
//! memory.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise};
use till::error::Fault;

use super::Outcome;
use super::process::Folder;

/// What is flushed: as much as a page of the database.
const PAGE: [u8; 4096] = [0xa5; 4096];
/// How many flushes are timed at once.
const FLUSHES: u32 = 100;
/// How often the log is looked at.
const PAUSE: Duration = Duration::from_millis(10);

/// Times how long the disk of this folder takes to flush a page that was appended to a file.
pub fn flushes(folder: &Folder) -> Outcome<Vec<Duration>> {
    let cannot = |cause| Fault::new("cannot time a flush", cause);
    let mut file = File::create(folder.path("flush")).map_err(cannot)?;
    let flush = |_| {
        let started = Instant::now();
        file.write_all(&PAGE)?;
        file.sync_all()?;
        Ok(started.elapsed())
    };
    (0..FLUSHES).map(flush).collect::<std::io::Result<_>>().map_err(cannot)
}

/// Drops a database and its log from the system's memory. Their pages must be on the disk for that, so they are flushed
/// first. This process must not have them open otherwise: closing a file drops the locks that SQLite holds on it.
pub fn forget(database: &Path) -> Outcome<()> {
    let forget = |path: &Path| {
        let file = File::open(path)?;
        file.sync_all()?;
        Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
    };
    let cannot = |cause: std::io::Error| Fault::new("cannot drop the database from memory", cause);
    forget(database).and_then(|()| forget(&log_of(database))).map_err(cannot)
}

/// Looks at how large a database's log is, until it is asked for the largest size.
pub struct LogWatch {
    stop: Sender<()>,
    thread: JoinHandle<u64>,
}

impl LogWatch {
    pub fn start(database: &Path) -> LogWatch {
        let log = log_of(database);
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut largest = 0;
            loop {
                largest = largest.max(std::fs::metadata(&log).map_or(0, |found| found.len()));
                if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
                    return largest;
                }
            }
        });
        LogWatch { stop, thread }
    }

    /// Ends it. Answers the largest size in bytes.
    pub fn largest(self) -> Outcome<u64> {
        drop(self.stop);
        self.thread.join().map_err(|_| Fault::bare("the thread that watches the log panicked"))
    }
}

fn log_of(database: &Path) -> PathBuf {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}
