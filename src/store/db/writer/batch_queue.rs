//! Which jobs are written together: how many a commit should serve, and how long it is worth waiting for them.

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::job::Job;
use crate::clock::Deadline;

/// Jobs in one transaction.
const BATCH: usize = 256;
/// The longest that a batch waits for more, however slow the disk is.
const PATIENCE: Duration = Duration::from_millis(10);
/// How many times as long as the statements before it a flush must take to count as slow.
const SLOW: u32 = 3;

/// Jobs that are written together.
pub(super) type Batch = Vec<Job>;

/// How long a commit took.
#[derive(Clone, Copy, Default)]
pub(super) struct CommitTimes {
    /// Its statements.
    pub(super) work: Duration,
    /// Its durable end.
    pub(super) flush: Duration,
}

/// The jobs that wait to be written, and what the last commit says about how many more will come.
pub(super) struct BatchQueue<'a> {
    jobs: &'a Receiver<Job>,
    waiting: VecDeque<Job>,
    /// Jobs in the last batch: their callers have their answers and are about to ask again.
    pub(super) answered: usize,
    /// How long the last commit took.
    pub(super) last: CommitTimes,
}

impl<'a> BatchQueue<'a> {
    pub(super) fn of(jobs: &'a Receiver<Job>) -> BatchQueue<'a> {
        BatchQueue { jobs, waiting: VecDeque::new(), answered: 0, last: CommitTimes::default() }
    }

    /// The jobs to be written next; waits until there is one. `None` when no more can come.
    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        if self.waiting.is_empty() {
            self.waiting.push_back(self.jobs.recv().ok()?);
        }
        self.waiting.extend(self.jobs.try_iter().take(BATCH));
        let share = self.share();
        self.gather(share);
        self.answered = share.min(self.waiting.len());
        Some(self.waiting.drain(..self.answered).collect())
    }

    /// How many jobs to write together.
    ///
    /// - A flush takes long: all of them, those that wait and those that were just answered and will be back. A commit
    ///   without the latter would make them wait for a flush that serves nobody else.
    /// - A flush is quick: half of them, in turns. While one half is written, the callers of the other are answered and
    ///   ask again, and no processor is idle.
    /// - A whole batch waits already: all of it, because the next batch will be filled anyway.
    fn share(&self) -> usize {
        let about = self.waiting.len() + self.answered;
        let is_slow = self.last.flush > self.last.work * SLOW;
        let is_whole = is_slow || self.waiting.len() >= BATCH;
        let share = if is_whole { self.answered.max(self.waiting.len()) } else { about.div_ceil(2) };
        share.clamp(1, BATCH)
    }

    /// Waits until so many are there, while they keep coming: at most half as long as a flush takes, or [`PATIENCE`]. A
    /// caller that writes alone never waits. Polling costs less than a wake-up for each job.
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::store::db::tx::Tx;
    use crate::store::db::writer::connection::Scope;

    fn queue(waiting: usize, answered: usize, flush: Duration, jobs: &Receiver<Job>) -> BatchQueue<'_> {
        let job = || Job::new(Scope::Shop, |_: &mut dyn Tx| Ok(()), drop);
        let waiting = (0..waiting).map(|_| job()).collect();
        BatchQueue { jobs, waiting, answered, last: CommitTimes { work: Duration::from_millis(1), flush } }
    }

    #[test]
    fn a_disk_that_was_slow_once_holds_nobody_up() {
        let (_queue, jobs) = sync_channel(1);
        // The callers that this commit answered have left meanwhile.
        let batch = queue(1, BATCH, Duration::from_secs(100_000), &jobs).next_batch();
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
            let queue = queue(waiting, answered, Duration::from_millis(flush), &jobs);
            assert_eq!(queue.share(), share, "{waiting} wait, {answered} answered, a flush of {flush} ms");
        }
    }
}
