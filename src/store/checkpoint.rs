//! Moves the log into the database beside the writer, so that no commit waits for it. The writer still does it itself
//! when the log has become very long: only then, with nobody writing meanwhile, can the log begin anew ("Write-Ahead
//! Logging", section "Avoiding Excessively Large WAL Files").

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::sqlite::Connection;
use crate::error::Fault;

/// Rows written between two checkpoints: about as many pages, 64 MiB of them.
const ROWS: u64 = 16_000;

/// The thread that does it; ended when this is dropped.
pub(super) struct Checkpoints {
    wanted: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Rows that had been written at the last one.
    at: u64,
}

impl Checkpoints {
    pub(super) fn start(path: &Path) -> Result<Checkpoints, Fault> {
        let connection = Connection::open(path)?;
        let (wanted, wishes) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("till-checkpoint".into())
            .spawn(move || wishes.iter().for_each(|()| connection.checkpoint()))
            .map_err(|cause| Fault::new("cannot start the checkpoint thread", cause))?;
        Ok(Checkpoints { wanted: Some(wanted), thread: Some(thread), at: 0 })
    }

    /// Asks for one where enough has been written since the last.
    pub(super) fn after(&mut self, rows_written: u64) {
        if rows_written.saturating_sub(self.at) >= ROWS {
            self.at = rows_written;
            // One that is under way, or wanted already, is as good.
            let _enough = self.wanted.as_ref().map(|wanted| wanted.try_send(()));
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.wanted.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}
