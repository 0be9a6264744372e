//! What is recorded of an account's lots and holds beside its entries: what the replay of the ledger needs to say which lots
//! each entry drew on.

use super::db::{DbResult, Row, Tx};
use super::lots;
use super::orders::OfferKind;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ledger::{Kind, Lot, Part};

/// A lot as it is now, and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LotRecord {
    pub account: i64,
    pub lot: Lot,
    /// The reference of the payment that bought it.
    pub payment: Option<String>,
    /// What was bought, and its key in the catalogue.
    pub offer: Option<(OfferKind, String)>,
    /// The kind and the reason of the entry that opened it.
    pub kind: Kind,
    pub reason: String,
    pub opened_at: Timestamp,
}

/// When a hold was made and ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRecord {
    pub number: i64,
    pub units: i64,
    pub note: Option<String>,
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// How many entries the account had when it was made.
    pub made_after: i64,
    /// How many it had when the hold ended without a charge, and when that was.
    pub ended: Option<(i64, Timestamp)>,
    /// Whether it is still open.
    pub is_open: bool,
}

/// An account's lots, with and without units, newest first.
pub fn lots(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<LotRecord>> {
    const LOTS: &str = "SELECT l.seq, l.units, l.remaining, l.held, l.expired, l.expires_at, l.grace_until, l.cost,
            l.currency, l.payment,
            p.kind AS offer_kind, p.offer, e.kind, e.reason, e.created_at,
            CASE WHEN l.seq = a.front THEN a.front_free ELSE 0 END AS front_free
        FROM accounts a JOIN lots l ON l.account = a.account
        JOIN entries e ON e.account = l.account AND e.seq = l.seq
        LEFT JOIN payments p ON p.reference = l.payment
        WHERE a.account = $1 ORDER BY l.seq DESC LIMIT $2";
    tx.all(LOTS, &[&account, &limit], |row| {
        let lot = lots::lot(row)?;
        let kind = row.text_or_null("offer_kind")?.as_deref().and_then(OfferKind::parse);
        Ok(LotRecord {
            account,
            lot: Lot { remaining: lot.remaining.saturating_add(row.int("front_free")?), ..lot },
            payment: row.text_or_null("payment")?,
            offer: kind.zip(row.text_or_null("offer")?),
            kind: row.word("kind", Kind::parse)?,
            reason: row.text("reason")?,
            opened_at: row.time("created_at")?,
        })
    })
}

/// An account's holds, newest first.
pub fn holds(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<HoldRecord>> {
    const HOLDS: &str = "SELECT number, units, note, created_at, expires_at, made_after, ended_after, captured_at,
            COALESCE(released_at, expired_at) AS ended_at
        FROM holds WHERE account = $1 ORDER BY number DESC LIMIT $2";
    tx.all(HOLDS, &[&account, &limit], hold_record)
}

pub(super) fn hold_record(row: &Row<'_>) -> DbResult<HoldRecord> {
    let ended_at = row.time_or_null("ended_at")?;
    Ok(HoldRecord {
        number: row.int("number")?,
        units: row.int("units")?,
        note: row.text_or_null("note")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        made_after: row.int("made_after")?,
        ended: row.int_or_null("ended_after")?.zip(ended_at),
        is_open: ended_at.is_none() && row.time_or_null("captured_at")?.is_none(),
    })
}

/// The lots that the units of an account's holds lie in, from the hold with this number on, in order.
pub fn parts_from(tx: &mut dyn Tx, account: i64, first: i64, limit: i64) -> Result<Vec<(i64, Part)>> {
    const PARTS: &str = "SELECT number, lot, units FROM hold_lots WHERE account = $1 AND number >= $2
        ORDER BY number, lot LIMIT $3";
    tx.all(PARTS, &[&account, &first, &limit], |row| {
        Ok((row.int("number")?, Part { lot: row.int("lot")?, units: row.int("units")? }))
    })
}
