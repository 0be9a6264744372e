//! The outbox of messages, and what became of each at each endpoint. A message is written in the transaction that it
//! reports. Of the open deliveries to one endpoint about one account only the first has a time at which it is tried; the
//! others wait for it. So one index finds what is due, and an endpoint gets each user's messages in order.

use super::db::{DbResult, Param, Row, Tx};
use super::entries;
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::id;

/// A message to be written.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// `msg_…`
    pub id: &'a str,
    /// The account it is about.
    pub account: i64,
    /// The word on the wire.
    pub kind: &'a str,
    /// JSON.
    pub body: &'a str,
    pub now: Timestamp,
    /// A failure from then on parks a delivery of it.
    pub give_up_at: Timestamp,
}

/// A delivery that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDelivery {
    /// The endpoint's id.
    pub endpoint: String,
    /// The message's number.
    pub number: i64,
    /// The message's id.
    pub message: String,
    /// The account it is about.
    pub account: i64,
    /// The word on the wire.
    pub kind: String,
    /// JSON.
    pub body: String,
    /// Attempts so far.
    pub attempts: i64,
    /// A failure from then on parks it.
    pub give_up_at: Timestamp,
}

/// One attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub at: Timestamp,
    /// The HTTP status, if there was an answer.
    pub status: Option<i64>,
    /// Why it is not delivered.
    pub error: Option<String>,
    pub outcome: DeliveryOutcome,
}

/// What comes of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    Delivered,
    /// It is tried again then.
    Again(Timestamp),
    /// It is given up, until the operator tries again.
    Parked,
}

/// A delivery as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The endpoint's id.
    pub endpoint: String,
    /// The message's number, which is the order.
    pub number: i64,
    /// The account it is about.
    pub account: i64,
    /// The message's id.
    pub message: String,
    /// The word on the wire.
    pub kind: String,
    /// The user it is about.
    pub user_id: String,
    pub attempts: i64,
    /// `None` when it waits for an earlier one, or is not open.
    pub next_attempt_at: Option<Timestamp>,
    pub last_attempt_at: Option<Timestamp>,
    /// The HTTP status of the last answer.
    pub last_status: Option<i64>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When the message was written.
    pub created_at: Timestamp,
    pub delivered_at: Option<Timestamp>,
    pub parked_at: Option<Timestamp>,
}

/// Where a delivery stands in the list: before it are those with a later time of being given up, which counts in the list of
/// these alone, and then those with a higher number. Two accounts may have the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryPlace {
    /// In milliseconds; 0 for one that was not given up.
    pub parked_at: i64,
    /// The message's number.
    pub message: i64,
    /// The account that it is about.
    pub account: i64,
    pub endpoint: String,
}

impl Delivery {
    /// Its place in the list.
    pub fn place(&self) -> DeliveryPlace {
        let parked_at = self.parked_at.map_or(0, Timestamp::millis);
        DeliveryPlace { parked_at, message: self.number, account: self.account, endpoint: self.endpoint.clone() }
    }

    /// Its status in a word: `delivered`, `parked`, `due` when it has a time, `waiting` behind an earlier one.
    pub fn status(&self) -> &'static str {
        match self {
            Delivery { delivered_at: Some(_), .. } => "delivered",
            Delivery { parked_at: Some(_), .. } => "parked",
            Delivery { next_attempt_at: Some(_), .. } => "due",
            _ => "waiting",
        }
    }
}

/// Which delivery, and the account that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryKey {
    /// The endpoint's id.
    pub endpoint: String,
    /// The message's number.
    pub message: i64,
    pub account: i64,
}

/// Writes a message, and a delivery of it to each of these endpoints.
pub fn write(tx: &mut dyn Tx, message: &Message<'_>, endpoints: &[String]) -> Result<()> {
    const DELIVER: &str = "INSERT INTO deliveries (account, message, endpoint, give_up_at) VALUES ($1, $2, $3, $4)";
    entries::lock(tx, message.account)?;
    let number = add(tx, message)?;
    let Message { account, now, give_up_at, .. } = message;
    for endpoint in endpoints {
        tx.execute(DELIVER, &[account, &number, endpoint, give_up_at])?;
        schedule_first(tx, endpoint, *account, *now)?;
    }
    Ok(())
}

