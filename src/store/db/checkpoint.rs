//! Moves the log into the database on a thread of its own, so that no commit waits for it. Every second checkpoint blocks
//! the writer, so that the log can restart: that needs a moment in which nobody writes ("Write-Ahead Logging", section
//! "Avoiding Excessively Large WAL Files"). The writer does not do it itself, because its connection would be held all the
//! time.
//!
//! Where little is written the log would stay full for weeks, and a copy of the one file would lack all of it. So a thread
//! that was asked for nothing for a minute empties the log, if nobody reads or writes at that moment.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use super::fault::DbResult;
use super::sqlite::Connection;
use crate::error::Fault;

/// Rows written between two checkpoints: 30 MiB of pages for spends, which change three rows of one page; up to 80 MiB if
/// each row is in a page of its own.
const ROWS: u64 = 20_000;
/// The writer waits for every checkpoint of this number.
const WAITED_FOR: u64 = 2;
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
    /// Rows that had been written at the last request.
    rows_at_last: u64,
    requested: u64,
    wal_bytes: Gauge,
}

impl Checkpoints {
    pub(in crate::store) fn start(path: &Path) -> DbResult<Checkpoints> {
        Checkpoints::start_with(path, IDLE)
    }

    fn start_with(path: &Path, idle: Duration) -> DbResult<Checkpoints> {
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        let wal_bytes = Gauge::default();
        let log = Log {
            connection: Connection::open(path)?,
            path: wal.into(),
            bytes: wal_bytes.clone(),
            reported_from: LARGE_BYTES,
        };
        let (requests, received) = sync_channel::<Request>(1);
        let thread = std::thread::Builder::new()
            .name("till-checkpoint".into())
            .spawn(move || log.serve(&received, idle))
            .map_err(|cause| Fault::new("cannot start the checkpoint thread", cause))?;
        Ok(Checkpoints { requests: Some(requests), thread: Some(thread), rows_at_last: 0, requested: 0, wal_bytes })
    }

    /// How large the log was when the thread looked last, in bytes.
    pub(super) fn wal_bytes(&self) -> Gauge {
        self.wal_bytes.clone()
    }

    /// Requests a checkpoint if enough has been written since the last, and waits for every second one.
    pub(super) fn after(&mut self, rows_written: u64) {
        if rows_written.saturating_sub(self.rows_at_last) < ROWS {
            return;
        }
        let Some(requests) = &self.requests else { return };
        self.rows_at_last = rows_written;
        self.requested += 1;
        if self.requested.is_multiple_of(WAITED_FOR) {
            let (done, ended) = sync_channel(1);
            let _ended = requests.send(Some(done)).is_ok().then(|| ended.recv());
        } else {
            // One that is under way or requested already does as well.
            let _enough = requests.try_send(None);
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
                    self.connection.checkpoint();
                    // The writer may have ended.
                    let _gone = request.map(|done| done.send(()));
                }
                Err(RecvTimeoutError::Timeout) if self.size() > 0 => {
                    self.connection.checkpoint();
                    self.connection.truncate_wal_if_unused();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.report();
        }
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
