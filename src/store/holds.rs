//! Holds: units set aside for work under way, and the lots they lie in. A hold is closed once: whoever claims it first.

use super::{Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::ledger::{Part, parse_place};

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whose units.
    pub account: i64,
    /// 1 for the account's first.
    pub number: i64,
    /// Units set aside.
    pub units: i64,
    /// Units of them that were used.
    pub captured: i64,
    /// A sentence for people.
    pub note: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// How it ended, if it has.
    pub closed: Option<Closed>,
}

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Its units were used, in part or whole.
    Captured,
    /// They were given back.
    Released,
    /// Its time was over.
    Expired,
}

/// The public id of a hold: its place in the books is unique, nothing random is needed.
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
    const ADD: &str = "INSERT INTO holds (account, number, key, units, note, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, key) DO NOTHING";
    const NEXT: &str = "UPDATE books SET holds = holds + 1
        WHERE account = $1 AND claim = '=' AND line = 0 RETURNING holds";
    const PART: &str = "INSERT INTO hold_lots (account, number, lot, units) VALUES ($1, $2, $3, $4)";
    tx.mark_changed(account);
    let next = tx.query_one(NEXT, &[account.into()])?.map(|row| row.int(0)).transpose()?;
    let number = next.ok_or_else(|| Fault::bare(format!("account {account} is missing")))?;
    let units = parts.iter().map(|part| part.units).fold(0i64, i64::saturating_add);
    let row = [account.into(), number.into(), key.into(), units.into(), note.into(), created_at.into()];
    let row: Vec<_> = row.into_iter().chain([expires_at.into()]).collect();
    if tx.execute(ADD, &row)? == 0 {
        return Err(Fault::bare("a hold with this key appeared meanwhile").retryable().into());
    }
    for part in parts {
        tx.execute(PART, &[account.into(), number.into(), part.lot.into(), part.units.into()])?;
    }
    let note = note.map(str::to_owned);
    Ok(Hold { account, number, units, captured: 0, note, created_at, expires_at, closed: None })
}

/// The hold with this number.
pub fn find(tx: &mut dyn Tx, account: i64, number: i64) -> Result<Option<Hold>> {
    const FIND: &str = "SELECT account, number, units, captured, note, created_at, expires_at, captured_at,
        released_at, expired_at FROM holds WHERE account = $1 AND number = $2";
    Ok(tx.query_one(FIND, &[account.into(), number.into()])?.as_ref().map(hold).transpose()?)
}

/// The hold that a request's key made.
pub fn by_key(tx: &mut dyn Tx, account: i64, key: &str) -> Result<Option<Hold>> {
    const FIND: &str = "SELECT account, number, units, captured, note, created_at, expires_at, captured_at,
        released_at, expired_at FROM holds WHERE account = $1 AND key = $2";
    Ok(tx.query_one(FIND, &[account.into(), key.into()])?.as_ref().map(hold).transpose()?)
}

/// An account's holds in order, after the one with this number: for the proof.
pub fn after(tx: &mut dyn Tx, account: i64, number: i64, limit: i64) -> Result<Vec<Hold>> {
    const PAGE: &str = "SELECT account, number, units, captured, note, created_at, expires_at, captured_at,
        released_at, expired_at FROM holds WHERE account = $1 AND number > $2 ORDER BY number LIMIT $3";
    let rows = tx.query(PAGE, &[account.into(), number.into(), limit.into()])?;
    Ok(rows.iter().map(hold).collect::<std::result::Result<_, Fault>>()?)
}

/// The lots that a hold's units lie in.
pub fn parts(tx: &mut dyn Tx, account: i64, number: i64) -> Result<Vec<Part>> {
    const PARTS: &str = "SELECT lot, units FROM hold_lots WHERE account = $1 AND number = $2 ORDER BY lot LIMIT 100000";
    let rows = tx.query(PARTS, &[account.into(), number.into()])?;
    let part = |row: &Row| Ok(Part { lot: row.int(0)?, units: row.int(1)? });
    Ok(rows.iter().map(part).collect::<std::result::Result<_, Fault>>()?)
}

