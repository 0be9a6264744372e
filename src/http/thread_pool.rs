//! The one door from asynchronous handlers to blocking work: a fixed number of threads and a bounded queue. When the
//! queue is full, the call is refused at once and the client is asked to try again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::error::{Error, Fault, Refused, Result};
use crate::log_pace::LogPace;
use crate::slot::Slot;

type Work = Box<dyn FnOnce() + Send>;

/// The stack of one thread in bytes. No use case recurses deeply.
const STACK: usize = 1024 * 1024;

/// A handle to the threads. They end when the last handle is dropped and the queue is empty.
#[derive(Clone)]
pub(super) struct ThreadPool {
    name: &'static str,
    queue: SyncSender<Work>,
    full_lines: Arc<LogPace>,
}

impl ThreadPool {
    /// Starts `threads` threads and a queue with room for `waiting` calls.
    pub(super) fn start(name: &'static str, threads: usize, waiting: usize) -> std::result::Result<ThreadPool, Fault> {
        let (queue, work) = sync_channel::<Work>(waiting);
        let work = Arc::new(Mutex::new(work));
        for _ in 0..threads {
            let work = Arc::clone(&work);
            std::thread::Builder::new()
                .name(name.to_owned())
                .stack_size(STACK)
                .spawn(move || {
                    while let Some(next) = take(&work) {
                        next()
                    }
                })
                .map_err(|cause| Fault::new("cannot start a worker thread", cause))?;
        }
        Ok(ThreadPool { name, queue, full_lines: Arc::default() })
    }

    /// Runs `work` on one of the threads. A panic in it is a fault of that call alone.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let value = Slot::new();
        let slot = value.clone();
        self.finish(Box::new(move || slot.put(work()))).await?;
        value.take().unwrap_or_else(|_| Err(Fault::bare("a request's work panicked").into()))
    }

    /// Returns once the work has ended, even if it panicked.
    async fn finish(&self, work: Work) -> Result<()> {
        let done = self.start_work(work)?;
        Ok(done.await.map_err(|_| Fault::bare("a worker thread ended before it answered"))?)
    }

    /// Queues the work. The receiver gets a message once it has ended, even if it panicked.
    fn start_work(&self, work: Work) -> Result<oneshot::Receiver<()>> {
        let (reply, answer) = oneshot::channel();
        let job: Work = Box::new(move || {
            let _has_left_no_value = catch_unwind(AssertUnwindSafe(work));
            // The client may have closed the connection. What was done stays done.
            let _gone = reply.send(());
        });
        self.queue.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                if let Some(left_out) = self.full_lines.next() {
                    tracing::warn!(event = "pool_full", pool = self.name, left_out);
                }
                let detail = "Too much is waiting already. Nothing was changed; try again shortly.".to_owned();
                Error::from(Refused::Unavailable { retry_after: 1, detail })
            }
            TrySendError::Disconnected(_) => Fault::bare("the worker threads have stopped").into(),
        })?;
        Ok(answer)
    }
}

fn take(work: &Mutex<Receiver<Work>>) -> Option<Work> {
    work.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
