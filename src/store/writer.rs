//! The one thread that writes. It gathers whatever waits into one transaction (group commit): one flush of the disk
//! serves many. Each job stands alone: its refusal, fault or panic undoes only itself, and nobody is answered before
//! the commit that holds their work is durable.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use super::checkpoint::Checkpoints;
use super::sqlite::Connection;
use super::{Row, Tx, Value, unavailable};
use crate::clock::Deadline;
use crate::error::{Error, Fault, Refused, Result};

/// Jobs that may wait; more are refused at once.
const QUEUE: usize = 1024;
/// Jobs in one transaction.
const BATCH: usize = 256;
/// The longest that a batch waits for more, however slow the disk is.
const PATIENCE: Duration = Duration::from_millis(10);
/// A flush that takes so many times as long as the statements before it is what the writers wait for.
const SLOW: u32 = 3;

/// What the writer has done since it started, for the metrics.
#[derive(Clone)]
pub struct WriterFigures {
    /// How long it took from a batch's begin to its durable end.
    pub commit_seconds: Histogram,
    /// How many jobs one commit held.
    pub commit_writes: Histogram,
    /// Commits that failed.
    pub commit_failures: Counter,
}

impl WriterFigures {
    fn new() -> WriterFigures {
        WriterFigures {
            commit_seconds: Histogram::new([0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]),
            commit_writes: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            commit_failures: Counter::default(),
        }
    }
}

/// The handle to the writer thread.
pub(super) struct Writer {
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    figures: WriterFigures,
}

impl Writer {
    pub(super) fn start(connection: Connection, checkpoints: Checkpoints) -> std::result::Result<Writer, Fault> {
        let (queue, jobs) = sync_channel(QUEUE);
        let figures = WriterFigures::new();
        let kept = figures.clone();
        let thread = std::thread::Builder::new()
            .name("till-writer".into())
            .spawn(move || run(connection, checkpoints, &jobs, &kept))
            .map_err(|cause| Fault::new("cannot start the writer thread", cause))?;
        Ok(Writer { queue: Some(queue), thread: Some(thread), figures })
    }

    pub(super) fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        // Whoever asked may have gone; the work is done all the same.
        self.submit(work, move |result| drop(reply.send(result)));
        answer.recv().map_err(|_| Fault::bare("the writer ended before it answered"))?
    }

    /// Queues `work`. `then` hears of its outcome exactly once, on the writer thread after the commit, or here when the
    /// queue is full.
    pub(super) fn submit<T, F, A>(&self, work: F, then: A)
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
        A: FnOnce(Result<T>) + Send + 'static,
    {
        let job: Box<dyn Job> = Box::new(Pending { work, result: None, then });
        let refused = match &self.queue {
            Some(queue) => queue.try_send(job).err(),
            None => Some(TrySendError::Disconnected(job)),
        };
        match refused {
            None => {}
            Some(TrySendError::Full(job)) => job.answer(Some(Error::from(Refused::Unavailable {
                retry_after: 1,
                detail: format!("{QUEUE} writes are waiting already. Nothing was changed; try again shortly."),
            }))),
            Some(TrySendError::Disconnected(job)) => job.answer(Some(Fault::bare("the writer has stopped").into())),
        }
    }

    pub(super) fn figures(&self) -> &WriterFigures {
        &self.figures
    }
}

impl Drop for Writer {
    /// Finishes what is queued, then leaves. Where the last that held the store was itself waiting for an answer, this is
    /// the writer's own thread, which does so by itself and cannot be waited for here.
    fn drop(&mut self) {
        drop(self.queue.take());
        let thread = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id());
        if let Some(thread) = thread {
            let _ended = thread.join();
        }
    }
}

/// A piece of work and whoever waits for it.
trait Job: Send {
    /// Does the work inside the transaction under way; `false` when it must be undone.
    fn run(&mut self, tx: &mut dyn Tx) -> bool;
    /// Hands the result over: what the work answered, or the fault that undid it.
    fn answer(self: Box<Self>, undone_by: Option<Error>);
}

struct Pending<T, F, A> {
    work: F,
    result: Option<Result<T>>,
    then: A,
}

