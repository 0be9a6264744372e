//! Waiting for a condition, never for a while.

use std::thread;
use std::time::Duration;

use till::clock::Deadline;

/// Long enough for a loaded machine; a test that passes never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(10);

/// Asks until there is an answer. `what` says in a failure what never came.
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, ask)
}

/// The same of what takes longer by itself.
pub fn eventually_within<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::after(patience);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(!deadline.left().is_zero(), "{what}: not within {} s", patience.as_secs());
        thread::sleep(STEP);
    }
}
