//! When the time was last written into the database, so that a later start can compare its clock with it.

use crate::clock::{Clock, Timestamp};

/// How exactly the last plausible time is recorded.
const RECORDED_MILLIS: u64 = 600_000;

/// The clock of a connection that writes, and when it last recorded the time.
#[derive(Default)]
pub(in crate::store) struct TimeRecord {
    clock: Option<Clock>,
    recorded_at: Option<Timestamp>,
}

impl TimeRecord {
    pub(super) fn keep_by(&mut self, clock: Clock) {
        self.clock = Some(clock);
    }

    /// The time, if it is judged plausible and was not recorded for ten minutes.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let clock = self.clock.as_ref()?;
        let judgement = clock.judgement().filter(|judgement| judgement.is_plausible)?;
        let is_young = |at: Timestamp| judgement.wall.millis().abs_diff(at.millis()) < RECORDED_MILLIS;
        (!self.recorded_at.is_some_and(is_young)).then_some(judgement.wall)
    }

    /// Notes that the time was recorded.
    pub(super) fn recorded(&mut self, at: Timestamp) {
        self.recorded_at = Some(at);
    }

    pub(super) fn is_plausible(&self) -> bool {
        self.clock.as_ref().is_none_or(Clock::is_plausible)
    }
}