/// What open holds keep of each lot: for the proof.
pub fn held_by_lot(tx: &mut dyn Tx, account: i64) -> Result<Vec<Part>> {
    const HELD: &str = "SELECT p.lot, CAST(SUM(p.units) AS INTEGER) FROM holds h
        JOIN hold_lots p ON p.account = h.account AND p.number = h.number
        WHERE h.account = $1 AND h.captured_at IS NULL AND h.released_at IS NULL AND h.expired_at IS NULL
        GROUP BY p.lot ORDER BY p.lot LIMIT 100000";
    let rows = tx.query(HELD, &[account.into()])?;
    let part = |row: &Row| Ok(Part { lot: row.int(0)?, units: row.int(1)? });
    Ok(rows.iter().map(part).collect::<std::result::Result<_, Fault>>()?)
}

/// How many holds an account has had, as its row says: for the proof.
pub fn made(tx: &mut dyn Tx, account: i64) -> Result<i64> {
    const MADE: &str = "SELECT holds FROM accounts WHERE account = $1";
    let made = tx.query_one(MADE, &[account.into()])?.map(|row| row.int(0)).transpose()?;
    Ok(made.ok_or_else(|| Fault::bare(format!("account {account} is missing")))?)
}

/// Holds of an account, open or closed, whose units do not lie in lots: for the proof. Answers their numbers.
pub fn without_lots(tx: &mut dyn Tx, account: i64) -> Result<Vec<i64>> {
    const LOST: &str = "SELECT h.number FROM holds h WHERE h.account = $1 AND h.units <>
        (SELECT CAST(COALESCE(SUM(p.units), 0) AS INTEGER) FROM hold_lots p
            WHERE p.account = h.account AND p.number = h.number)
        ORDER BY h.number LIMIT 100";
    let rows = tx.query(LOST, &[account.into()])?;
    Ok(rows.iter().map(|row| row.int(0)).collect::<std::result::Result<_, Fault>>()?)
}

/// When the first of an account's open holds ends by itself.
pub fn next_end(tx: &mut dyn Tx, account: i64) -> Result<Option<Timestamp>> {
    const NEXT: &str = "SELECT expires_at FROM holds
        WHERE account = $1 AND captured_at IS NULL AND released_at IS NULL AND expired_at IS NULL
        ORDER BY expires_at, number LIMIT 1";
    Ok(tx.query_one(NEXT, &[account.into()])?.map(|row| row.time(0)).transpose()?)
}

/// Claims the first of an account's open holds that is over at `at`; its number. From then on nobody else can close it.
pub fn claim_over(tx: &mut dyn Tx, account: i64, at: Timestamp) -> Result<Option<i64>> {
    const CLAIM: &str = "UPDATE holds SET expired_at = $2 WHERE account = $1 AND number = (SELECT number FROM holds
        WHERE account = $1 AND captured_at IS NULL AND released_at IS NULL AND expired_at IS NULL AND expires_at <= $2
        ORDER BY expires_at, number LIMIT 1) RETURNING number";
    Ok(tx.query_one(CLAIM, &[account.into(), at.into()])?.map(|row| row.int(0)).transpose()?)
}

/// Claims a hold for its capture. `false` when it is closed already.
pub fn claim_capture(tx: &mut dyn Tx, hold: &Hold, captured: i64, at: Timestamp) -> Result<bool> {
    const CLAIM: &str = "UPDATE holds SET captured = $3, captured_at = $4 WHERE account = $1 AND number = $2
        AND captured_at IS NULL AND released_at IS NULL AND expired_at IS NULL";
    Ok(tx.execute(CLAIM, &[hold.account.into(), hold.number.into(), captured.into(), at.into()])? == 1)
}

/// Claims a hold for its release. `false` when it is closed already.
pub fn claim_release(tx: &mut dyn Tx, hold: &Hold, at: Timestamp) -> Result<bool> {
    const CLAIM: &str = "UPDATE holds SET released_at = $3 WHERE account = $1 AND number = $2
        AND captured_at IS NULL AND released_at IS NULL AND expired_at IS NULL";
    Ok(tx.execute(CLAIM, &[hold.account.into(), hold.number.into(), at.into()])? == 1)
}

fn hold(row: &Row) -> std::result::Result<Hold, Fault> {
    let closed = match [row.int_or_null(7)?, row.int_or_null(8)?, row.int_or_null(9)?] {
        [Some(_), ..] => Some(Closed::Captured),
        [_, Some(_), _] => Some(Closed::Released),
        [_, _, Some(_)] => Some(Closed::Expired),
        _ => None,
    };
    Ok(Hold {
        account: row.int(0)?,
        number: row.int(1)?,
        units: row.int(2)?,
        captured: row.int(3)?,
        note: row.text_or_null(4)?,
        created_at: row.time(5)?,
        expires_at: row.time(6)?,
        closed,
    })
}
