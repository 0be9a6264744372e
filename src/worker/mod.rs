//! What runs by itself, in bounded batches: waiting events are tried again, holds and lots expire, old rows are removed.
//! Nothing here decides anything: each task is one use case. A task that fails is logged and tried in the next round.

mod delivery;

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::app::App;
use crate::clock::Deadline;
use crate::error::{Fault, Result};
use crate::usecase::notifications::deliver;
use crate::usecase::operator::stripe_account;
use crate::usecase::stripe_events::reconcile;
use crate::usecase::stripe_events::retry;
use crate::usecase::units::expire;
use crate::usecase::users::sign_in;

pub use delivery::DeliveryWorker;

/// Between rounds.
const PAUSE: Duration = Duration::from_secs(5);
/// Rounds between two clean-ups: about an hour.
const ROUNDS_TO_CLEAN_UP: u32 = 720;

/// Comparisons with Stripe between two sweeps over its objects: about a day, where they are a quarter of an hour apart.
const COMPARISONS_TO_SWEEP: u32 = 96;

/// The thread of the rounds.
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
                let mut next_comparison = app.config.reconcile_interval.map(Deadline::after);
                let mut comparisons = 0u32;
                while stopping.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                    run_tasks(&app, round);
                    round = (round + 1) % ROUNDS_TO_CLEAN_UP;
                    if next_comparison.is_some_and(|due| due.left().is_zero()) {
                        // Objects are swept rarely, because the list of events contains nearly everything.
                        let sweep = comparisons.is_multiple_of(COMPARISONS_TO_SWEEP);
                        report("compare_with_stripe", compare(&app, sweep));
                        comparisons = comparisons.wrapping_add(1);
                        next_comparison = app.config.reconcile_interval.map(Deadline::after);
                    }
                }
            })
            .map_err(|cause| Fault::new("cannot start the worker thread", cause))?;
        Ok(Worker { stop, thread })
    }

    /// Waits for the round under way, then ends the thread.
    pub fn stop(self) {
        // The thread may have ended already.
        let _ended = self.stop.try_send(());
        let _panicked = self.thread.join();
    }
}

fn run_tasks(app: &App, round: u32) {
    report("ask_whose_key_it_is", stripe_account::confirm_later(app));
    report("retry_events", retry::retry_due(app));
    report("ask_about_subscriptions", retry::ask_about_ambiguous(app));
    report("allot_months", retry::allot_due(app));
    report("expire_lots", expire::expire(app));
    if round == 0 {
        report("remove_ended_sign_ins", sign_in::remove_ended(app));
        report("remove_old_messages", deliver::remove_old(app));
    }
}

fn compare(app: &App, sweep: bool) -> Result<usize> {
    let compared = reconcile::reconcile(app, None, sweep, |_, _| ())?;
    Ok(usize::try_from(compared.applied).unwrap_or(usize::MAX))
}

fn report(task: &str, result: Result<usize>) {
    match result {
        Ok(0) => {}
        Ok(count) => tracing::info!(event = "worker_done", task, count),
        Err(error) => tracing::warn!(event = "worker_failed", task, error = %error),
    }
}
