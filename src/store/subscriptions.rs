//! Subscriptions as Stripe last said they are. Nothing goes back in time: an older description changes nothing, one that
//! has ended stays ended, and where two descriptions are of the same second it is marked that Stripe must be asked.

use super::{Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// `sub_…`
    pub id: String,
    /// Whose.
    pub account: i64,
    /// Stripe's word for its state.
    pub status: String,
    /// The plan's key; `-` when its price is not in the catalogue.
    pub offer: String,
    /// When the running period ends.
    pub period_end: Option<Timestamp>,
    /// It is set to end then.
    pub ends_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Stripe's time of this description.
    pub as_of: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a description came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upsert {
    /// It is newer than what was known.
    Newer,
    /// It is not.
    Older,
    /// Time cannot tell: Stripe must be asked.
    Unsure,
}

/// Keeps a description. `asked`: it is Stripe's answer to our question, which settles what time cannot.
pub fn put(tx: &mut dyn Tx, new: &Subscription, asked: bool, now: Timestamp) -> Result<Upsert> {
    const ADD: &str = "INSERT INTO subscriptions
        (id, account, status, offer, period_end, ends_at, ended_at, as_of, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";
    const CHANGE: &str =
        "UPDATE subscriptions SET status = $2, offer = $3, period_end = $4, ends_at = $5, ended_at = $6,
        as_of = $7, unsure_at = NULL WHERE id = $1";
    const UNSURE: &str = "UPDATE subscriptions SET unsure_at = $2 WHERE id = $1";
    let added = tx.execute(
        ADD,
        &[
            (&new.id).into(),
            new.account.into(),
            (&new.status).into(),
            (&new.offer).into(),
            new.period_end.into(),
            new.ends_at.into(),
            new.ended_at.into(),
            new.as_of.into(),
            new.created_at.into(),
        ],
    )?;
    let Some(known) = find(tx, &new.id)?.filter(|_| added == 0) else { return Ok(Upsert::Newer) };
    let same = Subscription { as_of: new.as_of, created_at: new.created_at, ..known.clone() } == *new;
    if known.ended_at.is_some() || (new.ended_at.is_none() && new.as_of < known.as_of) || (same && !asked) {
        return Ok(Upsert::Older);
    }
    if new.ended_at.is_none() && new.as_of == known.as_of && !asked {
        tx.execute(UNSURE, &[(&new.id).into(), now.into()])?;
        return Ok(Upsert::Unsure);
    }
    tx.execute(
        CHANGE,
        &[
            (&new.id).into(),
            (&new.status).into(),
            (&new.offer).into(),
            new.period_end.into(),
            new.ends_at.into(),
            new.ended_at.into(),
            new.as_of.into(),
        ],
    )?;
    Ok(Upsert::Newer)
}

/// The subscription with this id.
pub fn find(tx: &mut dyn Tx, id: &str) -> Result<Option<Subscription>> {
    const FIND: &str = "SELECT id, account, status, offer, period_end, ends_at, ended_at, as_of, created_at
        FROM subscriptions WHERE id = $1";
    Ok(tx.query_one(FIND, &[id.into()])?.as_ref().map(|row| read(row, 0)).transpose()?)
}

/// A user's subscriptions that have not ended, newest first.
pub fn live_of(tx: &mut dyn Tx, account: i64) -> Result<Vec<Subscription>> {
    const LIVE: &str = "SELECT id, account, status, offer, period_end, ends_at, ended_at, as_of, created_at
        FROM subscriptions WHERE account = $1 AND ended_at IS NULL ORDER BY created_at DESC, id LIMIT 20";
    let rows = tx.query(LIVE, &[account.into()])?;
    Ok(rows.iter().map(|row| read(row, 0)).collect::<std::result::Result<_, Fault>>()?)
}

/// Subscriptions of which Stripe must be asked.
pub fn unsure(tx: &mut dyn Tx, limit: i64) -> Result<Vec<String>> {
    const UNSURE: &str = "SELECT id FROM subscriptions WHERE unsure_at IS NOT NULL ORDER BY unsure_at, id LIMIT $1";
    let rows = tx.query(UNSURE, &[limit.into()])?;
    Ok(rows.iter().map(|row| row.text(0)).collect::<std::result::Result<_, Fault>>()?)
}

/// Reads a subscription from a row, whose columns begin at `from`.
pub(super) fn read(row: &Row, from: usize) -> std::result::Result<Subscription, Fault> {
    Ok(Subscription {
        id: row.text(from)?,
        account: row.int(from + 1)?,
        status: row.text(from + 2)?,
        offer: row.text(from + 3)?,
        period_end: row.time_or_null(from + 4)?,
        ends_at: row.time_or_null(from + 5)?,
        ended_at: row.time_or_null(from + 6)?,
        as_of: row.time(from + 7)?,
        created_at: row.time(from + 8)?,
    })
}
