//! Users and their accounts: who buys, and the row that their balance lives in.

use super::subscriptions::{self, Subscription};
use super::{Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Refused, Result};
use crate::id::UserId;

/// A person who buys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The account's number: what every other row refers to.
    pub account: i64,
    /// The caller's own id.
    pub id: String,
    /// For people to read; never used to tie a payment to a user.
    pub email: Option<String>,
    /// For people to read.
    pub name: Option<String>,
    /// When the user became known here.
    pub created_at: Timestamp,
}

/// A user's balance, as one indexed read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// All units ever credited.
    pub total: i64,
    /// The sum of all deltas.
    pub remaining: i64,
    /// Units set aside by open holds.
    pub held: i64,
    /// When the next thing ends by itself: a lot of which something is not held, or a hold.
    pub next_due: Option<Timestamp>,
}

impl Balance {
    /// Units that can be spent: `remaining - held` (contract, section 5, rule 1).
    pub fn available(&self) -> i64 {
        self.remaining - self.held
    }
}

/// Makes the user, or changes what is given of `email` and `name`. Answers the user and whether it is new.
pub fn put(
    tx: &mut dyn Tx,
    id: &UserId,
    email: Option<&str>,
    name: Option<&str>,
    now: Timestamp,
) -> Result<(User, bool)> {
    const CHANGE: &str = "UPDATE users SET email = COALESCE($2, email), name = COALESCE($3, name) WHERE id = $1
        RETURNING account, id, email, name, created_at";
    const NEXT: &str = "SELECT COALESCE(MAX(account), 0) + 1 FROM users";
    const ADD: &str = "INSERT INTO users (account, id, email, name, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (id) DO NOTHING RETURNING account, id, email, name, created_at";
    const OPEN: &str =
        "INSERT INTO books (account, claim, line, owner, remaining, held, credited, entries, head, holds)
        VALUES ($1, '=', 0, $1, 0, 0, 0, 0, $2, 0)";
    if let Some(row) = tx.query_one(CHANGE, &[id.as_str().into(), email.into(), name.into()])? {
        return Ok((user(&row)?, false));
    }
    let account = tx.query_one(NEXT, &[])?.map_or(Ok(1), |row| row.int(0))?;
    let added = tx.query_one(ADD, &[account.into(), id.as_str().into(), email.into(), name.into(), now.into()])?;
    let added = added.ok_or_else(|| Fault::bare("a user appeared while it was being made").retryable())?;
    tx.execute(OPEN, &[account.into(), (&[0u8; 32]).into()])?;
    Ok((user(&added)?, true))
}

/// The user with this id, or `unknown_user`.
pub fn by_id(tx: &mut dyn Tx, id: &str) -> Result<User> {
    find(tx, id)?.ok_or_else(|| unknown(id).into())
}

/// What is said of an id that no user has.
pub fn unknown(id: &str) -> Refused {
    let shown: String = id.chars().take(140).collect();
    Refused::UnknownUser(format!("There is no user {shown:?}. Make it first: PUT /v1/users/{{id}}, or till user add."))
}

/// The user with this id, what they have, and their subscriptions that have not ended, newest first: all of it in one
/// indexed read.
pub fn with_all(tx: &mut dyn Tx, id: &str) -> Result<(User, Balance, Vec<Subscription>)> {
    const FIND: &str =
        "SELECT u.account, u.id, u.email, u.name, u.created_at, a.credited, a.remaining, a.held, a.next_due,
        s.id, s.account, s.status, s.offer, s.period_end, s.ends_at, s.ended_at, s.as_of, s.created_at
        FROM users u JOIN accounts a ON a.account = u.account
        LEFT JOIN subscriptions s ON s.account = u.account AND s.ended_at IS NULL
        WHERE u.id = $1 LIMIT 20";
    let rows = tx.query(FIND, &[id.into()])?;
    let first = rows.first().ok_or_else(|| unknown(id))?;
    let live = rows.iter().filter(|row| !matches!(row.int_or_null(10), Ok(None)));
    let mut live = live.map(|row| subscriptions::read(row, 9)).collect::<std::result::Result<Vec<_>, Fault>>()?;
    // Sorted here: to SQLite it would be worth a table of its own, for the one row that there nearly always is.
    live.sort_by(|one, other| other.created_at.cmp(&one.created_at).then_with(|| one.id.cmp(&other.id)));
    Ok((user(first)?, balance(first, 5)?, live))
}

