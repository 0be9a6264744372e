//! Answers that are kept while what they say is so, so that a question that is asked again costs no reading. Whether it
//! still is so, whoever asks knows: see `store::watch`.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{PoisonError, RwLock};

/// Parts with a lock of their own, so that whoever keeps an answer seldom holds up those who look for one. Those who look
/// never hold up one another: the system may stop one of them at any point, for milliseconds where processors are few.
const SHARDS: usize = 64;

/// Answers by key.
pub(super) struct Kept<K, V> {
    shards: Vec<RwLock<HashMap<K, V>>>,
    hasher: RandomState,
    /// The most that a shard holds.
    limit: usize,
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    /// Keeps up to about `limit` answers.
    pub(super) fn up_to(limit: usize) -> Kept<K, V> {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Kept { shards, hasher: RandomState::new(), limit: limit.div_ceil(SHARDS) }
    }

    /// The answer that was kept, if it is still true.
    pub(super) fn get<Q>(&self, key: &Q, is_true: impl FnOnce(&V) -> bool) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let shard = self.shard(key).read().unwrap_or_else(PoisonError::into_inner);
        shard.get(key).filter(|value| is_true(value)).cloned()
    }

    /// Keeps an answer, in the place of the one before. A shard that is full begins anew: to know which answer is asked
    /// for the least would cost each caller more than reading again costs the few.
    pub(super) fn put(&self, key: K, value: V) {
        let mut shard = self.shard(&key).write().unwrap_or_else(PoisonError::into_inner);
        let is_full = shard.len() >= self.limit && !shard.contains_key(&key);
        let old = if is_full { std::mem::take(&mut *shard) } else { HashMap::new() };
        shard.insert(key, value);
        // Nobody waits while the old ones are cleared away.
        drop(shard);
        drop(old);
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> &RwLock<HashMap<K, V>> {
        let place = usize::try_from(self.hasher.hash_one(key)).unwrap_or(0) % SHARDS;
        &self.shards[place]
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;

    #[test]
    fn what_is_kept_is_still_true_and_bounded() {
        let kept: Kept<String, u32> = Kept::up_to(1600);
        kept.put("a".into(), 10);
        let get = |key: &str, least: u32| kept.get(key, |value| *value >= least);
        assert_eq!((get("a", 10), get("a", 11), get("b", 0)), (Some(10), None, None));
        // What is no longer true does not hide what is.
        kept.put("a".into(), 20);
        assert_eq!((get("a", 10), get("a", 20)), (Some(20), Some(20)));
        for number in 0..10_000 {
            kept.put(number.to_string(), number);
        }
        let held = (0..10_000).filter(|number: &u32| get(&number.to_string(), 0).is_some()).count();
        assert!((1..=1600).contains(&held), "{held}");
        assert_eq!(get("9999", 0), Some(9999));
    }
}