impl<T, F, A> Job for Pending<T, F, A>
where
    T: Send,
    F: FnMut(&mut dyn Tx) -> Result<T> + Send,
    A: FnOnce(Result<T>) + Send,
{
    fn run(&mut self, tx: &mut dyn Tx) -> bool {
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)));
        let result = result.unwrap_or_else(|_| Err(Fault::bare("a write panicked; nothing of it was kept").into()));
        let kept = result.is_ok();
        self.result = Some(result);
        kept
    }

    fn answer(self: Box<Self>, undone_by: Option<Error>) {
        let Pending { result, then, .. } = *self;
        let result = match (undone_by, result) {
            // What the work itself met says more than "the transaction was lost". A refusal does not count: what it was
            // decided upon never came to be.
            (Some(_), Some(Err(own @ Error::Fault(_)))) => Err(own),
            (Some(error), _) => Err(error),
            (None, Some(result)) => result,
            (None, None) => Err(Fault::bare("a write was not run").into()),
        };
        let healed = result.map_err(|error| match error {
            Error::Fault(fault) => unavailable(fault),
            refused @ Error::Refused(_) => refused,
        });
        // Whoever waits may fall over the answer; the others still get theirs.
        if catch_unwind(AssertUnwindSafe(|| then(healed))).is_err() {
            tracing::error!(event = "fault", fault = "whoever waited for a write panicked over its answer");
        }
    }
}

type Batch = Vec<Box<dyn Job>>;

fn run(
    mut connection: Connection,
    mut checkpoints: Checkpoints,
    jobs: &Receiver<Box<dyn Job>>,
    figures: &WriterFigures,
) {
    let mut line = Line::of(jobs);
    while let Some(batch) = line.next_batch() {
        if let Some(times) = commit(&mut connection, batch, figures) {
            line.last = times;
            checkpoints.after(connection.rows_changed());
        }
    }
    drop(checkpoints);
    connection.tidy();
}

/// How long the last commit took.
#[derive(Clone, Copy, Default)]
struct Times {
    /// Its statements.
    work: Duration,
    /// Its durable end.
    flush: Duration,
}

/// Those who wait for a write, and how the last commit went, from which is guessed who comes next.
struct Line<'a> {
    jobs: &'a Receiver<Box<dyn Job>>,
    waiting: VecDeque<Box<dyn Job>>,
    /// Jobs in the last batch: whoever was answered by it is about to ask again.
    answered: usize,
    last: Times,
}

impl<'a> Line<'a> {
    fn of(jobs: &'a Receiver<Box<dyn Job>>) -> Line<'a> {
        Line { jobs, waiting: VecDeque::new(), answered: 0, last: Times::default() }
    }

    /// The next to be written together; waits until there is one. `None` when nobody will come any more.
    fn next_batch(&mut self) -> Option<Batch> {
        if self.waiting.is_empty() {
            self.waiting.push_back(self.jobs.recv().ok()?);
        }
        self.waiting.extend(self.jobs.try_iter().take(BATCH));
        let share = self.share();
        self.gather(share);
        self.answered = share.min(self.waiting.len());
        Some(self.waiting.drain(..self.answered).collect())
    }

    /// How many to write together. Where a flush is what takes long, all: whoever waits and whoever was just answered,
    /// for committing without them would make them wait for a flush that serves nobody else. Where it does not, they take
    /// turns by halves: while one half is written, the other is answered and asks again, and no processor is idle. Where a
    /// whole batch waits already, there is somebody for the next one anyway.
    fn share(&self) -> usize {
        let about = self.waiting.len() + self.answered;
        let is_slow = self.last.flush > self.last.work * SLOW;
        let is_whole = is_slow || self.waiting.len() >= BATCH;
        let share = if is_whole { self.answered.max(self.waiting.len()) } else { about.div_ceil(2) };
        share.clamp(1, BATCH)
    }

    /// Waits for as many, while they keep coming: at most half as long as a flush takes, or [`PATIENCE`]. Whoever writes
    /// alone is never held up. To look again and again costs less than to be woken by each who comes.
    fn gather(&mut self, share: usize) {
        let patience = (self.last.flush / 2).min(PATIENCE);
        let (patience, pause) = (Deadline::after(patience), patience / 8);
        while self.waiting.len() < share {
            let (before, pause) = (self.waiting.len(), pause.min(patience.left()));
            std::thread::sleep(pause);
            self.waiting.extend(self.jobs.try_iter().take(BATCH));
            if pause.is_zero() || self.waiting.len() == before {
                return;
            }
        }
    }
}

/// One transaction for the batch; how long it took. Where it fails as a whole, each job is tried alone, so that the
/// one that broke it answers for itself.
fn commit(connection: &mut Connection, mut batch: Batch, figures: &WriterFigures) -> Option<Times> {
    let started = Deadline::after(Duration::ZERO);
    // A rollback that failed must not fail every batch after it.
    connection.rollback();
    if let Err(fault) = connection.begin() {
        batch.into_iter().for_each(|job| job.answer(Some(again(&fault).into())));
        return None;
    }
    let ran = match batch.as_mut_slice() {
        [job] => {
            let kept = job.run(&mut Inside(connection));
            if connection.is_open() { Ok(kept) } else { Err(lost()) }
        }
        jobs => run_together(connection, jobs).map(|()| true),
    };
    let flushing = Deadline::after(Duration::ZERO);
    let ended = match ran {
        Ok(true) => connection.commit(),
        Ok(false) => {
            connection.rollback();
            Ok(())
        }
        Err(fault) => Err(fault),
    };
    match ended {
        Ok(()) => {
            figures.commit_seconds.observe(started.elapsed().as_secs_f64());
            figures.commit_writes.observe(u32::try_from(batch.len()).unwrap_or(u32::MAX).into());
            let (whole, flush) = (started.elapsed(), flushing.elapsed());
            batch.into_iter().for_each(|job| job.answer(None));
            Some(Times { work: whole.saturating_sub(flush), flush })
        }
        Err(fault) => {
            connection.rollback();
            figures.commit_failures.inc();
            if batch.len() == 1 {
                batch.into_iter().for_each(|job| job.answer(Some(again(&fault).into())));
            } else {
                for job in batch {
                    commit(connection, vec![job], figures);
                }
            }
            None
        }
    }
}

/// The transaction under way. A full disk or an I/O error ends it by itself; a job that went on regardless would then
/// keep each further statement on its own.
struct Inside<'a>(&'a mut Connection);