/// The user with this id, if there is one.
pub fn find(tx: &mut dyn Tx, id: &str) -> Result<Option<User>> {
    const FIND: &str = "SELECT account, id, email, name, created_at FROM users WHERE id = $1";
    Ok(tx.query_one(FIND, &[id.into()])?.as_ref().map(user).transpose()?)
}

/// The user of an account.
pub fn by_account(tx: &mut dyn Tx, account: i64) -> Result<User> {
    const FIND: &str = "SELECT account, id, email, name, created_at FROM users WHERE account = $1";
    let row = tx.query_one(FIND, &[account.into()])?;
    Ok(user(&row.ok_or_else(|| Fault::bare(format!("account {account} has no user")))?)?)
}

/// Users in the order in which they became known, after the one with id `after`; with `email`, only those who have it
/// (upper and lower case alike).
pub fn list(tx: &mut dyn Tx, email: Option<&str>, after: i64, limit: i64) -> Result<Vec<(User, Balance)>> {
    const ALL: &str =
        "SELECT u.account, u.id, u.email, u.name, u.created_at, a.credited, a.remaining, a.held, a.next_due
        FROM users u JOIN accounts a ON a.account = u.account WHERE u.account > $1 ORDER BY u.account LIMIT $2";
    const BY_EMAIL: &str =
        "SELECT u.account, u.id, u.email, u.name, u.created_at, a.credited, a.remaining, a.held, a.next_due
        FROM users u JOIN accounts a ON a.account = u.account
        WHERE u.email IS NOT NULL AND lower(u.email) = lower($3) AND u.account > $1 ORDER BY u.account LIMIT $2";
    let rows = match email {
        None => tx.query(ALL, &[after.into(), limit.into()])?,
        Some(email) => tx.query(BY_EMAIL, &[after.into(), limit.into(), email.into()])?,
    };
    Ok(rows.iter().map(|row| Ok((user(row)?, balance(row, 5)?))).collect::<std::result::Result<_, Fault>>()?)
}

/// A user's balance.
pub fn balance_of(tx: &mut dyn Tx, account: i64) -> Result<Balance> {
    const BALANCE: &str = "SELECT credited, remaining, held, next_due FROM accounts WHERE account = $1";
    let row = tx.query_one(BALANCE, &[account.into()])?;
    Ok(balance(&row.ok_or_else(|| Fault::bare(format!("account {account} is missing")))?, 0)?)
}

/// Units below which the user's balance is low, where they have a threshold of their own.
pub fn low_balance_of(tx: &mut dyn Tx, account: i64) -> Result<Option<i64>> {
    const THRESHOLD: &str = "SELECT low_balance FROM accounts WHERE account = $1";
    let row = tx.query_one(THRESHOLD, &[account.into()])?;
    Ok(row.ok_or_else(|| Fault::bare(format!("account {account} is missing")))?.int_or_null(0)?)
}

/// Gives the user a threshold of their own, or the installation's again.
pub fn set_low_balance(tx: &mut dyn Tx, account: i64, units: Option<i64>) -> Result<()> {
    const SET: &str = "UPDATE books SET low_balance = $2 WHERE account = $1 AND claim = '=' AND line = 0";
    tx.mark_changed(account);
    tx.execute(SET, &[account.into(), units.into()])?;
    Ok(())
}

fn user(row: &Row) -> std::result::Result<User, Fault> {
    Ok(User {
        account: row.int(0)?,
        id: row.text(1)?,
        email: row.text_or_null(2)?,
        name: row.text_or_null(3)?,
        created_at: row.time(4)?,
    })
}

fn balance(row: &Row, from: usize) -> std::result::Result<Balance, Fault> {
    Ok(Balance {
        total: row.int(from)?,
        remaining: row.int(from + 1)?,
        held: row.int(from + 2)?,
        next_due: row.time_or_null(from + 3)?,
    })
}
