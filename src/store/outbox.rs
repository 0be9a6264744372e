//! The outbox of messages, and what became of each at each endpoint; both are written in the transaction of what they
//! tell of. Of the open deliveries to one endpoint about one
//! account only the first has a time at which it is tried; the others wait for it, so that what is due is found by one
//! index, and everyone's story is told in its order.

use super::{Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// A message to be written.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// `msg_…`
    pub id: &'a str,
    /// Whom it is about.
    pub account: i64,
    /// The word on the wire.
    pub kind: &'a str,
    /// JSON.
    pub body: &'a str,
    /// When this is.
    pub now: Timestamp,
    /// From when on a failure parks a delivery of it.
    pub give_up_at: Timestamp,
}

/// A delivery that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The endpoint.
    pub hook: String,
    /// The message's number.
    pub number: i64,
    /// The message's id.
    pub message: String,
    /// Whom it is about.
    pub account: i64,
    /// The word on the wire.
    pub kind: String,
    /// JSON.
    pub body: String,
    /// How often it was tried.
    pub attempts: i64,
    /// From when on a failure parks it.
    pub give_up_at: Timestamp,
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it was made.
    pub at: Timestamp,
    /// The HTTP status, if there was an answer.
    pub status: Option<i64>,
    /// Why it is not delivered.
    pub error: Option<String>,
    /// What comes of it.
    pub fate: DeliveryOutcome,
}

/// What comes of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It has arrived.
    Delivered,
    /// It is tried again then.
    Again(Timestamp),
    /// It is given up, until the operator tries again.
    Parked,
}

/// A delivery as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The endpoint.
    pub hook: String,
    /// The message's id.
    pub message: String,
    /// The word on the wire.
    pub kind: String,
    /// Whom it is about.
    pub user_id: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next; nothing when it waits for an earlier one, or is not open.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was tried last.
    pub last_attempt_at: Option<Timestamp>,
    /// The HTTP status of the last answer.
    pub last_status: Option<i64>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When the message was written.
    pub created_at: Timestamp,
    /// When it arrived.
    pub delivered_at: Option<Timestamp>,
    /// When it was given up.
    pub parked_at: Option<Timestamp>,
}

impl Delivery {
    /// Where it stands, in a word: `delivered`, `parked`, `due` when it has a time, `waiting` behind an earlier one.
    pub fn status(&self) -> &'static str {
        match self {
            Delivery { delivered_at: Some(_), .. } => "delivered",
            Delivery { parked_at: Some(_), .. } => "parked",
            Delivery { next_attempt_at: Some(_), .. } => "due",
            _ => "waiting",
        }
    }
}

/// Writes a message and a delivery to each of these endpoints.
pub fn write(tx: &mut dyn Tx, message: &Message<'_>, hooks: &[String]) -> Result<()> {
    const NEXT: &str = "SELECT COALESCE(MAX(number), 0) + 1 FROM messages";
    const WRITE: &str = "INSERT INTO messages (number, id, account, kind, body, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    const DELIVER: &str = "INSERT INTO deliveries (hook, message, account, give_up_at) VALUES ($1, $2, $3, $4)";
    let number = tx.query_one(NEXT, &[])?.map_or(Ok(1), |row| row.int(0))?;
    let (account, now) = (message.account, message.now);
    let (id, kind, body) = (message.id.into(), message.kind.into(), message.body.into());
    tx.execute(WRITE, &[number.into(), id, account.into(), kind, body, now.into()])?;
    for hook in hooks {
        tx.execute(DELIVER, &[hook.into(), number.into(), account.into(), message.give_up_at.into()])?;
        line_up(tx, hook, account, now)?;
    }
    Ok(())
}

/// Puts the open deliveries to an endpoint about an account in line: the first is tried, the others wait for it.
fn line_up(tx: &mut dyn Tx, hook: &str, account: i64, now: Timestamp) -> Result<()> {
    const FIRST: &str = "SELECT message FROM deliveries
        WHERE hook = $1 AND account = $2 AND delivered_at IS NULL AND parked_at IS NULL ORDER BY message LIMIT 1";
    const WAIT: &str = "UPDATE deliveries SET next_attempt_at = NULL
        WHERE hook = $1 AND account = $2 AND message > $3 AND delivered_at IS NULL AND parked_at IS NULL
        AND next_attempt_at IS NOT NULL";
    const TRY: &str = "UPDATE deliveries SET next_attempt_at = $3
        WHERE hook = $1 AND message = $2 AND next_attempt_at IS NULL";
    let first = tx.query_one(FIRST, &[hook.into(), account.into()])?;
    let Some(first) = first.map(|row| row.int(0)).transpose()? else { return Ok(()) };
    tx.execute(WAIT, &[hook.into(), account.into(), first.into()])?;
    tx.execute(TRY, &[hook.into(), first.into(), now.into()])?;
    Ok(())
}