impl Inside<'_> {
    fn connection(&mut self) -> std::result::Result<&mut Connection, Fault> {
        if self.0.is_open() { Ok(self.0) } else { Err(lost()) }
    }
}

impl Tx for Inside<'_> {
    fn execute(&mut self, sql: &'static str, params: &[Value<'_>]) -> std::result::Result<usize, Fault> {
        self.connection()?.execute(sql, params)
    }

    fn query(&mut self, sql: &'static str, params: &[Value<'_>]) -> std::result::Result<Vec<Row>, Fault> {
        self.connection()?.query(sql, params)
    }

    fn mark_changed(&mut self, account: i64) {
        self.0.mark_changed(account);
    }
}

fn lost() -> Fault {
    Fault::bare("the transaction was lost").retryable()
}

/// Runs the jobs one after the other. A refusal nearly always comes before the first write, so there is nothing to undo
/// and no savepoint is paid for. Where a job wrote and then failed, all are run again, each behind a savepoint.
fn run_together(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> std::result::Result<(), Fault> {
    for job in jobs.iter_mut() {
        let before = connection.rows_changed();
        let kept = job.run(&mut Inside(connection));
        if !connection.is_open() {
            return Err(lost());
        }
        if !kept && connection.rows_changed() != before {
            connection.rollback();
            connection.begin()?;
            return run_apart(connection, jobs);
        }
    }
    Ok(())
}

/// Runs each job behind its own savepoint. An error means that the whole transaction is lost.
fn run_apart(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> std::result::Result<(), Fault> {
    for job in jobs {
        connection.savepoint()?;
        let kept = job.run(&mut Inside(connection));
        if !connection.is_open() {
            return Err(lost());
        }
        if kept { connection.keep()? } else { connection.undo()? }
    }
    Ok(())
}

/// The same fault for each of several who wait.
fn again(fault: &Fault) -> Fault {
    let copy = Fault::bare(fault.to_string());
    if fault.is_retryable() { copy.retryable() } else { copy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(waiting: usize, answered: usize, flush: Duration, jobs: &Receiver<Box<dyn Job>>) -> Line<'_> {
        let job = || Box::new(Pending { work: |_: &mut dyn Tx| Ok(()), result: None, then: drop }) as Box<dyn Job>;
        let waiting = (0..waiting).map(|_| job()).collect();
        Line { jobs, waiting, answered, last: Times { work: Duration::from_millis(1), flush } }
    }

    #[test]
    fn a_disk_that_was_slow_once_holds_nobody_up() {
        let (_queue, jobs) = sync_channel(1);
        // Those whom that commit answered have gone meanwhile.
        let batch = line(1, BATCH, Duration::from_secs(100_000), &jobs).next_batch();
        assert_eq!(batch.map(|batch| batch.len()), Some(1));
    }

    #[test]
    fn where_the_disk_is_quick_two_halves_take_turns_and_where_it_is_slow_one_flush_serves_all() {
        let (_queue, jobs) = sync_channel(1);
        for (waiting, answered, flush, share) in [
            (1, 1, 1, 1),
            (64, 0, 1, 32),
            (32, 32, 1, 32),
            (4, 60, 1, 32),
            (4, 60, 4, 60),
            (64, 30, 4, 64),
            (900, 0, 4, 256),
            (256, 1, 1, 256),
        ] {
            let line = line(waiting, answered, Duration::from_millis(flush), &jobs);
            assert_eq!(line.share(), share, "{waiting} wait, {answered} answered, a flush of {flush} ms");
        }
    }
}
