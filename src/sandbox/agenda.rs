//! What is to happen, and when: sessions expire, trials end, subscriptions renew, drafts become final, failed payments
//! are tried again. Each entry is an object's id under the clock it lives by: the stand-in's own, or a test clock.
//!
//! An entry only wakes its object; what is due then is decided there, so that a stale entry does nothing. Steps are done
//! in the order of their times, each with the time standing at its own instant.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::billing::{invoice, lifecycle};
use super::payment;
use super::state::State;
use crate::clock::Timestamp;

/// Entries kept for one clock; past it the farthest are forgotten.
const LIMIT: usize = 50_000;
/// Steps done at once. What is left is done at the next occasion.
const STEPS_LIMIT: usize = 10_000;
/// The name under which the stand-in's own clock has its entries.
const OWN: &str = "";

/// The entries of all clocks.
#[derive(Debug, Default)]
pub struct Agenda {
    clocks: BTreeMap<String, BTreeSet<(i64, String)>>,
}

impl Agenda {
    /// Adds an entry for the test clock of this name; an empty name is the stand-in's own clock.
    pub fn add(&mut self, clock: &str, at: i64, id: &str) {
        let entries = self.clocks.entry(clock.to_owned()).or_default();
        entries.insert((at, id.to_owned()));
        while entries.len() > LIMIT {
            entries.pop_last();
        }
    }

    /// Forgets a test clock.
    pub fn forget(&mut self, clock: &str) {
        self.clocks.remove(clock);
    }

    fn take(&mut self, clock: &str, until: i64) -> Option<(i64, String)> {
        let entries = self.clocks.get_mut(clock)?;
        if entries.first().is_some_and(|(at, _)| *at <= until) { entries.pop_first() } else { None }
    }
}

/// Does everything whose time has come by the stand-in's own clock.
pub fn run_due(state: &mut State) {
    let until = state.own_time().seconds();
    run(state, OWN, until);
}

/// Puts the stand-in's own clock ahead to `to`, doing on the way what is due.
pub fn put_ahead(state: &mut State, to: Timestamp) {
    for _ in 0..STEPS_LIMIT {
        let Some((at, id)) = state.agenda.take(OWN, to.seconds()) else { break };
        state.put_ahead(Timestamp::from_seconds(at));
        step(state, at, &id);
    }
    state.put_ahead(to);
}

/// Advances a test clock to `to`, doing on the way what is due. The clock is `ready` afterwards.
pub fn advance(state: &mut State, clock: &str, to: i64) {
    for _ in 0..STEPS_LIMIT {
        let Some((at, id)) = state.agenda.take(clock, to) else { break };
        if let Some(object) = state.test_clocks.get_mut(clock) {
            object["frozen_time"] = json!(at.max(object["frozen_time"].as_i64().unwrap_or(at)));
        }
        step(state, at, &id);
    }
    if let Some(object) = state.test_clocks.get_mut(clock) {
        object["frozen_time"] = json!(to);
    }
}

fn run(state: &mut State, clock: &str, until: i64) {
    for _ in 0..STEPS_LIMIT {
        let Some((at, id)) = state.agenda.take(clock, until) else { return };
        step(state, at, &id);
    }
}

fn step(state: &mut State, at: i64, id: &str) {
    state.stand_at(at);
    match id.split('_').next() {
        Some("cs") => payment::expire_overdue(state, id),
        Some("sub") => lifecycle::wake(state, id),
        Some("in") => invoice::wake(state, id),
        _ => {}
    }
    state.leave_clock();
}
