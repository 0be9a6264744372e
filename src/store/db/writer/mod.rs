//! The one thread that writes. It puts all waiting jobs into one transaction (group commit): one flush of the disk serves
//! many. Each job stands alone: its refusal, fault or panic undoes only itself, and no caller is answered before the
//! commit that holds its work is durable.

mod batch_queue;
mod connection;
mod figures;
mod job;

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::fault::{DbResult, lost};
use super::schema::record_seen;
use super::tx::Tx;
use crate::clock::Deadline;
use crate::error::{Error, Fault, Refused, Result};
use crate::slot::Slot;

use batch_queue::{Batch, BatchQueue, CommitTimes};
use job::{Job, Work, into_slot};

pub(in crate::store) use connection::WriteConnection;
pub use connection::{AccountName, Scope};

/// Jobs that may wait; more are refused at once.
const QUEUE: usize = 1024;
const STOPPED: &str = "the writer has stopped";
/// How often a write is tried that others were in the way of.
const ATTEMPTS: u32 = 6;
/// The pause before the second of these; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(2);

/// What the writer has done since it started, for the metrics.
#[derive(Clone)]
pub struct WriterFigures {
    /// How long it took from a batch's begin to its durable end.
    pub commit_seconds: Histogram,
    /// How long its durable end alone took.
    pub commit_flush_seconds: Histogram,
    /// Jobs that wait for the writer.
    pub queued_writes: Gauge,
    /// How many jobs one commit held.
    pub commit_writes: Histogram,
    /// Jobs that were committed.
    pub writes: Counter,
    /// Commits that failed.
    pub commit_failures: Counter,
    /// The size of the write-ahead log, in bytes, when it was looked at last.
    pub wal_bytes: Gauge,
}

impl WriterFigures {
    /// Of one writer, or of several together.
    pub(in crate::store) fn new(wal_bytes: Gauge) -> WriterFigures {
        WriterFigures {
            commit_seconds: Histogram::new([0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]),
            commit_flush_seconds: Histogram::new([0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]),
            queued_writes: Gauge::default(),
            commit_writes: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            writes: Counter::default(),
            commit_failures: Counter::default(),
            wal_bytes,
        }
    }
}

/// The way to the writer, to be shared. The writer ends when the last one is dropped.
#[derive(Clone)]
pub(in crate::store) struct WriterQueue {
    jobs: SyncSender<Job>,
    waiting: Gauge,
}

/// The handle to the writer thread.
pub(in crate::store) struct Writer {
    queue: Option<WriterQueue>,
    thread: Option<JoinHandle<()>>,
    figures: WriterFigures,
}

impl Writer {
    pub(in crate::store) fn start(connection: Box<dyn WriteConnection>, figures: WriterFigures) -> DbResult<Writer> {
        let (queue, jobs) = sync_channel(QUEUE);
        let own_figures = figures.clone();
        let thread = std::thread::Builder::new()
            .name("till-writer".into())
            .spawn(move || run(connection, &jobs, &own_figures))
            .map_err(|cause| Fault::new("cannot start the writer thread", cause))?;
        let queue = WriterQueue { jobs: queue, waiting: figures.queued_writes.clone() };
        Ok(Writer { queue: Some(queue), thread: Some(thread), figures })
    }

    /// Runs `work` and waits for its result.
    pub(in crate::store) fn write<T, F>(&self, scope: Scope, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        let value = Slot::new();
        self.run_and_wait(scope, into_slot(&value, work))?;
        value.take()
    }

    fn run_and_wait(&self, scope: Scope, work: Work) -> Result<()> {
        let (reply, answer) = sync_channel(1);
        // The caller may have left; the work is done all the same.
        self.queue_job(Job::of(scope, work, Box::new(move |outcome| drop(reply.send(outcome)))));
        answer.recv().map_err(|_| Fault::bare("the writer ended before it answered"))?
    }

    /// See [`WriterQueue::submit`].
    pub(in crate::store) fn submit<T, F, A>(&self, scope: Scope, work: F, then: A)
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
        A: FnOnce(Result<T>) + Send + 'static,
    {
        self.queue_job(Job::new(scope, work, then));
    }

