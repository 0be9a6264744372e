//! What runs by itself, in bounded batches. Nothing here decides anything: each task is one use case. A task that fails is
//! logged and tried in the next round.
//!
//! There is a thread for each thing that a task can wait for, so that none holds up another: the books (lots, months), Stripe's
//! answers about single events and subscriptions, the comparison with Stripe, which may take hours, and Stripe's list of events
//! where no webhook brings them. Of several processes on one database one does each task: the one that has its lease.

mod delivery;
mod polling;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::app::App;
use crate::clock::Deadline;
use crate::error::{Fault, Result};
use crate::store::Lease;
use crate::usecase::audit;
use crate::usecase::checkout::customer_change;
use crate::usecase::checkout::erased::ErasedCheckouts;
use crate::usecase::mail;
use crate::usecase::notifications::{deliver, expiring};
use crate::usecase::operator::clock::ClockWatch;
use crate::usecase::operator::compaction::Compaction;
use crate::usecase::operator::head;
use crate::usecase::operator::stripe_account;
use crate::usecase::stripe_events::bodies;
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

/// The threads of the rounds.
pub struct Worker {
    rounds: Vec<Rounds>,
}

impl Worker {
    /// Starts the rounds.
    pub fn start(app: Arc<App>) -> std::result::Result<Worker, Fault> {
        let (books, events, comparison, polled) = (app.clone(), app.clone(), app.clone(), app);
        let mut round = 0u32;
        let mut clock = ClockWatch::begin(&books);
        let mut compaction = Compaction::default();
        let books = Rounds::start("till-worker", move |_| {
            report("watch_clock", look(&mut clock, &books));
            if has_lease(&books, Lease::Time) {
                keep_books(&books, round);
            }
            report("give_back_pages", compaction.look(&books));
            round = (round + 1) % ROUNDS_TO_CLEAN_UP;
        })?;
        let mut erased_checkouts = ErasedCheckouts::default();
        let events = Rounds::start("till-inbox", move |_| {
            report("ask_whose_key_it_is", stripe_account::confirm_later(&events));
            if !has_lease(&events, Lease::Inbox) {
                return;
            }
            report("retry_events", retry::retry_due(&events));
            report("ask_about_subscriptions", retry::ask_about_ambiguous(&events));
            report("send_customer_changes", customer_change::send_due(&events));
            report("expire_checkouts_of_erased", erased_checkouts.expire(&events));
        })?;
        let mut next_comparison = comparison.config.reconcile_interval.map(Deadline::after);
        let mut comparisons = 0u32;
        let comparison = Rounds::start("till-reconcile", move |is_stopping| {
            if !has_lease(&comparison, Lease::Comparison) {
                return;
            }
            let is_asked = asked(&comparison);
            if is_asked || next_comparison.is_some_and(|due| due.left().is_zero()) {
                // Objects are swept rarely, because the list of events contains nearly everything.
                let sweep = is_asked || comparisons.is_multiple_of(COMPARISONS_TO_SWEEP);
                report("compare_with_stripe", compare(&comparison, sweep, is_stopping));
                comparisons = comparisons.wrapping_add(1);
                next_comparison = comparison.config.reconcile_interval.map(Deadline::after);
            }
        })?;
        let mut rounds = vec![books, events, comparison];
        if polled.config.stripe.is_polled() {
            rounds.push(polling::start(polled)?);
        }
        Ok(Worker { rounds })
    }

    /// Waits for the rounds under way, then ends the threads. A comparison ends after the page under way.
    pub fn stop(self) {
        // All of them are told before one is waited for.
        self.rounds.iter().for_each(Rounds::ask_to_stop);
        for rounds in self.rounds {
            let _panicked = rounds.thread.join();
        }
    }
}

/// A thread that does the same every few seconds.
struct Rounds {
    stop: SyncSender<()>,
    is_stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Rounds {
    /// A long `round` looks at the flag, which says that the thread is to end.
    fn start(name: &str, mut round: impl FnMut(&AtomicBool) + Send + 'static) -> std::result::Result<Rounds, Fault> {
        Rounds::start_with_pauses(name, PAUSE, move |is_stopping| {
            round(is_stopping);
            PAUSE
        })
    }

    /// The same for a `round` that says how long the pause after it is. `first` is the one before the first.
    fn start_with_pauses(
        name: &str,
        first: Duration,
        mut round: impl FnMut(&AtomicBool) -> Duration + Send + 'static,
    ) -> std::result::Result<Rounds, Fault> {
        let (stop, stopping) = sync_channel(1);
        let is_stopping = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&is_stopping);
        let thread = Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let mut pause = first;
                while stopping.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    pause = round(&shared);
                }
            })
            .map_err(|cause| Fault::new(format!("cannot start the thread {name}"), cause))?;
        Ok(Rounds { stop, is_stopping, thread })
    }

    fn ask_to_stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        // The thread may have ended already.
        let _ended = self.stop.try_send(());
    }
}

/// Looks at the clock before anything happens by it.
fn look(clock: &mut Result<ClockWatch>, app: &App) -> Result<usize> {
    if clock.is_err() {
        *clock = ClockWatch::begin(app);
    }
    match clock {
        Ok(clock) => clock.look(app).map(|()| 0),
        // Reported with the next look, if it fails again.
        Err(_) => Ok(0),
    }
}

fn keep_books(app: &App, round: u32) {
    report("allot_months", retry::allot_due(app));
    report("expire_lots", expire::expire(app));
    report("notify_of_expiry", expiring::notify(app));
    if round == 0 {
        report("log_books_head", head::log(app));
        report("remove_ended_sign_ins", sign_in::remove_ended(app));
        report("remove_old_messages", deliver::remove_old(app));
        report("remove_old_comparisons", reconcile::record::remove_old(app));
        report("remove_old_letters", mail::deliver::remove_old(app));
        report("remove_old_event_bodies", bodies::remove_old(app));
        report("remove_old_audit_rows", audit::remove_old(app));
    }
}

/// Whether this work is this process's, of all that share the database. Where that cannot be learned, it is not.
fn has_lease(app: &App, work: Lease) -> bool {
    let held = app.store.has_lease(work);
    held.inspect_err(|error| tracing::warn!(event = "lease_unknown", work = ?work, error = %error)).unwrap_or(false)
}

/// Whether somebody asked for a comparison.
fn asked(app: &App) -> bool {
    reconcile::record::asked(app).is_ok_and(|asked| asked.is_some())
}

/// Compares, and ends after the page under way when the thread is to end: the next start continues there.
fn compare(app: &App, sweep: bool, is_stopping: &AtomicBool) -> Result<usize> {
    let compared = reconcile::reconcile_while(app, None, sweep, |_, _| !is_stopping.load(Ordering::SeqCst));
    match compared {
        Err(_) if is_stopping.load(Ordering::SeqCst) => Ok(0),
        compared => Ok(usize::try_from(compared?.applied).unwrap_or(usize::MAX)),
    }
}

fn report(task: &str, result: Result<usize>) {
    match result {
        Ok(0) => {}
        Ok(count) => tracing::info!(event = "worker_done", task, count),
        Err(error) => tracing::warn!(event = "worker_failed", task, error = %error),
    }
}
