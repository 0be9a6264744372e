//! The thread that delivers: it looks at the outbox twice a second, tells the log of low balances, and gives each endpoint
//! that has something due a thread of its own for as long as that takes, so that a slow one holds up nobody else. There
//! are as many threads as endpoints at most.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::report;
use crate::app::App;
use crate::clock::Deadline;
use crate::error::{Fault, Result};
use crate::notification::sender::Sender;
use crate::usecase::notifications::deliver;
use crate::usecase::notifications::endpoints;

/// Time between two looks at the outbox.
const PAUSE: Duration = Duration::from_millis(500);
/// How long one endpoint is served before what is due is looked up again.
const TURN: Duration = Duration::from_secs(20);

/// The same after a failure of ours. How long an endpoint is left alone when what came of a delivery cannot be kept.
const FAULT_PAUSE: Duration = Duration::from_secs(10);

/// The thread, and through it those of the endpoints.
pub struct Deliveries {
    stop: SyncSender<()>,
    is_stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Deliveries {
    /// Starts to deliver.
    pub fn start(app: Arc<App>) -> std::result::Result<Deliveries, Fault> {
        let (stop, stopping) = sync_channel(1);
        let is_stopping = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&is_stopping);
        let thread = Builder::new()
            .name("till-hooks".to_owned())
            .spawn(move || {
                let mut turns = Turns { sender: endpoints::sender(&app), is_stopping: shared, running: HashMap::new() };
                let mut pause = PAUSE;
                while stopping.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    let done = deliver::tell_low_balances(&app).and_then(|_| turns.begin(&app));
                    // A database that is full or held is not asked, and the log not told, twice a second.
                    pause = if done.is_ok() { PAUSE } else { FAULT_PAUSE };
                    report("deliver", done.map(|()| 0));
                }
            })
            .map_err(|cause| Fault::new("cannot start the thread that delivers", cause))?;
        Ok(Deliveries { stop, is_stopping, thread })
    }

    /// Begins nothing more. A delivery under way is not waited for: unmarked, it is sent again after the next start.
    pub fn stop(self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        // The thread may have ended already.
        let _ended = self.stop.try_send(());
        let _panicked = self.thread.join();
    }
}

/// The endpoints that are being served.
struct Turns {
    sender: Sender,
    is_stopping: Arc<AtomicBool>,
    running: HashMap<String, JoinHandle<Result<()>>>,
}

impl Turns {
    /// Gives each endpoint with something due its turn, unless it has one.
    fn begin(&mut self, app: &Arc<App>) -> Result<()> {
        for (hook, turn) in self.running.extract_if(|_, turn| turn.is_finished()) {
            let ended = turn.join().unwrap_or_else(|_| Err(Fault::bare(format!("serving {hook} panicked")).into()));
            report("deliver", ended.map(|()| 0));
        }
        for hook in deliver::hooks_due(app)? {
            if self.running.contains_key(&hook) {
                continue;
            }
            let (sender, is_stopping) = (self.sender.clone(), Arc::clone(&self.is_stopping));
            let (app, id) = (Arc::downgrade(app), hook.clone());
            let turn = Builder::new()
                .name("till-hooks".to_owned())
                .spawn(move || serve(&app, &sender, &id, &is_stopping))
                .map_err(|cause| Fault::new("cannot start a thread that delivers", cause))?;
            self.running.insert(hook, turn);
        }
        Ok(())
    }
}

/// Serves one endpoint. While it waits for the network it holds nothing of the till, which may so be closed.
fn serve(app: &Weak<App>, sender: &Sender, hook: &str, is_stopping: &AtomicBool) -> Result<()> {
    let turn = Deadline::after(TURN);
    loop {
        let Some(till) = app.upgrade() else { return Ok(()) };
        let (due, clock) = (deliver::due(&till, hook)?, till.clock.clone());
        drop(till);
        if due.is_empty() {
            return Ok(());
        }
        for outgoing in due {
            if is_stopping.load(Ordering::SeqCst) || turn.left().is_zero() {
                return Ok(());
            }
            let answer = outgoing.send(sender, clock.now());
            let Some(till) = app.upgrade() else { return Ok(()) };
            if let Err(error) = deliver::record(&till, &outgoing, &answer) {
                // What cannot be marked would be sent again and again.
                drop(till);
                std::thread::sleep(FAULT_PAUSE);
                return Err(error);
            }
            // Whoever does not answer at all is not asked for the next user's sake at once.
            if answer.status.is_none() {
                return Ok(());
            }
        }
    }
}
