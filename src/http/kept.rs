//! Answers that are kept while the database stays as it was, so that a question that is asked again costs no reading.
//! Nothing is kept over a change: see `store::watch`.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

/// Parts with a lock of their own, so that callers seldom wait for one another.
const SHARDS: usize = 16;

/// Answers by key, all of one state of the database `S`.
pub(super) struct Kept<S, K, V> {
    shards: Vec<Mutex<Shard<S, K, V>>>,
    hasher: RandomState,
    /// The most that a shard holds.
    limit: usize,
}

struct Shard<S, K, V> {
    state: Option<S>,
    answers: HashMap<K, V>,
}

impl<S: PartialEq, K: Hash + Eq, V: Clone> Kept<S, K, V> {
    /// Keeps up to about `limit` answers.
    pub(super) fn up_to(limit: usize) -> Kept<S, K, V> {
        let shard = |_| Mutex::new(Shard { state: None, answers: HashMap::new() });
        Kept { shards: (0..SHARDS).map(shard).collect(), hasher: RandomState::new(), limit: limit.div_ceil(SHARDS) }
    }

    /// The answer that was kept, if it is of this state.
    pub(super) fn get<Q>(&self, state: &S, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        if shard.state.as_ref() == Some(state) { shard.answers.get(key).cloned() } else { None }
    }

    /// Keeps an answer that was read after `state` was asked for.
    pub(super) fn put(&self, state: S, key: K, value: V) {
        let mut shard = self.shard(&key).lock().unwrap_or_else(PoisonError::into_inner);
        if shard.state.as_ref() != Some(&state) || shard.answers.len() >= self.limit {
            shard.answers.clear();
            shard.state = Some(state);
        }
        shard.answers.insert(key, value);
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> &Mutex<Shard<S, K, V>> {
        let place = usize::try_from(self.hasher.hash_one(key)).unwrap_or(0) % SHARDS;
        &self.shards[place]
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;

    #[test]
    fn what_is_kept_is_of_the_same_state_and_bounded() {
        let kept: Kept<u8, String, u32> = Kept::up_to(1600);
        kept.put(1, "a".into(), 10);
        assert_eq!((kept.get(&1, "a"), kept.get(&2, "a"), kept.get(&1, "b")), (Some(10), None, None));
        kept.put(2, "a".into(), 20);
        assert_eq!((kept.get(&1, "a"), kept.get(&2, "a")), (None, Some(20)));
        for number in 0..10_000 {
            kept.put(2, number.to_string(), number);
        }
        let held = (0..10_000).filter(|number: &u32| kept.get(&2, number.to_string().as_str()).is_some()).count();
        assert!((1..=1600).contains(&held), "{held}");
    }
}
