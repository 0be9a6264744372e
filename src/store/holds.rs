//! Holds: units set aside for work under way, and the lots they lie in. A hold is closed once, by the first that claims it.

use super::db::{DbResult, Row, Tx};
use super::no_account;
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::ledger::{Part, parse_place};

/// The columns of a hold.
macro_rules! hold_columns {
    () => {
        "account, number, units, captured, note, note_erased_at, created_at, expires_at, captured_at, released_at, expired_at"
    };
}
pub(super) use hold_columns;

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub account: i64,
    /// 1 for the account's first.
    pub number: i64,
    /// Units set aside.
    pub units: i64,
    /// Units of them that were used.
    pub captured: i64,
    pub note: Option<String>,
    /// When the note was erased.
    pub note_erased_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// `None`: it is open.
    pub closed: Option<HoldEnd>,
}

/// A hold that ended without a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedHold {
    pub number: i64,
    pub units: i64,
    pub note: Option<String>,
    /// Whether its time ran out; else it was released.
    pub is_expired: bool,
    pub ended_at: Timestamp,
}

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    /// Its units were used, in part or whole.
    Captured,
    /// They were given back.
    Released,
    /// Its time ran out.
    Expired,
}

/// The public id of a hold. It needs no random part, because its place in the books is unique.
pub fn hold_id(account: i64, number: i64) -> String {
    format!("hld_{account}_{number}")
}

/// Reads [`hold_id`] back: the account's number and the hold's.
pub fn parse_hold_id(text: &str) -> Option<(i64, i64)> {
    parse_place("hld_", text)
}

impl Hold {
    /// The public id.
    pub fn id(&self) -> String {
        hold_id(self.account, self.number)
    }
}

/// Adds a hold under the account's next number and its request's key, which must not have made one yet.
pub fn add(
    tx: &mut dyn Tx,
    account: i64,
    key: &str,
    parts: &[Part],
    note: Option<&str>,
    [created_at, expires_at]: [Timestamp; 2],
) -> Result<Hold> {
    const ADD: &str = "INSERT INTO holds (account, number, key, units, note, created_at, expires_at, made_after)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (account, key) DO NOTHING";
    const NEXT: &str = "UPDATE books SET holds = holds + 1
        WHERE account = $1 AND part = 1 AND seq = 0 AND used_reason = '' RETURNING holds, entries";
    const PART: &str = "INSERT INTO hold_lots (account, number, lot, units) VALUES ($1, $2, $3, $4)";
    tx.mark_changed(account);
    let next = tx.one(NEXT, &[&account], |row| Ok((row.int("holds")?, row.int("entries")?)))?;
    let (number, entries) = next.ok_or_else(|| no_account(account))?;
    let units = parts.iter().map(|part| part.units).fold(0i64, i64::saturating_add);
    if tx.execute(ADD, &[&account, &number, &key, &units, &note, &created_at, &expires_at, &entries])? == 0 {
        return Err(Fault::bare("a hold with this key appeared meanwhile").retryable().into());
    }
    for part in parts {
        tx.execute(PART, &[&account, &number, &part.lot, &part.units])?;
    }
    let note = note.map(str::to_owned);
    Ok(Hold { account, number, units, captured: 0, note, note_erased_at: None, created_at, expires_at, closed: None })
}

/// The hold with this number.
pub fn find(tx: &mut dyn Tx, account: i64, number: i64) -> Result<Option<Hold>> {
    const FIND: &str = concat!("SELECT ", hold_columns!(), " FROM holds WHERE account = $1 AND number = $2");
    tx.one(FIND, &[&account, &number], hold)
}

/// The hold that a request's key made.
pub fn by_key(tx: &mut dyn Tx, account: i64, key: &str) -> Result<Option<Hold>> {
    const FIND: &str = concat!("SELECT ", hold_columns!(), " FROM holds WHERE account = $1 AND key = $2");
    tx.one(FIND, &[&account, &key], hold)
}

/// The lots that a hold's units lie in.
pub fn parts(tx: &mut dyn Tx, account: i64, number: i64) -> Result<Vec<Part>> {
    const PARTS: &str = "SELECT lot, units FROM hold_lots WHERE account = $1 AND number = $2 ORDER BY lot LIMIT 100000";
    tx.all(PARTS, &[&account, &number], part)
}

/// Holds that ended from `from` on and before `to` without a charge, newest first.
pub fn unused(tx: &mut dyn Tx, account: i64, [from, to]: [Timestamp; 2], limit: i64) -> Result<Vec<UnusedHold>> {
    const UNUSED: &str = "SELECT number, units, note, expired_at, COALESCE(released_at, expired_at) AS ended_at
        FROM holds
        WHERE account = $1 AND captured_at IS NULL AND COALESCE(released_at, expired_at) IS NOT NULL
        AND COALESCE(released_at, expired_at) >= $2 AND COALESCE(released_at, expired_at) < $3
        ORDER BY COALESCE(released_at, expired_at) DESC, number DESC LIMIT $4";
    tx.all(UNUSED, &[&account, &from, &to, &limit], |row| {
        Ok(UnusedHold {
            number: row.int("number")?,
            units: row.int("units")?,
            note: row.text_or_null("note")?,
            is_expired: row.time_or_null("expired_at")?.is_some(),
            ended_at: row.time("ended_at")?,
        })
    })
}

