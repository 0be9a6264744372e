//! What Stripe sent, word for word, holds people's names and addresses, and is not needed for ever. The bodies of events
//! that had their effect are removed; what they did, and the columns of the inbox, stay.

use crate::app::App;
use crate::clock::DAY_SECONDS;
use crate::error::Result;
use crate::store::inbox;

/// How long the body of an event is kept once it was applied or ignored. Stripe itself keeps events for 30 days.
pub const BODY_DAYS: i64 = 90;
/// Bodies in one transaction.
const BATCH: i64 = 200;
/// Transactions in one call.
const BATCHES: usize = 200;

/// Removes the bodies that are old enough, in batches, so that other writes pass between. Returns how many.
pub fn remove_old(app: &App) -> Result<usize> {
    let before = app.clock.now().plus_seconds(-BODY_DAYS * DAY_SECONDS);
    let mut removed = 0;
    for _ in 0..BATCHES {
        let count = app.store.write(move |tx| inbox::remove_bodies(tx, before, BATCH))?;
        removed += count;
        if count == 0 {
            break;
        }
    }
    Ok(removed)
}
