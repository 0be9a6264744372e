//! A bounded cache for answers, so that a question asked again costs no read. The cache does not know when an entry
//! becomes stale: the caller checks that on each lookup, against the versions that the store counts.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{PoisonError, RwLock};

/// Each shard has its own lock, so that a write seldom delays a lookup. Lookups share a lock and never wait for each
/// other: on a machine with few processors the system may suspend a lock's holder for milliseconds.
const SHARDS: usize = 64;
/// For entries of which few find room: so that a full shard still holds many.
const FEW_SHARDS: usize = 4;

pub(super) struct Cache<K, V> {
    shards: Vec<RwLock<Shard<K, V>>>,
    hasher: RandomState,
    shard_capacity: usize,
    /// How much of the capacity an entry takes.
    weight: fn(&K, &V) -> usize,
}

struct Shard<K, V> {
    entries: HashMap<K, V>,
    weight: usize,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// A cache for about `capacity` entries.
    pub(super) fn with_capacity(capacity: usize) -> Cache<K, V> {
        Cache::with_weight(capacity, |_, _| 1)
    }

    /// A cache whose entries weigh about `capacity` in all: their bytes, where their sizes differ.
    pub(super) fn with_weight(capacity: usize, weight: fn(&K, &V) -> usize) -> Cache<K, V> {
        Cache::of_shards(SHARDS, capacity, weight)
    }

    /// The same for entries that take a good part of the capacity each.
    pub(super) fn for_large_entries(capacity: usize, weight: fn(&K, &V) -> usize) -> Cache<K, V> {
        Cache::of_shards(FEW_SHARDS, capacity, weight)
    }

    fn of_shards(count: usize, capacity: usize, weight: fn(&K, &V) -> usize) -> Cache<K, V> {
        let shards = (0..count).map(|_| RwLock::new(Shard { entries: HashMap::new(), weight: 0 })).collect();
        Cache { shards, hasher: RandomState::new(), shard_capacity: capacity / count, weight }
    }

    /// The entry, if there is one and `is_current` says that it still holds.
    pub(super) fn get<Q>(&self, key: &Q, is_current: impl FnOnce(&V) -> bool) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let shard = self.shard(key).read().unwrap_or_else(PoisonError::into_inner);
        shard.entries.get(key).filter(|value| is_current(value)).cloned()
    }

    /// Adds or replaces an entry. A full shard is emptied first: tracking which entry is used least would cost every
    /// lookup more than the few extra reads cost.
    pub(super) fn put(&self, key: K, value: V) {
        let weight = (self.weight)(&key, &value);
        let mut shard = self.shard(&key).write().unwrap_or_else(PoisonError::into_inner);
        let replaced = shard.entries.get(&key).map_or(0, |former| (self.weight)(&key, former));
        shard.weight = shard.weight.saturating_sub(replaced).saturating_add(weight);
        let is_full = shard.weight > self.shard_capacity;
        let evicted = if is_full { std::mem::take(&mut shard.entries) } else { HashMap::new() };
        if is_full {
            shard.weight = weight;
        }
        shard.entries.insert(key, value);
        // Dropping many entries takes time, so the lock is released first.
        drop(shard);
        drop(evicted);
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> &RwLock<Shard<K, V>> {
        let place = usize::try_from(self.hasher.hash_one(key)).unwrap_or(0) % self.shards.len();
        &self.shards[place]
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn only_current_entries_are_returned_and_their_number_is_bounded() {
        let cache: Cache<String, u32> = Cache::with_capacity(1600);
        cache.put("a".into(), 10);
        let get = |key: &str, least: u32| cache.get(key, |value| *value >= least);
        assert_eq!((get("a", 10), get("a", 11), get("b", 0)), (Some(10), None, None));
        // A stale entry is replaced by a current one.
        cache.put("a".into(), 20);
        assert_eq!((get("a", 10), get("a", 20)), (Some(20), Some(20)));
        for number in 0..10_000 {
            cache.put(number.to_string(), number);
        }
        let held = (0..10_000).filter(|number: &u32| get(&number.to_string(), 0).is_some()).count();
        assert!((1..=1600).contains(&held), "{held}");
        assert_eq!(get("9999", 0), Some(9999));
    }

    #[test]
    fn large_entries_take_the_place_of_many() {
        let cache: Cache<u32, String> = Cache::with_weight(64_000, |_, value| value.len());
        let held = || (0..10_000).filter_map(|number: u32| cache.get(&number, |_| true)).map(|text| text.len()).sum();
        for number in 0..10_000 {
            cache.put(number, "x".repeat(if number % 2 == 0 { 10 } else { 900 }));
            cache.put(number, "x".repeat(if number % 2 == 0 { 10 } else { 900 }));
        }
        let held: usize = held();
        assert!((900..=64_000).contains(&held), "{held} bytes");
    }
}
