//! Long work on the books in bounded parts, so that no transaction keeps others waiting.

use crate::error::Result;

/// Runs `batch`, which says how much it did, until it did nothing, and at most so many times. Returns how much was done.
pub(super) fn run(most: usize, mut batch: impl FnMut() -> Result<usize>) -> Result<usize> {
    let mut done = 0;
    for _ in 0..most {
        match batch()? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}