/// Adds a message under a number after the account's last.
fn add(tx: &mut dyn Tx, message: &Message<'_>) -> Result<i64> {
    const LAST: &str = "SELECT MAX(number) AS last FROM messages WHERE account = $1";
    const ADD: &str = "INSERT INTO messages (account, number, id, kind, body, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, number) DO NOTHING";
    let Message { id, account, kind, body, now, .. } = message;
    let last = tx.one(LAST, &[account], |row| row.int_or_null("last"))?.flatten();
    let number = id::ordered_number(*now, last)?;
    match tx.execute(ADD, &[account, &number, id, kind, body, now])? {
        1 => Ok(number),
        _ => Err(Fault::bare("somebody else took the number of a message meanwhile").retryable().into()),
    }
}

/// Of the open deliveries to an endpoint about an account, schedules the first; the others wait for it.
fn schedule_first(tx: &mut dyn Tx, endpoint: &str, account: i64, now: Timestamp) -> Result<()> {
    const FIRST: &str = "SELECT message FROM deliveries
        WHERE endpoint = $1 AND account = $2 AND delivered_at IS NULL AND parked_at IS NULL ORDER BY message LIMIT 1";
    const WAIT: &str = "UPDATE deliveries SET next_attempt_at = NULL
        WHERE endpoint = $1 AND account = $2 AND message > $3 AND delivered_at IS NULL AND parked_at IS NULL
        AND next_attempt_at IS NOT NULL";
    const TRY: &str = "UPDATE deliveries SET next_attempt_at = $4
        WHERE endpoint = $1 AND account = $2 AND message = $3 AND next_attempt_at IS NULL";
    let first = tx.one(FIRST, &[&endpoint, &account], |row| row.int("message"))?;
    let Some(first) = first else { return Ok(()) };
    tx.execute(WAIT, &[&endpoint, &account, &first])?;
    tx.execute(TRY, &[&endpoint, &account, &first, &now])?;
    Ok(())
}

/// Deliveries to an endpoint that are due, the longest waiting first.
pub fn due(tx: &mut dyn Tx, endpoint: &str, now: Timestamp, limit: i64) -> Result<Vec<DueDelivery>> {
    const DUE: &str =
        "SELECT d.endpoint, d.message AS number, m.id, d.account, m.kind, m.body, d.attempts, d.give_up_at
        FROM deliveries d JOIN messages m ON m.account = d.account AND m.number = d.message
        WHERE d.endpoint = $1 AND d.next_attempt_at IS NOT NULL AND d.next_attempt_at <= $2
        ORDER BY d.next_attempt_at, d.message, d.account LIMIT $3";
    tx.all(DUE, &[&endpoint, &now, &limit], |row| {
        Ok(DueDelivery {
            endpoint: row.text("endpoint")?,
            number: row.int("number")?,
            message: row.text("id")?,
            account: row.int("account")?,
            kind: row.text("kind")?,
            body: row.text("body")?,
            attempts: row.int("attempts")?,
            give_up_at: row.time("give_up_at")?,
        })
    })
}

/// The ids of the enabled endpoints that have something due.
pub fn endpoints_due(tx: &mut dyn Tx, now: Timestamp) -> Result<Vec<String>> {
    const ENDPOINTS: &str = "SELECT w.id FROM webhook_endpoints w WHERE w.disabled_at IS NULL
        AND EXISTS (SELECT 1 FROM deliveries d
            WHERE d.endpoint = w.id AND d.next_attempt_at IS NOT NULL AND d.next_attempt_at <= $1)
        ORDER BY w.id LIMIT 100";
    tx.all(ENDPOINTS, &[&now], |row| row.text("id"))
}

