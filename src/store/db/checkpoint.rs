//! Moves the log into the database on a thread of its own, so that no commit waits for it. Every second checkpoint blocks
//! the writer, so that the log can restart: that needs a moment in which nobody writes ("Write-Ahead Logging", section
//! "Avoiding Excessively Large WAL Files"). The writer does not do it itself, because its connection would be held all the
//! time.

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::fault::DbResult;
use super::sqlite::Connection;
use crate::error::Fault;

/// Rows written between two checkpoints: 30 MiB of pages for spends, which change three rows of one page; up to 80 MiB if
/// each row is in a page of its own.
const ROWS: u64 = 20_000;
/// The writer waits for every checkpoint of this number.
const WAITED_FOR: u64 = 2;

/// A request for a checkpoint, with where to report that it is done.
type Request = Option<SyncSender<()>>;

/// The handle to the checkpoint thread, which ends when this is dropped.
pub(in crate::store) struct Checkpoints {
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
    /// Rows that had been written at the last request.
    rows_at_last: u64,
    requested: u64,
}

impl Checkpoints {
    pub(in crate::store) fn start(path: &Path) -> DbResult<Checkpoints> {
        let connection = Connection::open(path)?;
        let (requests, received) = sync_channel::<Request>(1);
        let checkpoint = move |request: Request| {
            connection.checkpoint();
            // The writer may have ended.
            let _gone = request.map(|done| done.send(()));
        };
        let thread = std::thread::Builder::new()
            .name("till-checkpoint".into())
            .spawn(move || received.iter().for_each(checkpoint))
            .map_err(|cause| Fault::new("cannot start the checkpoint thread", cause))?;
        Ok(Checkpoints { requests: Some(requests), thread: Some(thread), rows_at_last: 0, requested: 0 })
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
