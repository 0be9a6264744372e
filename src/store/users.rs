//! Users and their accounts: who buys, and the row that their balance lives in.

use super::db::{DbResult, Figure, FigureChange, Row, Tx};
use super::no_account;
use super::subscriptions::{self, Subscription};
use crate::clock::Timestamp;
use crate::error::{Fault, Refused, Result};
use crate::id::UserId;
use crate::language::Language;

/// The columns of a user and of their balance, of `users u` and the view `accounts a`.
macro_rules! member_columns {
    () => {
        "u.account, u.id, u.email, u.name, u.locale, u.created_at, a.credited, a.remaining, a.held, a.next_due"
    };
}

/// A person who buys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The account's number: what every other row refers to.
    pub account: i64,
    /// The caller's own id.
    pub id: String,
    /// For people to read; never used to tie a payment to a user.
    pub email: Option<String>,
    pub name: Option<String>,
    /// The language that the user chose; `None` as long as the browser decides.
    pub locale: Option<Language>,
    /// When the user became known here.
    pub created_at: Timestamp,
}

/// A user's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// All units ever credited.
    pub total: i64,
    /// The sum of all deltas.
    pub remaining: i64,
    /// Units set aside by open holds.
    pub held: i64,
    /// When the next lot or hold ends by itself; a lot counts if something in it is not held.
    pub next_due: Option<Timestamp>,
}

impl Balance {
    /// Units that can be spent: `remaining - held` (`docs/rules.md`, rule 1).
    pub fn available(&self) -> i64 {
        self.remaining - self.held
    }
}

/// Makes the user, or changes what is given of `email` and `name`. Returns the user and whether it is new.
pub fn put(
    tx: &mut dyn Tx,
    id: &UserId,
    email: Option<&str>,
    name: Option<&str>,
    now: Timestamp,
) -> Result<(User, bool)> {
    const CHANGE: &str = "UPDATE users SET email = COALESCE($2, email), name = COALESCE($3, name) WHERE id = $1
        RETURNING account, id, email, name, locale, created_at";
    const NEXT: &str = "SELECT COALESCE(MAX(account), 0) + 1 AS next FROM users";
    const ADD: &str = "INSERT INTO users (account, id, email, name, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (id) DO NOTHING RETURNING account, id, email, name, locale, created_at";
    const OPEN: &str = "INSERT INTO books (account, part, owner, remaining, held, credited, entries, head, holds)
        VALUES ($1, 1, $1, 0, 0, 0, 0, $2, 0)";
    if let Some(changed) = tx.one(CHANGE, &[&id.as_str(), &email, &name], user)? {
        return Ok((changed, false));
    }
    let account = tx.one(NEXT, &[], |row| row.int("next"))?.unwrap_or(1);
    let added = tx.one(ADD, &[&account, &id.as_str(), &email, &name, &now], user)?;
    let added = added.ok_or_else(|| Fault::bare("a user appeared while it was being made").retryable())?;
    tx.execute(OPEN, &[&account, &[0u8; 32]])?;
    tx.add_to_figure(FigureChange::at(now, "", Figure::Users, 1));
    Ok((added, true))
}

/// Takes the e-mail address away from a user.
pub fn clear_email(tx: &mut dyn Tx, account: i64) -> Result<()> {
    const CLEAR: &str = "UPDATE users SET email = NULL WHERE account = $1";
    tx.execute(CLEAR, &[&account])?;
    Ok(())
}

/// Takes the name away from a user.
pub fn clear_name(tx: &mut dyn Tx, account: i64) -> Result<()> {
    const CLEAR: &str = "UPDATE users SET name = NULL WHERE account = $1";
    tx.execute(CLEAR, &[&account])?;
    Ok(())
}

/// Records that the user's opening balance has what was paid until `at`.
pub fn set_imported(tx: &mut dyn Tx, account: i64, at: Timestamp) -> Result<()> {
    const SET: &str = "UPDATE users SET imported_at = $2 WHERE account = $1";
    tx.execute(SET, &[&account, &at])?;
    Ok(())
}

