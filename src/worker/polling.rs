//! The thread that asks Stripe for its events where no webhook brings them. The first round begins with the start, for what
//! happened meanwhile. Stripe may be away for hours, so failures are logged ever more rarely.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Rounds, has_lease, report};
use crate::app::App;
use crate::error::Fault;
use crate::store::Lease;
use crate::usecase::stripe_events::reconcile::poll;

/// Starts to ask.
pub(super) fn start(app: Arc<App>) -> Result<Rounds, Fault> {
    let mut failures = 0u64;
    Rounds::start_with_pauses("till-poll", Duration::ZERO, move |is_stopping| round(&app, is_stopping, &mut failures))
}

/// One round, and the pause after it.
fn round(app: &App, is_stopping: &AtomicBool, failures: &mut u64) -> Duration {
    let interval = app.config.stripe.poll_interval;
    if !has_lease(app, Lease::Poll) {
        return interval;
    }
    match poll::poll(app, poll::PATIENCE, || !is_stopping.load(Ordering::SeqCst)) {
        Ok(round) => {
            if std::mem::take(failures) > 0 {
                tracing::info!(event = "polling_resumed");
            }
            report("poll_stripe_events", Ok(usize::try_from(round.applied).unwrap_or(usize::MAX)));
            if round.is_done { interval } else { Duration::ZERO }
        }
        Err(error) => {
            *failures = failures.saturating_add(1);
            if failures.is_power_of_two() {
                tracing::warn!(event = "polling_failed", times = *failures, error = %error);
            }
            interval
        }
    }
}
