//! What is to happen, and when: sessions expire, trials end, subscriptions renew, drafts become final, failed payments
//! are tried again. Each entry is an object's id under the clock that the object follows: the stand-in's own, or a test
//! clock. `due` wakes the objects.

use std::collections::{BTreeMap, BTreeSet};

/// Entries kept for one clock. Above the limit, those farthest in the future are dropped.
const ENTRIES_LIMIT: usize = 50_000;
/// The name under which the stand-in's own clock has its entries.
pub const OWN_CLOCK: &str = "";

#[derive(Debug, Default)]
pub struct Agenda {
    clocks: BTreeMap<String, BTreeSet<(i64, String)>>,
}

impl Agenda {
    /// Adds an entry for a test clock or [`OWN_CLOCK`].
    pub fn add(&mut self, clock: &str, at: i64, id: &str) {
        let entries = self.clocks.entry(clock.to_owned()).or_default();
        entries.insert((at, id.to_owned()));
        while entries.len() > ENTRIES_LIMIT {
            entries.pop_last();
        }
    }

    /// Removes a test clock's entries.
    pub fn remove_clock(&mut self, clock: &str) {
        self.clocks.remove(clock);
    }

    /// Takes out the earliest entry that is due by `until`.
    pub fn take(&mut self, clock: &str, until: i64) -> Option<(i64, String)> {
        let entries = self.clocks.get_mut(clock)?;
        if entries.first().is_some_and(|(at, _)| *at <= until) { entries.pop_first() } else { None }
    }
}
