//! Subscriptions as Stripe last said they are. Nothing goes back in time: an older description changes nothing, one that
//! has ended stays ended, and where two descriptions are of the same second it is marked that Stripe must be asked.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;

/// The columns of a subscription.
macro_rules! columns {
    () => {
        "id, account, status, offer, period_end, ends_at, ended_at, as_of, created_at"
    };
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// `sub_…`
    pub id: String,
    pub account: i64,
    /// Stripe's word for its state.
    pub status: String,
    /// The plan's key; `-` when its price is not in the catalogue.
    pub offer: String,
    /// When the running period ends.
    pub period_end: Option<Timestamp>,
    /// It is set to end then.
    pub ends_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Stripe's time of this description.
    pub as_of: Timestamp,
    pub created_at: Timestamp,
}

/// What a description is, compared with what was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upsert {
    Newer,
    /// Older, or the same: nothing was changed.
    Older,
    /// Time cannot tell: Stripe must be asked.
    Unsure,
}

/// Stores a description unless what is known is newer. `asked`: it is Stripe's answer to our question, which settles what
/// time cannot.
pub fn put(tx: &mut dyn Tx, new: &Subscription, asked: bool, now: Timestamp) -> Result<Upsert> {
    const ADD: &str = "INSERT INTO subscriptions
        (id, account, status, offer, period_end, ends_at, ended_at, as_of, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";
    const CHANGE: &str =
        "UPDATE subscriptions SET status = $2, offer = $3, period_end = $4, ends_at = $5, ended_at = $6,
        as_of = $7, unsure_at = NULL WHERE id = $1";
    let Subscription { id, account, status, offer, period_end, ends_at, ended_at, as_of, created_at } = new;
    let added = tx.execute(ADD, &[id, account, status, offer, period_end, ends_at, ended_at, as_of, created_at])?;
    let Some(known) = find(tx, id)?.filter(|_| added == 0) else { return Ok(Upsert::Newer) };
    let same = Subscription { as_of: new.as_of, created_at: new.created_at, ..known.clone() } == *new;
    if known.ended_at.is_some() || (new.ended_at.is_none() && new.as_of < known.as_of) || (same && !asked) {
        return Ok(Upsert::Older);
    }
    if new.ended_at.is_none() && new.as_of == known.as_of && !asked {
        mark_unsure(tx, id, now)?;
        return Ok(Upsert::Unsure);
    }
    tx.execute(CHANGE, &[id, status, offer, period_end, ends_at, ended_at, as_of])?;
    Ok(Upsert::Newer)
}

/// Marks that Stripe must be asked about a subscription. One that has ended stays as it is.
pub fn mark_unsure(tx: &mut dyn Tx, id: &str, now: Timestamp) -> Result<()> {
    const UNSURE: &str = "UPDATE subscriptions SET unsure_at = $2 WHERE id = $1 AND ended_at IS NULL";
    tx.execute(UNSURE, &[&id, &now])?;
    Ok(())
}

/// The subscription with this id.
pub fn find(tx: &mut dyn Tx, id: &str) -> Result<Option<Subscription>> {
    const FIND: &str = concat!("SELECT ", columns!(), " FROM subscriptions WHERE id = $1");
    tx.one(FIND, &[&id], subscription)
}

/// A user's subscriptions that have not ended, newest first.
pub fn live_of(tx: &mut dyn Tx, account: i64) -> Result<Vec<Subscription>> {
    const LIVE: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM subscriptions
        WHERE account = $1 AND ended_at IS NULL ORDER BY created_at DESC, id LIMIT 20"
    );
    tx.all(LIVE, &[&account], subscription)
}

/// Whether Stripe has described any subscription of the user's, ended or not.
pub fn has_any(tx: &mut dyn Tx, account: i64) -> Result<bool> {
    const ANY: &str = "SELECT id FROM subscriptions WHERE account = $1 ORDER BY created_at, id LIMIT 1";
    Ok(tx.one(ANY, &[&account], |row| row.text("id"))?.is_some())
}

/// Subscriptions about which Stripe must be asked.
pub fn unsure(tx: &mut dyn Tx, limit: i64) -> Result<Vec<String>> {
    const UNSURE: &str = "SELECT id FROM subscriptions WHERE unsure_at IS NOT NULL ORDER BY unsure_at, id LIMIT $1";
    tx.all(UNSURE, &[&limit], |row| row.text("id"))
}

fn subscription(row: &Row<'_>) -> DbResult<Subscription> {
    described(row, row.text("id")?, row.int("account")?, "created_at")
}

/// Reads the rest of a subscription from a row, also from one that has another column `created_at`.
pub(super) fn described(row: &Row<'_>, id: String, account: i64, created_at: &str) -> DbResult<Subscription> {
    Ok(Subscription {
        id,
        account,
        status: row.text("status")?,
        offer: row.text("offer")?,
        period_end: row.time_or_null("period_end")?,
        ends_at: row.time_or_null("ends_at")?,
        ended_at: row.time_or_null("ended_at")?,
        as_of: row.time("as_of")?,
        created_at: row.time(created_at)?,
    })
}