    fn queue_job(&self, job: Job) {
        match &self.queue {
            Some(queue) => queue.queue_job(job),
            None => job.answer(Some(Fault::bare(STOPPED).into())),
        }
    }

    /// The way to the writer. `None` while it stops.
    pub(in crate::store) fn queue(&self) -> Option<&WriterQueue> {
        self.queue.as_ref()
    }

    pub(in crate::store) fn figures(&self) -> &WriterFigures {
        &self.figures
    }
}

impl WriterQueue {
    /// Queues `work`. `then` gets the result exactly once: on the writer thread after the commit, or here when the queue is
    /// full.
    pub(in crate::store) fn submit<T, F, A>(&self, scope: Scope, work: F, then: A)
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
        A: FnOnce(Result<T>) + Send + 'static,
    {
        self.queue_job(Job::new(scope, work, then));
    }

    fn queue_job(&self, job: Job) {
        self.waiting.inc();
        let sent = self.jobs.try_send(job);
        if sent.is_err() {
            self.waiting.dec();
        }
        match sent {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => job.answer(Some(Error::from(Refused::Unavailable {
                retry_after: 1,
                detail: format!("{QUEUE} writes are waiting already. Nothing was changed; try again shortly."),
            }))),
            Err(TrySendError::Disconnected(job)) => job.answer(Some(Fault::bare(STOPPED).into())),
        }
    }
}

impl Drop for Writer {
    /// Waits until the thread has finished what is queued. The last owner of the store may have been a job's callback; this
    /// is then the writer's own thread, which ends by itself and cannot be waited for here.
    fn drop(&mut self) {
        drop(self.queue.take());
        let thread = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id());
        if let Some(thread) = thread {
            let _ended = thread.join();
        }
    }
}

fn run(mut connection: Box<dyn WriteConnection>, jobs: &Receiver<Job>, figures: &WriterFigures) {
    let connection = connection.as_mut();
    connection.start();
    let mut queue = BatchQueue::of(jobs);
    while let Some(batch) = queue.next_batch() {
        figures.queued_writes.dec_by(i64::try_from(batch.len()).unwrap_or(i64::MAX));
        if let Some(times) = commit(connection, batch, figures, 1) {
            queue.last = times;
            connection.answered(queue.answered);
        }
    }
    connection.end();
}

/// Writes the batch in one transaction; returns how long it took. If the transaction fails as a whole, each job is tried
/// alone, so that only the one that broke it fails.
fn commit(
    connection: &mut dyn WriteConnection,
    mut batch: Batch,
    figures: &WriterFigures,
    attempt: u32,
) -> Option<CommitTimes> {
    let started = Deadline::after(Duration::ZERO);
    // A rollback that failed must not fail every batch after it.
    connection.rollback();
    connection.figures().undo(0);
    if let Err(fault) = connection.begin(&scope_of(&batch), batch.len()) {
        batch.into_iter().for_each(|job| job.answer(Some(copy_of(&fault).into())));
        return None;
    }
    let ran = match batch.as_mut_slice() {
        [job] => {
            let kept = job.run(connection);
            if connection.is_open() { Ok(kept) } else { Err(lost()) }
        }
        jobs => run_together(connection, jobs).map(|()| true),
    };
    let ran = match ran {
        Ok(true) => write_figures(connection).and_then(|()| record_time(connection)).map(|()| true),
        other => other,
    };
    let flushing = Deadline::after(Duration::ZERO);
    let ended = match ran {
        Ok(true) => connection.commit(),
        Ok(false) => {
            connection.rollback();
            Ok(())
        }
        Err(fault) => Err(fault.into()),
    };
    match ended {
        Ok(()) => {
            let (whole, flush) = (started.elapsed(), flushing.elapsed());
            figures.commit_seconds.observe(whole.as_secs_f64());
            figures.commit_flush_seconds.observe(flush.as_secs_f64());
            figures.writes.inc_by(u64::try_from(batch.len()).unwrap_or(u64::MAX));
            figures.commit_writes.observe(u32::try_from(batch.len()).unwrap_or(u32::MAX).into());
            batch.into_iter().for_each(|job| job.answer(None));
            Some(CommitTimes { work: whole.saturating_sub(flush), flush })
        }
        Err(error) => {
            connection.rollback();
            figures.commit_failures.inc();
            try_again(connection, batch, figures, attempt, &error);
            None
        }
    }
}