/// Deliveries to an endpoint that are due, the longest waiting first.
pub fn due(tx: &mut dyn Tx, hook: &str, now: Timestamp, limit: i64) -> Result<Vec<Due>> {
    const DUE: &str = "SELECT d.hook, d.message, m.id, d.account, m.kind, m.body, d.attempts, d.give_up_at
        FROM deliveries d JOIN messages m ON m.number = d.message
        WHERE d.hook = $1 AND d.next_attempt_at IS NOT NULL AND d.next_attempt_at <= $2
        ORDER BY d.next_attempt_at, d.message LIMIT $3";
    let rows = tx.query(DUE, &[hook.into(), now.into(), limit.into()])?;
    let due = |row: &Row| {
        Ok(Due {
            hook: row.text(0)?,
            number: row.int(1)?,
            message: row.text(2)?,
            account: row.int(3)?,
            kind: row.text(4)?,
            body: row.text(5)?,
            attempts: row.int(6)?,
            give_up_at: row.time(7)?,
        })
    };
    Ok(rows.iter().map(due).collect::<std::result::Result<_, Fault>>()?)
}

/// Endpoints that are not disabled and have something due.
pub fn hooks_due(tx: &mut dyn Tx, now: Timestamp) -> Result<Vec<String>> {
    const HOOKS: &str = "SELECT h.id FROM hooks h WHERE h.disabled_at IS NULL
        AND EXISTS (SELECT 1 FROM deliveries d
            WHERE d.hook = h.id AND d.next_attempt_at IS NOT NULL AND d.next_attempt_at <= $1)
        ORDER BY h.id LIMIT 100";
    let rows = tx.query(HOOKS, &[now.into()])?;
    Ok(rows.iter().map(|row| row.text(0)).collect::<std::result::Result<_, Fault>>()?)
}

/// Keeps what an attempt came to. A delivery that has gone meanwhile, with its endpoint, is let go.
pub fn attempted(tx: &mut dyn Tx, due: &Due, attempt: &Attempt) -> Result<()> {
    const KEEP: &str = "UPDATE deliveries SET attempts = attempts + 1, last_attempt_at = $3, last_status = $4,
        last_error = $5, next_attempt_at = $6, delivered_at = $7, parked_at = $8
        WHERE hook = $1 AND message = $2 AND delivered_at IS NULL AND parked_at IS NULL";
    let at = attempt.at;
    let (next, delivered, parked) = match attempt.fate {
        DeliveryOutcome::Delivered => (None, Some(at), None),
        DeliveryOutcome::Again(next) => (Some(next), None, None),
        DeliveryOutcome::Parked => (None, None, Some(at)),
    };
    let (status, error) = (attempt.status.into(), attempt.error.as_deref().into());
    let (hook, number) = ((&due.hook).into(), due.number.into());
    tx.execute(KEEP, &[hook, number, at.into(), status, error, next.into(), delivered.into(), parked.into()])?;
    line_up(tx, &due.hook, due.account, at)
}

/// Deliveries, the newest message first; `parked`: only those that were given up.
pub fn list(tx: &mut dyn Tx, parked: bool, limit: i64) -> Result<Vec<Delivery>> {
    const ALL: &str = "SELECT d.hook, m.id, m.kind, u.id, d.attempts, d.next_attempt_at, d.last_attempt_at,
        d.last_status, d.last_error, m.created_at, d.delivered_at, d.parked_at
        FROM deliveries d JOIN messages m ON m.number = d.message JOIN users u ON u.account = d.account
        ORDER BY d.message DESC, d.hook DESC LIMIT $1";
    const PARKED: &str = "SELECT d.hook, m.id, m.kind, u.id, d.attempts, d.next_attempt_at, d.last_attempt_at,
        d.last_status, d.last_error, m.created_at, d.delivered_at, d.parked_at
        FROM deliveries d JOIN messages m ON m.number = d.message JOIN users u ON u.account = d.account
        WHERE d.parked_at IS NOT NULL ORDER BY d.parked_at DESC, d.message DESC, d.hook DESC LIMIT $1";
    let rows = if parked { tx.query(PARKED, &[limit.into()])? } else { tx.query(ALL, &[limit.into()])? };
    Ok(rows.iter().map(delivery).collect::<std::result::Result<_, Fault>>()?)
}

