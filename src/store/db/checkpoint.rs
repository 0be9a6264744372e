//! Moves the log into the database on a thread of its own, so that no commit waits for it.
//!
//! The log can restart only at a moment when all of it is in the database and nobody writes ("Write-Ahead Logging", section
//! "Avoiding Excessively Large WAL Files"). Once it is long the writer waits for such a moment, and no longer than it takes:
//! until little is left to be moved. SQLite flushes the database only when a checkpoint reaches the log's end, and then all
//! that earlier ones wrote. So the thread flushes it itself after each checkpoint that the writer does not wait for.
//!
//! Where little is written the log would stay full for weeks, and a copy of the one file would lack all of it. So a thread
//! that was asked for nothing for a minute empties the log, if nobody reads or writes at that moment.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use super::fault::DbResult;
use super::sqlite::Connection;
use crate::error::Fault;

/// Pages that the log grows by between two checkpoints: 1 MiB. A commit's flush waits while the disk writes what a checkpoint
/// moved, so it moves little at a time. The disk then writes a page that changes often more than once: a tenth more in all.
const STEP: u32 = 256;
/// From this length on the log should restart: 64 MiB of pages.
const LONG: u32 = 16_000;
/// So few pages are moved so soon that the writer waits for it.
const LITTLE: u32 = 512;
/// The writer waits at this length, however much is left: the disk is slower than those who write.
const LONGEST: u32 = 3 * LONG;
/// How long nothing is asked for until the log is emptied.
const IDLE: Duration = Duration::from_secs(60);
/// A log of this size is held open by somebody who reads for long. The log is then said to grow at each doubling.
const LARGE_BYTES: u64 = 512 << 20;

/// A request for a checkpoint, with where to report that it is done.
type Request = Option<SyncSender<()>>;

/// The handle to the checkpoint thread, which ends when this is dropped.
pub(in crate::store) struct Checkpoints {
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
    /// Pages of the log that are in the database, by the last checkpoint.
    moved: Arc<AtomicU32>,
    progress: LogProgress,
    wal_bytes: Gauge,
}

/// What the log's length says about the next checkpoint.
#[derive(Default)]
struct LogProgress {
    /// The log's length after the last commit, in pages.
    pages: u32,
    /// At this length the next checkpoint is requested.
    next_step: u32,
    /// At this length the writer waits for the log's end to be reached.
    next_wait: u32,
}

/// What to do after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Request,
    Wait,
}

impl LogProgress {
    /// After a commit that left the log this long.
    fn step(&mut self, pages: u32, moved: &AtomicU32) -> Step {
        if pages < self.pages {
            // It has restarted.
            *self = LogProgress::default();
            moved.store(0, Ordering::Relaxed);
        }
        self.pages = pages;
        let left = pages.saturating_sub(moved.load(Ordering::Relaxed));
        if pages >= self.next_wait.max(LONG) && (left <= LITTLE || pages >= LONGEST) {
            // Somebody who reads may keep the log from restarting all the same.
            (self.next_step, self.next_wait) = (pages.saturating_add(STEP), pages.saturating_add(LONG / 4));
            return Step::Wait;
        }
        if pages >= self.next_step.max(STEP) {
            self.next_step = pages.saturating_add(STEP);
            return Step::Request;
        }
        Step::Nothing
    }
}

impl Checkpoints {
    pub(in crate::store) fn start(path: &Path) -> DbResult<Checkpoints> {
        Checkpoints::start_with(path, IDLE)
    }

    fn start_with(path: &Path, idle: Duration) -> DbResult<Checkpoints> {
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        let wal_bytes = Gauge::default();
        let moved = Arc::<AtomicU32>::default();
        let file =
            File::open(path).map_err(|cause| Fault::new("cannot open the file for the checkpoint thread", cause))?;
        let log = Log {
            connection: Connection::open(path)?,
            file: ManuallyDrop::new(file),
            moved: Arc::clone(&moved),
            path: wal.into(),
            bytes: wal_bytes.clone(),
            reported_from: LARGE_BYTES,
        };
        let (requests, received) = sync_channel::<Request>(1);
        let thread = std::thread::Builder::new()
            .name("till-checkpoint".into())
            .spawn(move || log.serve(&received, idle))
            .map_err(|cause| Fault::new("cannot start the checkpoint thread", cause))?;
        let progress = LogProgress::default();
        Ok(Checkpoints { requests: Some(requests), thread: Some(thread), moved, progress, wal_bytes })
    }

    /// How large the log was when the thread looked last, in bytes.
    pub(in crate::store) fn wal_bytes(&self) -> Gauge {
        self.wal_bytes.clone()
    }

