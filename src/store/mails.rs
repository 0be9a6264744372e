//! Letters to people: the outbox that they wait in, what somebody does not want, and the key of the links with which it is
//! refused. A letter is written in the transaction that it reports, once for its reason. What it says is removed as soon as
//! it was sent or given up, because a link in it may let somebody in.

use super::db::Tx;
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::id;

/// A letter to be written.
#[derive(Clone, Copy)]
pub struct NewMail<'a> {
    /// It is written once for it.
    pub reason: &'a str,
    /// Whom it is for; absent for somebody who has no account yet.
    pub account: Option<i64>,
    pub to_address: &'a str,
    /// The word of its kind.
    pub kind: &'a str,
    pub locale: &'a str,
    /// JSON.
    pub fields: &'a str,
    pub now: Timestamp,
    /// A failure from then on is the last.
    pub give_up_at: Timestamp,
}

/// A letter that is due. It has no `Debug`, because it may hold a link that lets somebody in.
#[derive(Clone)]
pub struct DueMail {
    pub number: i64,
    pub reason: String,
    pub account: Option<i64>,
    pub to_address: String,
    pub kind: String,
    pub locale: String,
    /// JSON.
    pub fields: String,
    pub created_at: Timestamp,
    /// Attempts so far.
    pub attempts: i64,
    /// A failure from then on is the last.
    pub give_up_at: Timestamp,
}

/// What comes of a letter after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailOutcome {
    Sent,
    /// It is tried again then.
    Again(Timestamp),
    /// It is given up.
    Failed,
}

/// Writes a letter. `false` if there was one for its reason before.
pub fn add(tx: &mut dyn Tx, mail: &NewMail<'_>) -> Result<bool> {
    const LAST: &str = "SELECT MAX(number) AS last FROM mails WHERE account = $1";
    const ADD: &str = "INSERT INTO mails (number, reason, account, to_address, kind, locale, fields, created_at,
        next_attempt_at, give_up_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9) ON CONFLICT DO NOTHING";
    const KNOWN: &str = "SELECT number FROM mails WHERE reason = $1";
    let NewMail { reason, account, to_address, kind, locale, fields, now, give_up_at } = mail;
    let last = match account {
        Some(account) => tx.one(LAST, &[account], |row| row.int_or_null("last"))?.flatten(),
        None => None,
    };
    let number = id::ordered_number(*now, last)?;
    let added = tx.execute(ADD, &[&number, reason, account, to_address, kind, locale, fields, now, give_up_at])?;
    if added == 1 {
        return Ok(true);
    }
    match tx.one(KNOWN, &[reason], |row| row.int("number"))? {
        Some(_) => Ok(false),
        None => Err(Fault::bare("somebody else took the number of a letter meanwhile").retryable().into()),
    }
}

/// How many letters of this kind were written to this address since then.
pub fn count_to(tx: &mut dyn Tx, address: &str, kind: &str, since: Timestamp) -> Result<i64> {
    const COUNT: &str = "SELECT COUNT(*) AS mails FROM mails
        WHERE to_address IS NOT NULL AND lower(to_address) = $1 AND kind = $2 AND created_at > $3";
    Ok(tx.one(COUNT, &[&address.to_ascii_lowercase(), &kind, &since], |row| row.int("mails"))?.unwrap_or_default())
}

/// Letters that are due, the longest waiting first.
pub fn due(tx: &mut dyn Tx, now: Timestamp, limit: i64) -> Result<Vec<DueMail>> {
    const DUE: &str =
        "SELECT number, reason, account, to_address, kind, locale, fields, created_at, attempts, give_up_at
        FROM mails WHERE next_attempt_at IS NOT NULL AND next_attempt_at <= $1
        ORDER BY next_attempt_at, number LIMIT $2";
    tx.all(DUE, &[&now, &limit], |row| {
        Ok(DueMail {
            number: row.int("number")?,
            reason: row.text("reason")?,
            account: row.int_or_null("account")?,
            to_address: row.text("to_address")?,
            kind: row.text("kind")?,
            locale: row.text("locale")?,
            fields: row.text("fields")?,
            created_at: row.time("created_at")?,
            attempts: row.int("attempts")?,
            give_up_at: row.time("give_up_at")?,
        })
    })
}

/// Whether any letter is due.
pub fn is_due(tx: &mut dyn Tx, now: Timestamp) -> Result<bool> {
    const ANY: &str = "SELECT number FROM mails WHERE next_attempt_at IS NOT NULL AND next_attempt_at <= $1
        ORDER BY next_attempt_at, number LIMIT 1";
    Ok(tx.one(ANY, &[&now], |row| row.int("number"))?.is_some())
}

/// Records an attempt at a letter that is open. What the letter says goes as soon as it is not.
pub fn record_attempt(
    tx: &mut dyn Tx,
    number: i64,
    at: Timestamp,
    error: Option<&str>,
    outcome: MailOutcome,
) -> Result<()> {
    const RECORD: &str = "UPDATE mails SET attempts = attempts + 1, last_attempt_at = $2, last_error = $3,
        next_attempt_at = $4, sent_at = $5, failed_at = $6, fields = CASE WHEN CAST($4 AS BIGINT) IS NULL THEN NULL ELSE fields END
        WHERE number = $1 AND next_attempt_at IS NOT NULL";
    let (next, sent, failed) = match outcome {
        MailOutcome::Sent => (None, Some(at), None),
        MailOutcome::Again(next) => (Some(next), None, None),
        MailOutcome::Failed => (None, None, Some(at)),
    };
    tx.execute(RECORD, &[&number, &at, &error, &next, &sent, &failed])?;
    Ok(())
}