/// What becomes of a batch whose transaction failed: each job alone; one that is alone again while others were in its way; else
/// its caller has the error.
fn try_again(connection: &mut dyn WriteConnection, batch: Batch, figures: &WriterFigures, attempt: u32, error: &Error) {
    let is_unknown = matches!(error, Error::Refused(_));
    let may_succeed = connection.may_succeed_again() && attempt < ATTEMPTS;
    match batch.len() {
        _ if is_unknown => batch.into_iter().for_each(|job| job.answer(Some(copy_of_error(error)))),
        1 if may_succeed => {
            std::thread::sleep(PAUSE * 2_u32.saturating_pow(attempt - 1));
            commit(connection, batch, figures, attempt + 1);
        }
        1 => batch.into_iter().for_each(|job| job.answer(Some(copy_of_error(error)))),
        _ => batch.into_iter().for_each(|job| {
            commit(connection, vec![job], figures, attempt);
        }),
    }
}

/// Whose rows these jobs change.
fn scope_of(jobs: &[Job]) -> Scope {
    jobs.iter().map(|job| &job.scope).fold(Scope::Accounts(vec![]), Scope::with)
}

/// Adds to the figures what the batch noted.
fn write_figures(connection: &mut dyn WriteConnection) -> DbResult<()> {
    let (changed, writer) = (connection.figures().take(), connection.figures_writer());
    figures::add(connection, &changed, writer)
}

/// Writes the time beside the batch, if it is plausible and was not written for a while. A later start compares its clock
/// with it.
fn record_time(connection: &mut dyn WriteConnection) -> DbResult<()> {
    let Some(now) = connection.time().due() else { return Ok(()) };
    let recorded = record_seen(connection, now);
    recorded.map_err(|error| Fault::bare(error.to_string()))?;
    connection.time().recorded(now);
    Ok(())
}

/// Runs the jobs one after the other, without savepoints: a refusal nearly always comes before the first write, so there
/// is nothing to undo. If a job wrote and then failed, all are run again, each behind a savepoint.
fn run_together(connection: &mut dyn WriteConnection, jobs: &mut [Job]) -> DbResult<()> {
    for job in jobs.iter_mut() {
        let (before, figures) = (connection.rows_changed(), connection.figures().begin_job());
        let kept = job.run(connection);
        if !connection.is_open() {
            return Err(lost());
        }
        if !kept && connection.rows_changed() != before {
            connection.rollback();
            connection.figures().undo(0);
            connection.begin(&scope_of(jobs), jobs.len())?;
            return run_apart(connection, jobs);
        }
        if !kept {
            connection.figures().undo(figures);
        }
    }
    Ok(())
}

/// Runs each job behind its own savepoint. An error means that the whole transaction is lost.
fn run_apart(connection: &mut dyn WriteConnection, jobs: &mut [Job]) -> DbResult<()> {
    for job in jobs {
        connection.savepoint()?;
        let figures = connection.figures().begin_job();
        let kept = job.run(connection);
        if !connection.is_open() {
            return Err(lost());
        }
        if kept {
            connection.keep()?;
        } else {
            connection.undo()?;
            connection.figures().undo(figures);
        }
    }
    Ok(())
}

/// The same fault for one more caller.
fn copy_of(fault: &Fault) -> Fault {
    let copy = Fault::bare(fault.to_string());
    if fault.is_retryable() { copy.retryable() } else { copy }
}

/// The same error for one more caller.
fn copy_of_error(error: &Error) -> Error {
    match error {
        Error::Fault(fault) => copy_of(fault).into(),
        Error::Refused(refused) => refused.clone().into(),
    }
}