    /// Requests a checkpoint if the log, now of so many pages, has grown enough, and waits for one that lets it restart.
    pub(super) fn after(&mut self, log_pages: u32) {
        let Some(requests) = &self.requests else { return };
        match self.progress.step(log_pages, &self.moved) {
            Step::Nothing => {}
            // One that is under way or requested already does as well.
            Step::Request => drop(requests.try_send(None)),
            Step::Wait => {
                let (done, ended) = sync_channel(1);
                let _ended = requests.send(Some(done)).is_ok().then(|| ended.recv());
            }
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// The log, as the thread sees it.
struct Log {
    connection: Connection,
    /// The database, to be flushed. It is never closed: a process that closes any descriptor of a file loses all its locks
    /// on it (`fcntl(2)`, "Advisory record locking"), and SQLite's are among them.
    file: ManuallyDrop<File>,
    moved: Arc<AtomicU32>,
    path: PathBuf,
    bytes: Gauge,
    /// From which size on the log is next said to grow.
    reported_from: u64,
}

impl Log {
    fn serve(mut self, requests: &Receiver<Request>, idle: Duration) {
        loop {
            match requests.recv_timeout(idle) {
                Ok(request) => {
                    self.checkpoint(request.is_some());
                    // The writer may have ended.
                    let _gone = request.map(|done| done.send(()));
                }
                Err(RecvTimeoutError::Timeout) if self.size() > 0 => {
                    self.checkpoint(true);
                    self.connection.truncate_wal_if_unused();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.report();
        }
    }

    /// Moves what it can. While the writer goes on, the log's end is never reached, and the database is flushed here.
    fn checkpoint(&self, is_waited_for: bool) {
        let Some(moved) = self.connection.checkpoint() else { return };
        if !is_waited_for && let Err(cause) = self.file.sync_data() {
            // SQLite flushes it again before the log restarts, and reports what it finds.
            tracing::warn!(event = "checkpoint_failed", cause = %cause);
        }
        self.moved.store(moved, Ordering::Relaxed);
    }

    fn size(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |found| found.len())
    }

    fn report(&mut self) {
        let bytes = self.size();
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        if bytes < LARGE_BYTES {
            self.reported_from = LARGE_BYTES;
        } else if bytes >= self.reported_from {
            self.reported_from = bytes.saturating_mul(2);
            let what =
                "somebody reads the database for long, such as an export or a backup: it cannot restart until they end";
            tracing::warn!(event = "write_ahead_log_grows", bytes, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::store::db::bring_up_to_date;

    #[test]
    fn a_log_is_moved_step_by_step_and_the_writer_waits_for_little() {
        let moved = AtomicU32::new(0);
        let mut progress = LogProgress::default();
        let mut steps = |pages: u32, in_database: u32| {
            moved.store(in_database, Ordering::Relaxed);
            progress.step(pages, &moved)
        };
        assert_eq!([steps(3, 0), steps(STEP, 0), steps(STEP + 1, 0)], [Step::Nothing, Step::Request, Step::Nothing]);
        assert_eq!(steps(LONG, STEP), Step::Request, "much is left");
        assert_eq!(steps(LONG + 1, LONG), Step::Wait);
        assert_eq!(steps(LONG + 2, LONG + 1), Step::Nothing, "somebody who reads keeps it from restarting");
        assert_eq!(steps(LONG + LONG / 4 + 1, LONG + LONG / 4), Step::Wait);
        assert_eq!([steps(10, LONG), steps(STEP + 9, 0)], [Step::Nothing, Step::Request], "it has restarted");
        assert_eq!(steps(LONGEST, 0), Step::Wait, "the disk is slow");
    }

    #[test]
    fn a_log_that_nobody_uses_is_moved_into_the_file_and_emptied() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let path = std::env::temp_dir().join(crate::id::ordered_id("till-checkpoint", now).unwrap());
        let mut connection = Connection::open(&path).unwrap();
        bring_up_to_date(&mut connection, now).unwrap();
        let log = path.with_extension("");
        let log = PathBuf::from(format!("{}-wal", log.display()));
        assert!(std::fs::metadata(&log).unwrap().len() > 0);

        let checkpoints = Checkpoints::start_with(&path, Duration::from_millis(20)).unwrap();
        let emptied = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            std::fs::metadata(&log).unwrap().len() == 0
        });
        assert!(emptied && checkpoints.wal_bytes().get() == 0);
        // The one file alone has everything.
        let copy = path.with_extension("copy");
        std::fs::copy(&path, &copy).unwrap();
        let version: i64 =
            Connection::open(&copy).and_then(|mut copied| bring_up_to_date(&mut copied, now).map(|()| 1)).unwrap();
        assert_eq!(version, 1);
        drop((checkpoints, connection));
        for file in [&path, &copy] {
            std::fs::remove_file(file).unwrap();
        }
    }
}