/// Until when what was paid is in the user's opening balance; `None` for a user who was not imported.
pub fn imported_at(tx: &mut dyn Tx, account: i64) -> Result<Option<Timestamp>> {
    const FIND: &str = "SELECT imported_at FROM users WHERE account = $1";
    Ok(tx.one(FIND, &[&account], |row| row.time_or_null("imported_at"))?.flatten())
}

/// Keeps the language that the user chose.
pub fn set_locale(tx: &mut dyn Tx, account: i64, locale: Language) -> Result<()> {
    const SET: &str = "UPDATE users SET locale = $2 WHERE account = $1";
    tx.execute(SET, &[&account, &locale.tag()])?;
    Ok(())
}

/// The user with this id, or `unknown_user`.
pub fn by_id(tx: &mut dyn Tx, id: &str) -> Result<User> {
    find(tx, id)?.ok_or_else(|| unknown(id).into())
}

/// The refusal of an id that no user has.
pub fn unknown(id: &str) -> Refused {
    let shown: String = id.chars().take(140).collect();
    Refused::UnknownUser(format!("There is no user {shown:?}. Make it first: PUT /v1/users/{{id}}, or till user add."))
}

/// A user with their balance and their subscriptions that have not ended, by a condition.
macro_rules! with_all_where {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            member_columns!(),
            ", s.id AS subscription, s.customer, s.status, s.offer, s.period_end, s.ends_at, s.ended_at, s.as_of, s.created_at AS subscribed_at, s.amount, s.currency,
            s.paused, s.resumes_at
            FROM users u JOIN accounts a ON a.account = u.account
            LEFT JOIN subscriptions s ON s.account = u.account AND s.ended_at IS NULL
            WHERE ",
            $condition,
            " LIMIT 20"
        )
    };
}

/// A user, their balance, and their subscriptions that have not ended, newest first.
pub type UserWithAll = (User, Balance, Vec<Subscription>);

/// The user with this id and what they have, all in one indexed read.
pub fn with_all(tx: &mut dyn Tx, id: &str) -> Result<UserWithAll> {
    const FIND: &str = with_all_where!("u.id = $1");
    let rows = tx.all(FIND, &[&id], member_with_subscription)?;
    in_order(rows).ok_or_else(|| unknown(id).into())
}

/// The same of the user of an account.
pub fn with_all_by_account(tx: &mut dyn Tx, account: i64) -> Result<UserWithAll> {
    const FIND: &str = with_all_where!("u.account = $1");
    let rows = tx.all(FIND, &[&account], member_with_subscription)?;
    in_order(rows).ok_or_else(|| Fault::bare(format!("account {account} has no user")).into())
}

fn member_with_subscription(row: &Row<'_>) -> DbResult<(User, Balance, Option<Subscription>)> {
    let (user, balance) = (user(row)?, balance(row)?);
    let subscription = subscription_if_any(row, user.account)?;
    Ok((user, balance, subscription))
}

/// One user's rows. They are sorted here: SQLite would build a table of its own for it, and there is nearly always at most
/// one.
fn in_order(rows: Vec<(User, Balance, Option<Subscription>)>) -> Option<UserWithAll> {
    let mut rows = rows.into_iter();
    let (user, balance, first) = rows.next()?;
    let mut live: Vec<_> = first.into_iter().chain(rows.filter_map(|(_, _, subscription)| subscription)).collect();
    live.sort_by(|one, other| other.created_at.cmp(&one.created_at).then_with(|| one.id.cmp(&other.id)));
    Some((user, balance, live))
}

/// The user with this id, if there is one.
pub fn find(tx: &mut dyn Tx, id: &str) -> Result<Option<User>> {
    const FIND: &str = "SELECT account, id, email, name, locale, created_at FROM users WHERE id = $1";
    tx.one(FIND, &[&id], user)
}

