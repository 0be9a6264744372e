//! Changes of a subscription's plan that wait for the end of the period, as Stripe's schedules last said. At most one for
//! each subscription.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;

/// A change that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledChange {
    /// `sub_…`
    pub subscription: String,
    /// The key of the plan from then on; `-` when its price is not in the catalogue.
    pub offer: String,
    pub starts_at: Timestamp,
}

/// Stores what a subscription changes to, in place of what was stored.
pub fn put(tx: &mut dyn Tx, change: &ScheduledChange) -> Result<()> {
    const PUT: &str = "INSERT INTO scheduled_changes (subscription, offer, starts_at) VALUES ($1, $2, $3)
        ON CONFLICT (subscription) DO UPDATE SET offer = excluded.offer, starts_at = excluded.starts_at";
    tx.execute(PUT, &[&change.subscription, &change.offer, &change.starts_at])?;
    Ok(())
}

/// Nothing waits any more.
pub fn clear(tx: &mut dyn Tx, subscription: &str) -> Result<()> {
    const CLEAR: &str = "DELETE FROM scheduled_changes WHERE subscription = $1";
    tx.execute(CLEAR, &[&subscription])?;
    Ok(())
}

/// What waits for a subscription.
pub fn of(tx: &mut dyn Tx, subscription: &str) -> Result<Option<ScheduledChange>> {
    const FIND: &str = "SELECT subscription, offer, starts_at FROM scheduled_changes WHERE subscription = $1";
    tx.one(FIND, &[&subscription], scheduled_change)
}

fn scheduled_change(row: &Row<'_>) -> DbResult<ScheduledChange> {
    Ok(ScheduledChange {
        subscription: row.text("subscription")?,
        offer: row.text("offer")?,
        starts_at: row.time("starts_at")?,
    })
}
