//! Moves the log into the database beside the writer, so that no commit waits for it. Now and then the writer waits: only
//! with nobody writing meanwhile can the log begin anew ("Write-Ahead Logging", section "Avoiding Excessively Large WAL
//! Files"). It does not do so itself, for its connection would be held all that time.

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::sqlite::Connection;
use crate::error::Fault;

/// Rows written between two checkpoints: 30 MiB of pages where they are spends, which change three rows of one page; up to
/// 80 MiB where each row is in a page of its own.
const ROWS: u64 = 20_000;
/// Every so many are waited for.
const WAITED_FOR: u64 = 2;

/// A wish for a checkpoint; whoever waits for it hears when it is done.
type Wish = Option<SyncSender<()>>;

/// The thread that does it; ended when this is dropped.
pub(super) struct Checkpoints {
    wanted: Option<SyncSender<Wish>>,
    thread: Option<JoinHandle<()>>,
    /// Rows that had been written at the last one.
    at: u64,
    /// How many were asked for.
    asked: u64,
}

impl Checkpoints {
    pub(super) fn start(path: &Path) -> Result<Checkpoints, Fault> {
        let connection = Connection::open(path)?;
        let (wanted, wishes) = sync_channel::<Wish>(1);
        let checkpoint = move |wish: Wish| {
            connection.checkpoint();
            // Whoever waits may have gone.
            let _gone = wish.map(|done| done.send(()));
        };
        let thread = std::thread::Builder::new()
            .name("till-checkpoint".into())
            .spawn(move || wishes.iter().for_each(checkpoint))
            .map_err(|cause| Fault::new("cannot start the checkpoint thread", cause))?;
        Ok(Checkpoints { wanted: Some(wanted), thread: Some(thread), at: 0, asked: 0 })
    }

    /// Asks for one where enough has been written since the last, and waits for it where it is time to.
    pub(super) fn after(&mut self, rows_written: u64) {
        let Some(wanted) = self.wanted.as_ref().filter(|_| rows_written.saturating_sub(self.at) >= ROWS) else {
            return;
        };
        self.at = rows_written;
        self.asked += 1;
        if self.asked.is_multiple_of(WAITED_FOR) {
            let (done, ended) = sync_channel(1);
            let _ended = wanted.send(Some(done)).is_ok().then(|| ended.recv());
        } else {
            // One that is under way, or wanted already, is as good.
            let _enough = wanted.try_send(None);
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
