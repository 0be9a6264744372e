//! The thread that delivers notifications and letters. Twice a second it looks for receivers with something due: the
//! endpoints, and the mail server. Each of them gets a thread of its own for as long as its deliveries take, so that a slow
//! receiver does not hold up the others. There are at most as many threads as receivers.

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
use crate::mail::sender::MailSender;
use crate::notification::sender::Sender;
use crate::store::Lease;
use crate::usecase::mail;
use crate::usecase::notifications::deliver;
use crate::usecase::notifications::endpoints;

/// Between two looks at the outboxes.
const PAUSE: Duration = Duration::from_millis(500);
/// The same after the database failed, so that one that is full or locked is not asked twice a second. Also how long a
/// receiver is left alone when the result of a delivery could not be recorded.
const FAULT_PAUSE: Duration = Duration::from_secs(10);
/// How long a receiver's thread works before it ends; the next look at the outboxes starts another one.
const RECEIVER_TIME: Duration = Duration::from_secs(20);

/// The thread that delivers, and through it those of the receivers.
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
        let mut threads = ReceiverThreads {
            sender: endpoints::sender(&app),
            mail: mail::deliver::sender(&app).map_err(|error| Fault::bare(error.to_string()))?,
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

/// Who is delivered to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Receiver {
    /// An endpoint, by its id.
    Endpoint(String),
    MailServer,
}

/// The threads of the receivers that are being delivered to.
struct ReceiverThreads {
    sender: Sender,
    mail: Option<MailSender>,
    is_stopping: Arc<AtomicBool>,
    running: HashMap<Receiver, JoinHandle<Result<()>>>,
}

impl ReceiverThreads {
    /// Reports the threads that have ended, and starts one for each receiver that has something due and none running.
    fn start_due(&mut self, app: &Arc<App>) -> Result<()> {
        for (receiver, thread) in self.running.extract_if(|_, thread| thread.is_finished()) {
            let panicked = |_| Err(Fault::bare(format!("delivering to {receiver:?} panicked")).into());
            report("deliver", thread.join().unwrap_or_else(panicked).map(|()| 0));
        }
        if !app.store.has_lease(Lease::Delivery)? {
            return Ok(());
        }
        for endpoint in deliver::endpoints_due(app)? {
            let sender = self.sender.clone();
            let id = endpoint.clone();
            self.start(app, Receiver::Endpoint(endpoint), "till-hooks", move |app, is_stopping| {
                deliver_to(app, &sender, &id, is_stopping)
            })?;
        }
        if let Some(sender) = self.mail.clone()
            && mail::deliver::is_due(app)?
        {
            self.start(app, Receiver::MailServer, "till-mail", move |app, is_stopping| {
                send_letters(app, &sender, is_stopping)
            })?;
        }
        Ok(())
    }

    /// Starts a receiver's thread unless it runs.
    fn start(
        &mut self,
        app: &Arc<App>,
        receiver: Receiver,
        name: &str,
        work: impl FnOnce(&Weak<App>, &AtomicBool) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        if self.running.contains_key(&receiver) {
            return Ok(());
        }
        let (app, is_stopping) = (Arc::downgrade(app), Arc::clone(&self.is_stopping));
        let thread = Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&app, &is_stopping))
            .map_err(|cause| Fault::new("cannot start a thread that delivers", cause))?;
        self.running.insert(receiver, thread);
        Ok(())
    }
}

/// Whether to deliver is still this process's work. Where another has taken it over, it would be done twice.
fn is_ours(app: &Weak<App>) -> Result<bool> {
    app.upgrade().map_or(Ok(false), |till| till.store.has_lease(Lease::Delivery))
}

/// Delivers to one endpoint. While it waits for the network it holds no reference to the app, so the till can be closed
/// meanwhile.
fn deliver_to(app: &Weak<App>, sender: &Sender, endpoint: &str, is_stopping: &AtomicBool) -> Result<()> {
    let end = Deadline::after(RECEIVER_TIME);
    loop {
        let Some(till) = app.upgrade() else { return Ok(()) };
        let (due, clock) = (deliver::due(&till, endpoint)?, till.clock.clone());
        drop(till);
        if due.is_empty() {
            return Ok(());
        }
        for delivery in due {
            if is_stopping.load(Ordering::SeqCst) || end.left().is_zero() || !is_ours(app)? {
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

/// Hands letters to the mail server, in the same way. One that does not answer is left alone until the next look.
fn send_letters(app: &Weak<App>, sender: &MailSender, is_stopping: &AtomicBool) -> Result<()> {
    let end = Deadline::after(RECEIVER_TIME);
    loop {
        let Some(till) = app.upgrade() else { return Ok(()) };
        let due = mail::deliver::due(&till)?;
        drop(till);
        if due.is_empty() {
            return Ok(());
        }
        for letter in due {
            if is_stopping.load(Ordering::SeqCst) || end.left().is_zero() || !is_ours(app)? {
                return Ok(());
            }
            let sent = letter.send(sender);
            let Some(till) = app.upgrade() else { return Ok(()) };
            if let Err(error) = mail::deliver::record(&till, &letter, &sent) {
                drop(till);
                std::thread::sleep(FAULT_PAUSE);
                return Err(error);
            }
            if sent.is_err_and(|refusal| !refusal.is_answered) {
                return Ok(());
            }
        }
    }
}