/// The user of an account, if there is such an account.
pub fn of_account(tx: &mut dyn Tx, account: i64) -> Result<Option<User>> {
    const FIND: &str = "SELECT account, id, email, name, locale, created_at FROM users WHERE account = $1";
    tx.one(FIND, &[&account], user)
}

/// The user of an account.
pub fn by_account(tx: &mut dyn Tx, account: i64) -> Result<User> {
    let user = of_account(tx, account)?;
    user.ok_or_else(|| Fault::bare(format!("account {account} has no user")).into())
}

/// Users in the order in which they became known, after the one with account `after`; with `email`, only those who have
/// it (upper and lower case alike).
pub fn list(tx: &mut dyn Tx, email: Option<&str>, after: i64, limit: i64) -> Result<Vec<(User, Balance)>> {
    const ALL: &str = concat!(
        "SELECT ",
        member_columns!(),
        " FROM users u JOIN accounts a ON a.account = u.account
        WHERE u.account > $1 ORDER BY u.account LIMIT $2"
    );
    const BY_EMAIL: &str = concat!(
        "SELECT ",
        member_columns!(),
        " FROM users u JOIN accounts a ON a.account = u.account
        WHERE u.email IS NOT NULL AND lower(u.email) = $3 AND u.account > $1 ORDER BY u.account LIMIT $2"
    );
    let member = |row: &Row<'_>| Ok((user(row)?, balance(row)?));
    match email {
        None => tx.all(ALL, &[&after, &limit], member),
        Some(email) => tx.all(BY_EMAIL, &[&after, &limit, &email.to_ascii_lowercase()], member),
    }
}

/// A user's balance.
pub fn balance_of(tx: &mut dyn Tx, account: i64) -> Result<Balance> {
    const BALANCE: &str = "SELECT credited, remaining, held, next_due FROM accounts WHERE account = $1";
    tx.one(BALANCE, &[&account], balance)?.ok_or_else(|| no_account(account))
}

/// The user's own threshold of a low balance, if they have one.
pub fn low_balance_of(tx: &mut dyn Tx, account: i64) -> Result<Option<i64>> {
    const THRESHOLD: &str = "SELECT low_balance FROM accounts WHERE account = $1";
    tx.one(THRESHOLD, &[&account], |row| row.int_or_null("low_balance"))?.ok_or_else(|| no_account(account))
}

/// Gives the user a threshold of their own; `None`: the installation's applies again.
pub fn set_low_balance(tx: &mut dyn Tx, account: i64, units: Option<i64>) -> Result<()> {
    const SET: &str =
        "UPDATE books SET low_balance = $2 WHERE account = $1 AND part = 1 AND seq = 0 AND used_reason = ''";
    tx.mark_changed(account);
    tx.execute(SET, &[&account, &units])?;
    Ok(())
}

/// When the first account was made; `None` if there is none.
pub fn first_created(tx: &mut dyn Tx) -> Result<Option<Timestamp>> {
    const FIRST: &str = "SELECT created_at FROM users ORDER BY account LIMIT 1";
    tx.one(FIRST, &[], |row| row.time("created_at"))
}

fn user(row: &Row<'_>) -> DbResult<User> {
    Ok(User {
        account: row.int("account")?,
        id: row.text("id")?,
        email: row.text_or_null("email")?,
        name: row.text_or_null("name")?,
        locale: row.text_or_null("locale")?.and_then(|tag| Language::of_tag(&tag)),
        created_at: row.time("created_at")?,
    })
}

fn balance(row: &Row<'_>) -> DbResult<Balance> {
    Ok(Balance {
        total: row.int("credited")?,
        remaining: row.int("remaining")?,
        held: row.int("held")?,
        next_due: row.time_or_null("next_due")?,
    })
}

/// The subscription that a row has beside the user, if it has one.
fn subscription_if_any(row: &Row<'_>, account: i64) -> DbResult<Option<Subscription>> {
    match row.text_or_null("subscription")? {
        None => Ok(None),
        Some(id) => subscriptions::described(row, id, account, "subscribed_at").map(Some),
    }
}