/// An account's open holds, newest first.
pub fn open_of(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<Hold>> {
    const OPEN: &str = concat!(
        "SELECT ",
        hold_columns!(),
        " FROM holds WHERE account = $1 AND captured_at IS NULL AND released_at IS NULL AND expired_at IS NULL
        ORDER BY number DESC LIMIT $2"
    );
    tx.all(OPEN, &[&account, &limit], hold)
}

/// All of an account's holds, newest first.
pub fn of_account(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<Hold>> {
    const LIST: &str =
        concat!("SELECT ", hold_columns!(), " FROM holds WHERE account = $1 ORDER BY number DESC LIMIT $2");
    tx.all(LIST, &[&account, &limit], hold)
}

/// When the first of an account's open holds ends by itself.
pub fn next_end(tx: &mut dyn Tx, account: i64) -> Result<Option<Timestamp>> {
    const NEXT: &str = "SELECT expires_at FROM holds
        WHERE account = $1 AND captured_at IS NULL AND released_at IS NULL AND expired_at IS NULL
        ORDER BY expires_at, number LIMIT 1";
    tx.one(NEXT, &[&account], |row| row.time("expires_at"))
}

/// Claims the first of an account's open holds whose time has run out at `at`; its number. Nobody else can close it then.
pub fn claim_over(tx: &mut dyn Tx, account: i64, at: Timestamp) -> Result<Option<i64>> {
    const CLAIM: &str = "UPDATE holds SET expired_at = $2,
        ended_after = (SELECT entries FROM accounts WHERE account = $1)
        WHERE account = $1 AND number = (SELECT number FROM holds
        WHERE account = $1 AND captured_at IS NULL AND released_at IS NULL AND expired_at IS NULL AND expires_at <= $2
        ORDER BY expires_at, number LIMIT 1) RETURNING number";
    tx.mark_changed(account);
    tx.one(CLAIM, &[&account, &at], |row| row.int("number"))
}

/// Claims a hold for its capture. `false` when it is closed already.
pub fn claim_capture(tx: &mut dyn Tx, hold: &Hold, captured: i64, at: Timestamp) -> Result<bool> {
    const CLAIM: &str = "UPDATE holds SET captured = $3, captured_at = $4 WHERE account = $1 AND number = $2
        AND captured_at IS NULL AND released_at IS NULL AND expired_at IS NULL";
    tx.mark_changed(hold.account);
    Ok(tx.execute(CLAIM, &[&hold.account, &hold.number, &captured, &at])? == 1)
}

/// Claims a hold for its release. `false` when it is closed already.
pub fn claim_release(tx: &mut dyn Tx, hold: &Hold, at: Timestamp) -> Result<bool> {
    const CLAIM: &str = "UPDATE holds SET released_at = $3,
        ended_after = (SELECT entries FROM accounts WHERE account = $1) WHERE account = $1 AND number = $2
        AND captured_at IS NULL AND released_at IS NULL AND expired_at IS NULL";
    tx.mark_changed(hold.account);
    Ok(tx.execute(CLAIM, &[&hold.account, &hold.number, &at])? == 1)
}

/// Erases the notes of an account's holds after the one with number `after` up to `last`; how many had one.
pub fn erase_notes(tx: &mut dyn Tx, account: i64, [after, last]: [i64; 2], at: Timestamp) -> Result<usize> {
    const ERASE: &str = "UPDATE holds SET note = NULL, note_erased_at = $4
        WHERE account = $1 AND number > $2 AND number <= $3 AND note IS NOT NULL";
    tx.mark_changed(account);
    Ok(tx.execute(ERASE, &[&account, &after, &last, &at])?)
}

/// Units in open holds, by the index over these alone.
pub fn units_held(tx: &mut dyn Tx) -> Result<i64> {
    const HELD: &str = "SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT) AS units FROM holds
        WHERE captured_at IS NULL AND released_at IS NULL AND expired_at IS NULL";
    Ok(tx.one(HELD, &[], |row| row.int("units"))?.unwrap_or_default())
}

pub(super) fn part(row: &Row<'_>) -> DbResult<Part> {
    Ok(Part { lot: row.int("lot")?, units: row.int("units")? })
}

pub(super) fn hold(row: &Row<'_>) -> DbResult<Hold> {
    let (account, number, units) = (row.int("account")?, row.int("number")?, row.int("units")?);
    let (captured, note) = (row.int("captured")?, row.text_or_null("note")?);
    let note_erased_at = row.time_or_null("note_erased_at")?;
    let (created_at, expires_at) = (row.time("created_at")?, row.time("expires_at")?);
    let ends = [row.int_or_null("captured_at")?, row.int_or_null("released_at")?, row.int_or_null("expired_at")?];
    let closed = match ends {
        [Some(_), ..] => Some(HoldEnd::Captured),
        [_, Some(_), _] => Some(HoldEnd::Released),
        [_, _, Some(_)] => Some(HoldEnd::Expired),
        _ => None,
    };
    Ok(Hold { account, number, units, captured, note, note_erased_at, created_at, expires_at, closed })
}