/// How many letters wait, and how many were given up since then.
pub fn count(tx: &mut dyn Tx, since: Timestamp) -> Result<(i64, i64)> {
    const WAITING: &str = "SELECT COUNT(*) AS mails FROM mails WHERE next_attempt_at IS NOT NULL";
    const FAILED: &str = "SELECT COUNT(*) AS mails FROM mails WHERE failed_at IS NOT NULL AND failed_at > $1";
    let waiting = tx.one(WAITING, &[], |row| row.int("mails"))?.unwrap_or_default();
    Ok((waiting, tx.one(FAILED, &[&since], |row| row.int("mails"))?.unwrap_or_default()))
}

/// Removes up to `limit` letters that were written before then and are not open. Returns how many.
pub fn remove_old(tx: &mut dyn Tx, before: Timestamp, limit: i64) -> Result<usize> {
    const REMOVE: &str = "DELETE FROM mails WHERE number IN (SELECT number FROM mails
        WHERE created_at < $1 AND next_attempt_at IS NULL ORDER BY created_at, number LIMIT $2)";
    Ok(tx.execute(REMOVE, &[&before, &limit])?)
}

/// Makes the letters that went to an address before it had an account that account's.
pub fn claim(tx: &mut dyn Tx, account: i64, address: &str) -> Result<()> {
    const CLAIM: &str = "UPDATE mails SET account = $1
        WHERE account IS NULL AND to_address IS NOT NULL AND lower(to_address) = $2";
    tx.execute(CLAIM, &[&account, &address.to_ascii_lowercase()])?;
    Ok(())
}

/// In lower case, the addresses to which the account's letters went, at most `limit`. One that somebody only asked to make
/// theirs is left out: it may be a stranger's.
pub fn addresses_of(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<String>> {
    const FIND: &str = "SELECT DISTINCT lower(to_address) AS address FROM mails
        WHERE account = $1 AND to_address IS NOT NULL AND kind <> 'address_change' ORDER BY address LIMIT $2";
    tx.all(FIND, &[&account, &limit], |row| row.text("address"))
}

/// Erases an account's addresses from its letters; what is open is not sent.
pub fn erase(tx: &mut dyn Tx, account: i64, now: Timestamp) -> Result<()> {
    const ERASE: &str = "UPDATE mails SET to_address = NULL, fields = NULL, last_error = NULL,
        failed_at = CASE WHEN next_attempt_at IS NULL THEN failed_at ELSE $2 END, next_attempt_at = NULL
        WHERE account = $1";
    tx.execute(ERASE, &[&account, &now])?;
    Ok(())
}

/// The same for letters to an address that belong to no account, such as one to make an account, or an invitation.
pub fn erase_to(tx: &mut dyn Tx, address: &str, now: Timestamp) -> Result<()> {
    const ERASE: &str = "UPDATE mails SET to_address = NULL, fields = NULL, last_error = NULL,
        failed_at = CASE WHEN next_attempt_at IS NULL THEN failed_at ELSE $2 END, next_attempt_at = NULL
        WHERE account IS NULL AND to_address IS NOT NULL AND lower(to_address) = $1";
    tx.execute(ERASE, &[&address.to_ascii_lowercase(), &now])?;
    Ok(())
}

/// The kinds that somebody does not want.
pub fn refused_kinds(tx: &mut dyn Tx, account: i64) -> Result<Vec<String>> {
    const KINDS: &str = "SELECT kind FROM mail_choices WHERE account = $1 ORDER BY kind LIMIT 100";
    tx.all(KINDS, &[&account], |row| row.text("kind"))
}

/// Whether somebody does not want this kind.
pub fn is_refused(tx: &mut dyn Tx, account: i64, kind: &str) -> Result<bool> {
    const REFUSED: &str = "SELECT kind FROM mail_choices WHERE account = $1 AND kind = $2";
    Ok(tx.one(REFUSED, &[&account, &kind], |row| row.text("kind"))?.is_some())
}

/// Remembers that somebody does not want this kind, or wants it again. `false` if nothing changes.
pub fn choose(tx: &mut dyn Tx, account: i64, kind: &str, is_wanted: bool, now: Timestamp) -> Result<bool> {
    const WANT: &str = "DELETE FROM mail_choices WHERE account = $1 AND kind = $2";
    const REFUSE: &str = "INSERT INTO mail_choices (account, kind, off_at) VALUES ($1, $2, $3)
        ON CONFLICT (account, kind) DO NOTHING";
    let changed = match is_wanted {
        true => tx.execute(WANT, &[&account, &kind])?,
        false => tx.execute(REFUSE, &[&account, &kind, &now])?,
    };
    Ok(changed == 1)
}

/// The key that signs the links, if it was made.
pub fn key(tx: &mut dyn Tx) -> Result<Option<[u8; 32]>> {
    const KEY: &str = "SELECT key FROM mail_key WHERE one = 1";
    tx.one(KEY, &[], |row| row.hash("key"))
}

/// Stores this key unless there is one, and returns the one that is stored.
pub fn keep_key(tx: &mut dyn Tx, new: &[u8; 32], now: Timestamp) -> Result<[u8; 32]> {
    const KEEP: &str = "INSERT INTO mail_key (one, key, made_at) VALUES (1, $1, $2) ON CONFLICT (one) DO NOTHING";
    tx.execute(KEEP, &[new, &now])?;
    Ok(key(tx)?.unwrap_or(*new))
}
