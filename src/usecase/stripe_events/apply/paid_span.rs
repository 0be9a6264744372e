//! When a checkout was paid, as far as what tells of it says so.

use crate::clock::{DAY_SECONDS, Timestamp};
use crate::stripe::CheckoutSession;
use crate::usecase::stripe_events::apply::outcome::ApplyContext;

/// A checkout can be paid for so long after it was made.
const OPEN_SECONDS: i64 = DAY_SECONDS;

/// The span in which a checkout was paid, in Stripe's whole seconds.
pub(super) struct PaidSpan {
    pub(super) earliest: i64,
    pub(super) latest: i64,
}

impl PaidSpan {
    /// Of a paid session. Stripe's events say when it was; a row of a list only says when the session was made.
    pub(super) fn of(session: &CheckoutSession, context: &ApplyContext<'_>) -> PaidSpan {
        let made_at = session.created.unwrap_or(context.happened_at);
        let seconds = Timestamp::seconds;
        match seconds(context.happened_at) <= seconds(made_at) {
            true => PaidSpan { earliest: seconds(made_at), latest: seconds(made_at.plus_seconds(OPEN_SECONDS)) },
            false => PaidSpan { earliest: seconds(context.happened_at), latest: seconds(context.happened_at) },
        }
    }
}