/// Records an attempt. If the delivery was removed meanwhile, with its endpoint, nothing is recorded.
pub fn record_attempt(tx: &mut dyn Tx, due: &DueDelivery, attempt: &Attempt) -> Result<()> {
    const RECORD: &str = "UPDATE deliveries SET attempts = attempts + 1, last_attempt_at = $4, last_status = $5,
        last_error = $6, next_attempt_at = $7, delivered_at = $8, parked_at = $9
        WHERE account = $1 AND message = $2 AND endpoint = $3 AND delivered_at IS NULL AND parked_at IS NULL";
    let Attempt { at, status, error, outcome } = attempt;
    let (next, delivered, parked) = match outcome {
        DeliveryOutcome::Delivered => (None, Some(at), None),
        DeliveryOutcome::Again(next) => (Some(next), None, None),
        DeliveryOutcome::Parked => (None, None, Some(at)),
    };
    let key: [&dyn Param; 3] = [&due.account, &due.number, &due.endpoint];
    let new: [&dyn Param; 6] = [at, status, error, &next, &delivered, &parked];
    entries::lock(tx, due.account)?;
    tx.execute(RECORD, &[&key[..], &new[..]].concat())?;
    schedule_first(tx, &due.endpoint, due.account, *at)
}

/// Deliveries after this place, the newest message first; `parked`: only those that were given up, the latest first.
pub fn list(tx: &mut dyn Tx, parked: bool, after: Option<&DeliveryPlace>, limit: i64) -> Result<Vec<Delivery>> {
    macro_rules! deliveries {
        () => {
            "SELECT d.endpoint, m.number, d.account, m.id, m.kind, u.id AS user_id, d.attempts, d.next_attempt_at,
            d.last_attempt_at, d.last_status, d.last_error, m.created_at, d.delivered_at, d.parked_at
            FROM deliveries d JOIN messages m ON m.account = d.account AND m.number = d.message
            JOIN users u ON u.account = d.account"
        };
    }
    const ALL: &str = concat!(
        deliveries!(),
        " WHERE (d.message, d.account, d.endpoint) < ($2, $3, $4)
        ORDER BY d.message DESC, d.account DESC, d.endpoint DESC LIMIT $1"
    );
    const PARKED: &str = concat!(
        deliveries!(),
        " WHERE d.parked_at IS NOT NULL AND (d.parked_at, d.message, d.account, d.endpoint) < ($5, $2, $3, $4)
        ORDER BY d.parked_at DESC, d.message DESC, d.account DESC, d.endpoint DESC LIMIT $1"
    );
    let first = DeliveryPlace { parked_at: i64::MAX, message: i64::MAX, account: i64::MAX, endpoint: String::new() };
    let DeliveryPlace { parked_at, message, account, endpoint } = after.unwrap_or(&first);
    match parked {
        false => tx.all(ALL, &[&limit, message, account, endpoint], delivery),
        true => tx.all(PARKED, &[&limit, message, account, endpoint, parked_at], delivery),
    }
}

/// How many deliveries are open, and how many are parked.
pub fn count(tx: &mut dyn Tx) -> Result<(i64, i64)> {
    const OPEN: &str = "SELECT COUNT(*) AS open FROM deliveries WHERE delivered_at IS NULL AND parked_at IS NULL";
    let open = tx.one(OPEN, &[], |row| row.int("open"))?.unwrap_or_default();
    Ok((open, count_parked(tx)?))
}

/// How many deliveries are parked.
pub fn count_parked(tx: &mut dyn Tx) -> Result<i64> {
    const PARKED: &str = "SELECT COUNT(*) AS parked FROM deliveries WHERE parked_at IS NOT NULL";
    Ok(tx.one(PARKED, &[], |row| row.int("parked"))?.unwrap_or_default())
}

/// Up to `limit` parked deliveries, the earliest parked first.
pub fn parked(tx: &mut dyn Tx, limit: i64) -> Result<Vec<DeliveryKey>> {
    const PARKED: &str = "SELECT endpoint, message, account FROM deliveries WHERE parked_at IS NOT NULL
        ORDER BY parked_at, message, account, endpoint LIMIT $1";
    tx.all(PARKED, &[&limit], delivery_key)
}