/// Up to `limit` parked deliveries, the earliest parked first: endpoint, message and account of each.
pub fn parked(tx: &mut dyn Tx, limit: i64) -> Result<Vec<(String, i64, i64)>> {
    const PARKED: &str = "SELECT hook, message, account FROM deliveries WHERE parked_at IS NOT NULL
        ORDER BY parked_at, message, hook LIMIT $1";
    places(&tx.query(PARKED, &[limit.into()])?)
}

/// The deliveries of a message that have not arrived: endpoint, message and account of each. `None` when there is no
/// such message.
pub fn not_delivered(tx: &mut dyn Tx, message: &str) -> Result<Option<Vec<(String, i64, i64)>>> {
    const FIND: &str = "SELECT number FROM messages WHERE id = $1";
    const OPEN: &str = "SELECT hook, message, account FROM deliveries
        WHERE message = $1 AND delivered_at IS NULL ORDER BY hook LIMIT 100";
    let Some(row) = tx.query_one(FIND, &[message.into()])? else { return Ok(None) };
    places(&tx.query(OPEN, &[row.int(0)?.into()])?).map(Some)
}

/// Opens a delivery again, as if it had not been tried, from now until `give_up_at`.
pub fn reopen(
    tx: &mut dyn Tx,
    (hook, message, account): &(String, i64, i64),
    now: Timestamp,
    give_up_at: Timestamp,
) -> Result<()> {
    const REOPEN: &str = "UPDATE deliveries SET parked_at = NULL, attempts = 0, next_attempt_at = $3, give_up_at = $4
        WHERE hook = $1 AND message = $2 AND delivered_at IS NULL";
    tx.execute(REOPEN, &[hook.into(), (*message).into(), now.into(), give_up_at.into()])?;
    line_up(tx, hook, *account, now)
}

/// Removes up to `limit` deliveries of each kind that arrived before `delivered` or were parked before `parked`, and
/// messages that nothing waits for any more. Answers how many rows.
pub fn remove_old(tx: &mut dyn Tx, delivered: Timestamp, parked: Timestamp, limit: i64) -> Result<usize> {
    const DELIVERED: &str = "DELETE FROM deliveries WHERE (message, hook) IN (SELECT message, hook FROM deliveries
        WHERE delivered_at IS NOT NULL AND delivered_at < $1 ORDER BY delivered_at, message, hook LIMIT $2)";
    const PARKED: &str = "DELETE FROM deliveries WHERE (message, hook) IN (SELECT message, hook FROM deliveries
        WHERE parked_at IS NOT NULL AND parked_at < $1 ORDER BY parked_at, message, hook LIMIT $2)";
    const MESSAGES: &str = "DELETE FROM messages WHERE number IN (SELECT m.number FROM messages m
        WHERE m.created_at < $1
        AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message = m.number) ORDER BY m.number LIMIT $2)";
    let removed = tx.execute(DELIVERED, &[delivered.into(), limit.into()])?;
    let given_up = tx.execute(PARKED, &[parked.into(), limit.into()])?;
    Ok(removed + given_up + tx.execute(MESSAGES, &[delivered.into(), limit.into()])?)
}

fn places(rows: &[Row]) -> Result<Vec<(String, i64, i64)>> {
    let place = |row: &Row| Ok((row.text(0)?, row.int(1)?, row.int(2)?));
    Ok(rows.iter().map(place).collect::<std::result::Result<_, Fault>>()?)
}

fn delivery(row: &Row) -> std::result::Result<Delivery, Fault> {
    Ok(Delivery {
        hook: row.text(0)?,
        message: row.text(1)?,
        kind: row.text(2)?,
        user_id: row.text(3)?,
        attempts: row.int(4)?,
        next_attempt_at: row.time_or_null(5)?,
        last_attempt_at: row.time_or_null(6)?,
        last_status: row.int_or_null(7)?,
        last_error: row.text_or_null(8)?,
        created_at: row.time(9)?,
        delivered_at: row.time_or_null(10)?,
        parked_at: row.time_or_null(11)?,
    })
}
