//! Checkouts that somebody left open who was erased: they are expired at Stripe, so that nobody pays for an account that nobody
//! can enter. It is done after the erasure, which does not wait for Stripe.

use std::time::Duration;

use crate::app::App;
use crate::clock::{DAY_SECONDS, Deadline};
use crate::error::{Error, Refused, Result};
use crate::store::orders::{self, Fact};
use crate::usecase::checkout::session;

/// A checkout can be paid for a day; one that is older has ended by itself.
const OPEN_SECONDS: i64 = 2 * DAY_SECONDS;
/// Checkouts in one round of the timer.
const BATCH: i64 = 20;
/// How long Stripe may take for one of them.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most rounds that are passed over after failures.
const LONGEST_PAUSE: u32 = 64;

/// Expires them, ever more rarely while Stripe does not take it.
#[derive(Default)]
pub struct ErasedCheckouts {
    /// Rounds to pass over.
    pause: u32,
    failures: u32,
}

impl ErasedCheckouts {
    /// Expires those that are open. Returns how many have ended.
    pub fn expire(&mut self, app: &App) -> Result<usize> {
        if self.pause > 0 {
            self.pause -= 1;
            return Ok(0);
        }
        let expired = expire_open(app);
        self.failures = if matches!(expired, Ok((_, true))) { 0 } else { self.failures.saturating_add(1) };
        self.pause = self.failures.min(LONGEST_PAUSE);
        expired.map(|(count, _)| count)
    }
}

/// How many have ended, and whether these were all.
fn expire_open(app: &App) -> Result<(usize, bool)> {
    let since = app.clock.now().plus_seconds(-OPEN_SECONDS);
    let open = app.store.read(|tx| orders::open_of_erased(tx, since, BATCH))?;
    let mut ended = 0;
    for (order, session) in &open {
        match expire(app, order, session) {
            Ok(()) => ended += 1,
            Err(Error::Refused(Refused::StripeRejected(_))) => {}
            // Nor would it answer about the others.
            Err(Error::Refused(Refused::StripeUnavailable(_))) => break,
            Err(error) => return Err(error),
        }
    }
    Ok((ended, ended == open.len()))
}

/// Expires one. Where a buyer was faster, Stripe's event says what becomes of the payment.
fn expire(app: &App, order: &str, session: &str) -> Result<()> {
    let session = session::expire(app, session, Deadline::after(PATIENCE))?;
    let fact = match session.is_expired() {
        true => Fact::Expired,
        false if session.is_bought() => Fact::Paid,
        false => Fact::Pending,
    };
    let (order, now) = (order.to_owned(), app.clock.now());
    app.store.write(move |tx| orders::set(tx, &order, fact, now).map(drop))
}
