//! The operator's search for people, and what there is of one person besides units: all of it by an index, so that it is as
//! quick among a million users as among ten.

use super::db::{DbResult, Row, Tx};
use super::{customers, payments};
use crate::clock::Timestamp;
use crate::error::Result;

/// After every text that begins alike, in the order of the database.
const LAST: char = char::MAX;

/// Accounts whose id begins with this text, or, in any case of letters, whose e-mail address or name does; at most `limit` of
/// each, in their order.
pub fn beginning_with(tx: &mut dyn Tx, text: &str, limit: i64) -> Result<Vec<i64>> {
    const IDS: &str = "SELECT account FROM users WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3";
    const EMAILS: &str =
        "SELECT account FROM users WHERE email IS NOT NULL AND lower(email) >= $1 AND lower(email) < $2
        ORDER BY lower(email), account LIMIT $3";
    const NAMES: &str = "SELECT account FROM users WHERE name IS NOT NULL AND lower(name) >= $1 AND lower(name) < $2
        ORDER BY lower(name), account LIMIT $3";
    // SQLite knows upper and lower case of ASCII alone.
    let lower = text.to_ascii_lowercase();
    let mut found = tx.all(IDS, &[&text, &format!("{text}{LAST}"), &limit], account)?;
    for search in [EMAILS, NAMES] {
        found.extend(tx.all(search, &[&lower, &format!("{lower}{LAST}"), &limit], account)?);
    }
    Ok(found)
}

/// The account that an id of Stripe's belongs to: a customer, a subscription, a checkout, or any id of a payment.
pub fn of_stripe_id(tx: &mut dyn Tx, id: &str) -> Result<Option<i64>> {
    const SUBSCRIPTION: &str = "SELECT account FROM subscriptions WHERE id = $1";
    const CHECKOUT: &str = "SELECT account FROM orders WHERE session = $1";
    const REFUND: &str = "SELECT p.account FROM refunds r JOIN payments p ON p.reference = r.payment WHERE r.id = $1";
    const DISPUTE: &str = "SELECT p.account FROM disputes d JOIN payments p ON p.reference = d.payment WHERE d.id = $1";
    if let Some(account) = customers::account_of(tx, id)? {
        return Ok(Some(account));
    }
    if let Some(payment) = payments::find(tx, id)? {
        return Ok(Some(payment.account));
    }
    for search in [SUBSCRIPTION, CHECKOUT, REFUND, DISPUTE] {
        if let Some(account) = tx.one(search, &[&id], account)? {
            return Ok(Some(account));
        }
    }
    Ok(None)
}

/// Accounts before this one, the newest first.
pub fn newest(tx: &mut dyn Tx, before: i64, limit: i64) -> Result<Vec<i64>> {
    const PAGE: &str = "SELECT account FROM users WHERE account < $1 ORDER BY account DESC LIMIT $2";
    tx.all(PAGE, &[&before, &limit], account)
}

/// Who made each of an account's entries before the one with this number, newest first.
pub fn actors_of(tx: &mut dyn Tx, account: i64, before: i64, limit: i64) -> Result<Vec<(i64, Option<String>)>> {
    const LIST: &str = "SELECT seq, actor FROM entries WHERE account = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3";
    tx.all(LIST, &[&account, &before, &limit], |row| Ok((row.int("seq")?, row.text_or_null("actor")?)))
}

/// A letter to a person, or a notification about one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRecord {
    pub kind: String,
    pub created_at: Timestamp,
    /// When the mail server or the endpoint took it.
    pub sent_at: Option<Timestamp>,
    /// When it was given up.
    pub failed_at: Option<Timestamp>,
    pub last_error: Option<String>,
}

/// The letters to the owner of an account, the newest first.
pub fn mails_of(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<SentRecord>> {
    const LIST: &str = "SELECT kind, created_at, sent_at, failed_at, last_error FROM mails
        WHERE account = $1 ORDER BY number DESC LIMIT $2";
    tx.all(LIST, &[&account, &limit], sent)
}

/// Letters that were given up, the latest first, with the address of each.
pub fn failed_mails(tx: &mut dyn Tx, limit: i64) -> Result<Vec<(Option<String>, SentRecord)>> {
    const LIST: &str = "SELECT to_address, kind, created_at, sent_at, failed_at, last_error FROM mails
        WHERE failed_at IS NOT NULL ORDER BY failed_at DESC, number DESC LIMIT $1";
    tx.all(LIST, &[&limit], |row| Ok((row.text_or_null("to_address")?, sent(row)?)))
}

/// The notifications about an account, to each endpoint, the newest first.
pub fn notifications_of(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<SentRecord>> {
    const LIST: &str = "SELECT m.kind, m.created_at, d.delivered_at AS sent_at, d.parked_at AS failed_at, d.last_error
        FROM messages m JOIN deliveries d ON d.account = m.account AND d.message = m.number
        WHERE m.account = $1 ORDER BY m.number DESC, d.endpoint LIMIT $2";
    tx.all(LIST, &[&account, &limit], sent)
}

fn sent(row: &Row<'_>) -> DbResult<SentRecord> {
    Ok(SentRecord {
        kind: row.text("kind")?,
        created_at: row.time("created_at")?,
        sent_at: row.time_or_null("sent_at")?,
        failed_at: row.time_or_null("failed_at")?,
        last_error: row.text_or_null("last_error")?,
    })
}

fn account(row: &Row<'_>) -> DbResult<i64> {
    row.int("account")
}