/// The deliveries of a message that have not arrived. `None` when there is no such message.
pub fn not_delivered(tx: &mut dyn Tx, message: &str) -> Result<Option<Vec<DeliveryKey>>> {
    const FIND: &str = "SELECT account, number FROM messages WHERE id = $1 ORDER BY account, number LIMIT 1";
    const OPEN: &str = "SELECT endpoint, message, account FROM deliveries
        WHERE account = $1 AND message = $2 AND delivered_at IS NULL ORDER BY endpoint LIMIT 100";
    let found = tx.one(FIND, &[&message], |row| Ok((row.int("account")?, row.int("number")?)))?;
    let Some((account, number)) = found else { return Ok(None) };
    tx.all(OPEN, &[&account, &number], delivery_key).map(Some)
}

/// Opens a delivery again, as if it had not been tried, from now until `give_up_at`.
pub fn reopen(tx: &mut dyn Tx, key: &DeliveryKey, now: Timestamp, give_up_at: Timestamp) -> Result<()> {
    const REOPEN: &str = "UPDATE deliveries SET parked_at = NULL, attempts = 0, next_attempt_at = $4, give_up_at = $5
        WHERE account = $1 AND message = $2 AND endpoint = $3 AND delivered_at IS NULL";
    entries::lock(tx, key.account)?;
    tx.execute(REOPEN, &[&key.account, &key.message, &key.endpoint, &now, &give_up_at])?;
    schedule_first(tx, &key.endpoint, key.account, now)
}

/// Removes up to `limit` deliveries of each kind that arrived before `delivered` or were parked before `parked`, and as
/// many messages that no delivery needs any more. Returns the number of rows.
pub fn remove_old(tx: &mut dyn Tx, delivered: Timestamp, parked: Timestamp, limit: i64) -> Result<usize> {
    const DELIVERED: &str = "DELETE FROM deliveries WHERE (account, message, endpoint) IN
        (SELECT account, message, endpoint FROM deliveries WHERE delivered_at IS NOT NULL AND delivered_at < $1
        ORDER BY delivered_at, account, message, endpoint LIMIT $2)";
    const PARKED: &str = "DELETE FROM deliveries WHERE (account, message, endpoint) IN
        (SELECT account, message, endpoint FROM deliveries WHERE parked_at IS NOT NULL AND parked_at < $1
        ORDER BY parked_at, message, account, endpoint LIMIT $2)";
    const MESSAGES: &str = "DELETE FROM messages WHERE (account, number) IN
        (SELECT m.account, m.number FROM messages m WHERE m.created_at < $1 AND NOT EXISTS
            (SELECT 1 FROM deliveries d WHERE d.account = m.account AND d.message = m.number)
        ORDER BY m.created_at, m.account, m.number LIMIT $2)";
    let removed = tx.execute(DELIVERED, &[&delivered, &limit])?;
    let given_up = tx.execute(PARKED, &[&parked, &limit])?;
    Ok(removed + given_up + tx.execute(MESSAGES, &[&delivered, &limit])?)
}

fn delivery_key(row: &Row<'_>) -> DbResult<DeliveryKey> {
    Ok(DeliveryKey { endpoint: row.text("endpoint")?, message: row.int("message")?, account: row.int("account")? })
}

fn delivery(row: &Row<'_>) -> DbResult<Delivery> {
    Ok(Delivery {
        endpoint: row.text("endpoint")?,
        number: row.int("number")?,
        account: row.int("account")?,
        message: row.text("id")?,
        kind: row.text("kind")?,
        user_id: row.text("user_id")?,
        attempts: row.int("attempts")?,
        next_attempt_at: row.time_or_null("next_attempt_at")?,
        last_attempt_at: row.time_or_null("last_attempt_at")?,
        last_status: row.int_or_null("last_status")?,
        last_error: row.text_or_null("last_error")?,
        created_at: row.time("created_at")?,
        delivered_at: row.time_or_null("delivered_at")?,
        parked_at: row.time_or_null("parked_at")?,
    })
}
