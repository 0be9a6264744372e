//! The thread that delivers notifications. Twice a second it looks for endpoints with something due, and gives each of
//! them a thread of its own for as long as its deliveries take, so that a slow endpoint does not hold up the others.
//! There are at most as many threads as endpoints.

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

/// Between two looks at the outbox.
const PAUSE: Duration = Duration::from_millis(500);
/// The same after the database failed, so that one that is full or locked is not asked twice a second. Also how long an
/// endpoint is left alone when the result of a delivery could not be recorded.
const FAULT_PAUSE: Duration = Duration::from_secs(10);
/// How long an endpoint's thread works before it ends; the next look at the outbox starts another one.
const ENDPOINT_TIME: Duration = Duration::from_secs(20);

/// The thread that delivers, and through it those of the endpoints.
pub struct DeliveryWorker {
    stop: SyncSender<()>,
    is_stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl DeliveryWorker {
    /// Starts to deliver.
    pub fn start(app: Arc<App>) -> std::result::Result<DeliveryWorker, Fault> {
        let (stop, stopping) = sync_channel(1);
        let is_stopping = Arc::new(AtomicBool::new(false));
        let mut threads = EndpointThreads {
            sender: endpoints::sender(&app),
            is_stopping: Arc::clone(&is_stopping),
            running: HashMap::new(),
        };
        let thread = Builder::new()
            .name("till-hooks".to_owned())
            .spawn(move || {
                let mut pause = PAUSE;
                while stopping.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    let started = threads.start_due(&app);
                    pause = if started.is_ok() { PAUSE } else { FAULT_PAUSE };
                    report("deliver", started.map(|()| 0));
                }
            })
            .map_err(|cause| Fault::new("cannot start the thread that delivers", cause))?;
        Ok(DeliveryWorker { stop, is_stopping, thread })
    }

    /// Starts no more deliveries. It does not wait for one under way: that one is not recorded, so it is sent again after
    /// the next start.
    pub fn stop(self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        // The thread may have ended already.
        let _ended = self.stop.try_send(());
        let _panicked = self.thread.join();
    }
}

/// The threads of the endpoints that are being delivered to, by the endpoint's id.
struct EndpointThreads {
    sender: Sender,
    is_stopping: Arc<AtomicBool>,
    running: HashMap<String, JoinHandle<Result<()>>>,
}

impl EndpointThreads {
    /// Reports the threads that have ended, and starts one for each endpoint that has something due and none running.
    fn start_due(&mut self, app: &Arc<App>) -> Result<()> {
        for (endpoint, thread) in self.running.extract_if(|_, thread| thread.is_finished()) {
            let panicked = |_| Err(Fault::bare(format!("delivering to {endpoint} panicked")).into());
            report("deliver", thread.join().unwrap_or_else(panicked).map(|()| 0));
        }
        for endpoint in deliver::endpoints_due(app)? {
            if self.running.contains_key(&endpoint) {
                continue;
            }
            let (sender, is_stopping) = (self.sender.clone(), Arc::clone(&self.is_stopping));
            let (app, id) = (Arc::downgrade(app), endpoint.clone());
            let thread = Builder::new()
                .name("till-hooks".to_owned())
                .spawn(move || deliver_to(&app, &sender, &id, &is_stopping))
                .map_err(|cause| Fault::new("cannot start a thread that delivers", cause))?;
            self.running.insert(endpoint, thread);
        }
        Ok(())
    }
}

/// Delivers to one endpoint. While it waits for the network it holds no reference to the app, so the till can be closed
/// meanwhile.
fn deliver_to(app: &Weak<App>, sender: &Sender, endpoint: &str, is_stopping: &AtomicBool) -> Result<()> {
    let end = Deadline::after(ENDPOINT_TIME);
    loop {
        let Some(till) = app.upgrade() else { return Ok(()) };
        let (due, clock) = (deliver::due(&till, endpoint)?, till.clock.clone());
        drop(till);
        if due.is_empty() {
            return Ok(());
        }
        for delivery in due {
            if is_stopping.load(Ordering::SeqCst) || end.left().is_zero() {
                return Ok(());
            }
            let reply = delivery.send(sender, clock.now());
            let Some(till) = app.upgrade() else { return Ok(()) };
            if let Err(error) = deliver::record(&till, &delivery, &reply) {
                // A delivery that cannot be recorded would be sent again and again.
                drop(till);
                std::thread::sleep(FAULT_PAUSE);
                return Err(error);
            }
            // An endpoint that does not answer at all is not tried for its other users at once.
            if reply.status.is_none() {
                return Ok(());
            }
        }
    }
}
