//! What browsers have begun and not finished, such as a passkey's ceremony: kept in memory, bounded in number and in time,
//! each under a secret that its browser alone has, and taken once. A restart forgets them, and people begin again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::id;

/// How many are kept; beyond that, the one that ends first makes room.
const MOST: usize = 4096;

/// What is kept of one kind.
pub struct Steps<T> {
    seconds: i64,
    begun: Mutex<HashMap<[u8; 32], (Timestamp, T)>>,
}

impl<T> Steps<T> {
    /// Each lasts so long.
    pub fn lasting(seconds: i64) -> Steps<T> {
        Steps { seconds, begun: Mutex::default() }
    }

    /// Keeps a step of the browser that has this secret. One that it had begun before is forgotten.
    pub fn begin(&self, secret: &str, step: T, now: Timestamp) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.len() >= MOST {
            begun.retain(|_, (until, _)| *until > now);
        }
        if begun.len() >= MOST {
            let first = begun.iter().min_by_key(|(_, (until, _))| *until).map(|(key, _)| *key);
            first.map(|key| begun.remove(&key));
        }
        begun.insert(id::secret_hash(secret), (now.plus_seconds(self.seconds), step));
    }

    /// The step of this browser, which is over with that.
    pub fn take(&self, secret: &str, now: Timestamp) -> Option<T> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, step) = begun.remove(&id::secret_hash(secret))?;
        (until > now).then_some(step)
    }
}

impl<T: Clone> Steps<T> {
    /// The step of this browser, which goes on.
    pub fn look(&self, secret: &str, now: Timestamp) -> Option<T> {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, step) = begun.get(&id::secret_hash(secret))?;
        (*until > now).then(|| step.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_its_browsers_is_taken_once_and_ends() {
        let (steps, now) = (Steps::lasting(300), Timestamp::from_seconds(1_000));
        steps.begin("a", 1, now);
        steps.begin("b", 2, now);
        assert_eq!((steps.look("a", now), steps.look("c", now)), (Some(1), None));
        steps.begin("a", 3, now);
        assert_eq!((steps.take("a", now), steps.take("a", now)), (Some(3), None), "the later one, and once");
        assert_eq!(steps.look("b", now.plus_seconds(299)), Some(2));
        assert_eq!((steps.look("b", now.plus_seconds(300)), steps.take("b", now.plus_seconds(300))), (None, None));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (steps, now) = (Steps::lasting(300), Timestamp::from_seconds(1_000));
        for number in 0..5_000 {
            steps.begin(&number.to_string(), number, now.plus_seconds(i64::from(number) / 100));
        }
        assert_eq!(steps.begun.lock().unwrap().len(), MOST);
        let later = now.plus_seconds(49);
        assert_eq!((steps.look("0", later), steps.look("4999", later)), (None, Some(4_999)), "the oldest make room");
    }
}
