//! The clock, watched: while it is implausible nothing is given or taken by time (`docs/rules.md`, rule 14), and the log,
//! a metric and `till check` say so. It is plausible again when it agrees with what is known of the time, when Stripe
//! confirms it, or when the operator does.

use std::time::Duration;

use crate::app::App;
use crate::clock::{Deadline, Judgement, Timestamp, rfc3339};
use crate::error::Result;
use crate::store;
use crate::usecase::audit;

/// How long Stripe may take to say what time it is.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two questions to Stripe while the clock is implausible.
const PAUSE: Duration = Duration::from_secs(60);
/// Between two records of the time where nothing else is written.
const RECORD_PAUSE: Duration = Duration::from_secs(600);

/// What the worker remembers between its rounds.
pub struct ClockWatch {
    was_plausible: bool,
    confirmed_at: Option<Timestamp>,
    next_question: Option<Deadline>,
    next_record: Deadline,
}

/// Records what the clock says as right: the operator has confirmed it.
pub fn confirm(app: &App) -> Result<()> {
    let now = app.clock.wall();
    audit::write(app, move |tx, trail| {
        store::confirm_time(tx, now)?;
        trail.add(tx, "clock_confirmed", "clock", rfc3339(now))
    })?;
    app.clock.confirm(now);
    Ok(())
}

impl ClockWatch {
    /// Begins to watch.
    pub fn begin(app: &App) -> Result<ClockWatch> {
        app.metrics.clock_plausible.set(1);
        let confirmed_at = app.store.time_confirmed_at()?;
        let next_record = Deadline::after(RECORD_PAUSE);
        Ok(ClockWatch { was_plausible: true, confirmed_at, next_question: None, next_record })
    }

    /// One look at the clock: asks Stripe if it is implausible, and reports each change.
    pub fn look(&mut self, app: &App) -> Result<()> {
        if !app.clock.is_plausible() {
            let confirmed_at = app.store.time_confirmed_at()?;
            if confirmed_at != self.confirmed_at {
                self.confirmed_at = confirmed_at;
                confirmed_at.into_iter().for_each(|at| app.clock.confirm(at));
            }
            if self.next_question.is_none_or(|due| due.left().is_zero()) {
                self.next_question = Some(Deadline::after(PAUSE));
                settle(app);
            }
        }
        app.clock.keep_up();
        let is_plausible = app.clock.is_plausible();
        if is_plausible != self.was_plausible {
            self.was_plausible = is_plausible;
            self.next_question = None;
            app.metrics.clock_plausible.set(i64::from(is_plausible));
            match fault(app) {
                Some(what) => tracing::warn!(event = "clock_implausible", what),
                None => tracing::info!(event = "clock_plausible"),
            }
        }
        if is_plausible && self.next_record.left().is_zero() {
            self.next_record = Deadline::after(RECORD_PAUSE);
            app.store.record_time()?;
        }
        Ok(())
    }
}

/// Asks Stripe what time it is, if the clock is implausible. It may be right after a long stop. Without an answer the clock
/// stays as implausible as it was.
pub fn settle(app: &App) {
    if let Ok(stripe) = app.stripe()
        && !app.clock.is_plausible()
    {
        // The client compares the clock with the answer, and logs a failure.
        let _unanswered = stripe.ping(Deadline::after(PATIENCE));
    }
}

/// What is wrong with the clock, and what to do; `None` when it is plausible.
pub fn fault(app: &App) -> Option<String> {
    let Judgement { wall, known, is_by_stripe, .. } = app.clock.judgement().filter(|found| !found.is_plausible)?;
    let (wall, known) = (rfc3339(wall), rfc3339(known));
    let compared = match is_by_stripe {
        true => format!("Stripe says {known}"),
        false => format!("the books were last written at {known}, or run since then"),
    };
    Some(format!(
        "the clock says {wall}, and {compared}: nothing expires and nothing is credited by time until they agree. Set the \
         clock, or, if it is right, run till check --clock-is-right"
    ))
}
