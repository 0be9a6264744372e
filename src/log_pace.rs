//! Bounds how many lines of one kind are logged.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Deadline;

/// When a log line that strangers can cause may be written: once a second, so that they cannot fill the disk.
pub struct LogPace {
    running: Deadline,
    state: Mutex<(Option<Duration>, u64)>,
}

impl LogPace {
    /// At most one line in this time.
    const APART: Duration = Duration::from_secs(1);

    /// A pace of its own for one kind of line.
    pub fn new() -> LogPace {
        LogPace { running: Deadline::after(Duration::ZERO), state: Mutex::default() }
    }

    /// How many lines were left out since the last one, if a line may be written now. Otherwise this one is left out.
    pub fn next(&self) -> Option<u64> {
        let now = self.running.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, left_out) = &mut *state;
        if last.is_some_and(|last| now.saturating_sub(last) < LogPace::APART) {
            *left_out = left_out.saturating_add(1);
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(left_out))
    }
}

impl Default for LogPace {
    fn default() -> LogPace {
        LogPace::new()
    }
}
