//! Browsers that are signed in, by the hash of their cookie.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;

/// The columns of a session.
macro_rules! columns {
    () => {
        "number, account, method, address, agent, created_at, last_used_at, idle_seconds, expires_at, second_factor_at"
    };
}

/// How a session began: what its owner proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInMethod {
    /// A link of the service API or the command line.
    Link,
    /// A link in a letter.
    Mail,
    Password,
    /// A proxy in front of till, which names its user.
    Proxy,
    /// OpenID Connect.
    Oidc,
    Passkey,
}

impl SignInMethod {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            SignInMethod::Link => "link",
            SignInMethod::Mail => "mail",
            SignInMethod::Password => "password",
            SignInMethod::Proxy => "proxy",
            SignInMethod::Oidc => "oidc",
            SignInMethod::Passkey => "passkey",
        }
    }

    /// Reads the stored word.
    pub fn parse(text: &str) -> Option<SignInMethod> {
        use SignInMethod::*;
        [Link, Mail, Password, Proxy, Oidc, Passkey].into_iter().find(|method| method.as_str() == text)
    }
}

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// By which its owner ends it.
    pub number: i64,
    pub account: i64,
    pub method: SignInMethod,
    /// The client's, when it signed in.
    pub address: Option<String>,
    /// What the browser says that it is.
    pub agent: Option<String>,
    pub created_at: Timestamp,
    /// To the minute.
    pub last_used_at: Timestamp,
    /// After so long without use it ends.
    pub idle_seconds: i64,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
    /// When a second factor was proved in it.
    pub second_factor_at: Option<Timestamp>,
}

/// A session that begins.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Of the cookie.
    pub hash: [u8; 32],
    pub account: i64,
    pub method: SignInMethod,
    pub address: Option<String>,
    pub agent: Option<String>,
    pub created_at: Timestamp,
    pub idle_seconds: i64,
    pub expires_at: Timestamp,
    pub second_factor_at: Option<Timestamp>,
}

/// Stores a session.
pub fn add(tx: &mut dyn Tx, session: &NewSession) -> Result<()> {
    const ADD: &str =
        "INSERT INTO sessions (number, hash, account, method, address, agent, created_at, last_used_at, expires_at,
        idle_seconds, second_factor_at) VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM sessions), $1, $2, $3, $4, $5, $6, $6, $7, $8, $9)";
    let NewSession { hash, account, method, address, agent, created_at, idle_seconds, expires_at, second_factor_at } =
        session;
    let method = method.as_str();
    let values: [&dyn super::Param; 9] =
        [hash, account, &method, address, agent, created_at, expires_at, idle_seconds, second_factor_at];
    tx.execute(ADD, &values)?;
    Ok(())
}

/// The session with this cookie, if it is open at `now`.
pub fn find(tx: &mut dyn Tx, hash: &[u8; 32], now: Timestamp) -> Result<Option<Session>> {
    const FIND: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM sessions WHERE hash = $1 AND ended_at IS NULL AND expires_at > $2
        AND last_used_at + idle_seconds * 1000 > $2"
    );
    tx.one(FIND, &[hash, &now], session)
}

/// The account's open sessions, those that were used last first.
pub fn open_of(tx: &mut dyn Tx, account: i64, now: Timestamp) -> Result<Vec<Session>> {
    const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM sessions WHERE account = $1 AND ended_at IS NULL AND expires_at > $2
        AND last_used_at + idle_seconds * 1000 > $2
        ORDER BY last_used_at DESC, number DESC LIMIT 100"
    );
    tx.all(LIST, &[&account, &now], session)
}

/// Remembers that a session is used, at most once a minute.
pub fn used(tx: &mut dyn Tx, number: i64, now: Timestamp) -> Result<()> {
    const USED: &str = "UPDATE sessions SET last_used_at = $2 WHERE number = $1 AND last_used_at < $3";
    tx.execute(USED, &[&number, &now, &now.plus_seconds(-59)])?;
    Ok(())
}

/// Remembers that a second factor was proved in it.
pub fn prove_second_factor(tx: &mut dyn Tx, number: i64, now: Timestamp) -> Result<()> {
    const PROVE: &str = "UPDATE sessions SET second_factor_at = $2 WHERE number = $1 AND ended_at IS NULL";
    tx.execute(PROVE, &[&number, &now])?;
    Ok(())
}

/// Ends the session with this cookie.
pub fn end(tx: &mut dyn Tx, hash: &[u8; 32], now: Timestamp) -> Result<()> {
    const END: &str = "UPDATE sessions SET ended_at = $2 WHERE hash = $1 AND ended_at IS NULL";
    tx.execute(END, &[hash, &now])?;
    Ok(())
}

/// Ends one of the account's sessions; `false` when it has no open one with this number.
pub fn end_one(tx: &mut dyn Tx, account: i64, number: i64, now: Timestamp) -> Result<bool> {
    const END: &str = "UPDATE sessions SET ended_at = $3 WHERE account = $1 AND number = $2 AND ended_at IS NULL";
    Ok(tx.execute(END, &[&account, &number, &now])? == 1)
}

/// Ends all of the account's sessions but the one with the number `but`; returns how many.
pub fn end_all(tx: &mut dyn Tx, account: i64, but: Option<i64>, now: Timestamp) -> Result<usize> {
    const END: &str = "UPDATE sessions SET ended_at = $3 WHERE account = $1 AND ended_at IS NULL
        AND (CAST($2 AS BIGINT) IS NULL OR number <> $2)";
    Ok(tx.execute(END, &[&account, &but, &now])?)
}

/// Removes all of the account's sessions, for an account that is erased.
pub fn remove_of(tx: &mut dyn Tx, account: i64) -> Result<()> {
    const REMOVE: &str = "DELETE FROM sessions WHERE account = $1";
    tx.execute(REMOVE, &[&account])?;
    Ok(())
}

/// Removes sessions that ended before `before`; returns how many.
pub fn remove_ended(tx: &mut dyn Tx, before: Timestamp) -> Result<usize> {
    const REMOVE: &str = "DELETE FROM sessions WHERE expires_at < $1";
    Ok(tx.execute(REMOVE, &[&before])?)
}

fn session(row: &Row<'_>) -> DbResult<Session> {
    Ok(Session {
        number: row.int("number")?,
        account: row.int("account")?,
        method: row.word("method", SignInMethod::parse)?,
        address: row.text_or_null("address")?,
        agent: row.text_or_null("agent")?,
        created_at: row.time("created_at")?,
        last_used_at: row.time("last_used_at")?,
        idle_seconds: row.int("idle_seconds")?,
        expires_at: row.time("expires_at")?,
        second_factor_at: row.time_or_null("second_factor_at")?,
    })
}
