//! What runs by itself, in bounded batches: events that wait are tried again, lots expire, what has ended is removed.
//! It does nothing that a command or a request could not do; a round that fails is logged, and the next one comes.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::app::App;
use crate::error::{Fault, Result};
use crate::usecase::{expire, inbox, sign_in, subscribe};

/// Time between rounds.
const PAUSE: Duration = Duration::from_secs(5);
/// Rounds between two clean-ups: about an hour.
const ROUNDS_TO_CLEAN_UP: u32 = 720;

/// The thread that does it.
pub struct Worker {
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the rounds.
    pub fn start(app: Arc<App>) -> std::result::Result<Worker, Fault> {
        let (stop, stopping) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("till-worker".to_owned())
            .spawn(move || {
                let mut round = 0u32;
                while stopping.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                    work(&app, round);
                    round = (round + 1) % ROUNDS_TO_CLEAN_UP;
                }
            })
            .map_err(|cause| Fault::new("cannot start the worker thread", cause))?;
        Ok(Worker { stop, thread })
    }

    /// Ends after the round under way.
    pub fn stop(self) {
        // The thread may have ended already.
        let _ended = self.stop.try_send(());
        let _panicked = self.thread.join();
    }
}

fn work(app: &App, round: u32) {
    report("retry_events", inbox::retry(app));
    report("ask_about_subscriptions", subscribe::ask_unsure(app));
    report("allot_months", subscribe::allot_due(app));
    report("expire_lots", expire::expire(app));
    if round == 0 {
        report("remove_ended_sign_ins", sign_in::remove_ended(app));
    }
}

fn report(task: &str, done: Result<usize>) {
    match done {
        Ok(0) => {}
        Ok(count) => tracing::info!(event = "worker_done", task, count),
        Err(error) => tracing::warn!(event = "worker_failed", task, error = %error),
    }
}
