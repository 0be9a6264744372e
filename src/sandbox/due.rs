//! Does what is due: takes entries from the agenda and wakes their objects. During each step the time is held at the
//! entry's time. The object decides what is due then, so a stale entry does nothing.

use serde_json::json;

use crate::clock::Timestamp;
use crate::sandbox::agenda::OWN_CLOCK;
use crate::sandbox::billing::cycle;
use crate::sandbox::checkout;
use crate::sandbox::state::State;

/// Steps in one call. The next call does the rest.
const STEPS_LIMIT: usize = 10_000;

/// Does everything that is due by the stand-in's own clock.
pub fn run(state: &mut State) {
    let until = state.own_time().seconds();
    for _ in 0..STEPS_LIMIT {
        let Some((at, id)) = state.agenda.take(OWN_CLOCK, until) else { return };
        step(state, at, &id);
    }
}

/// Moves the stand-in's own clock ahead to `to`, and does in order what is due until then.
pub fn put_ahead(state: &mut State, to: Timestamp) {
    for _ in 0..STEPS_LIMIT {
        let Some((at, id)) = state.agenda.take(OWN_CLOCK, to.seconds()) else { break };
        state.put_ahead(Timestamp::from_seconds(at));
        step(state, at, &id);
    }
    state.put_ahead(to);
}

/// Advances a test clock to `to`, and does in order what is due until then.
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

fn step(state: &mut State, at: i64, id: &str) {
    state.hold_time_at(at);
    match id.split('_').next() {
        Some("cs") => checkout::expire_overdue(state, id),
        Some("sub") => cycle::wake_subscription(state, id),
        Some("in") => cycle::wake_invoice(state, id),
        _ => {}
    }
    state.follow_own_clock();
}
