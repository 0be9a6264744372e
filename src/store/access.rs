//! Who may come in: service tokens, sign-in links, browser sessions. Of each secret only the hash is here.

use super::{Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// A service token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// `tok_…`
    pub id: String,
    /// For people to read.
    pub name: String,
    /// Words of `read`, `spend`, `admin`, separated by commas.
    pub scopes: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Since when it opens nothing.
    pub revoked_at: Option<Timestamp>,
}

/// Stores a new token.
pub fn add_token(tx: &mut dyn Tx, token: &Token, hash: &[u8; 32]) -> Result<()> {
    const ADD: &str = "INSERT INTO tokens (id, name, hash, scopes, created_at) VALUES ($1, $2, $3, $4, $5)";
    let (id, name, scopes) = ((&token.id).into(), (&token.name).into(), (&token.scopes).into());
    tx.execute(ADD, &[id, name, hash.into(), scopes, token.created_at.into()])?;
    Ok(())
}

/// The token with this hash, revoked or not.
pub fn token_by_hash(tx: &mut dyn Tx, hash: &[u8; 32]) -> Result<Option<Token>> {
    const FIND: &str = "SELECT id, name, scopes, created_at, last_used_at, revoked_at FROM tokens WHERE hash = $1";
    Ok(tx.query_one(FIND, &[hash.into()])?.as_ref().map(token).transpose()?)
}

/// Tokens, newest first.
pub fn tokens(tx: &mut dyn Tx) -> Result<Vec<Token>> {
    const LIST: &str = "SELECT id, name, scopes, created_at, last_used_at, revoked_at FROM tokens
        ORDER BY created_at DESC, id LIMIT 1000";
    Ok(tx.query(LIST, &[])?.iter().map(token).collect::<std::result::Result<_, Fault>>()?)
}

/// Remembers that a token was used, at most once a minute.
pub fn token_used(tx: &mut dyn Tx, id: &str, now: Timestamp) -> Result<()> {
    const USED: &str = "UPDATE tokens SET last_used_at = $2 WHERE id = $1
        AND (last_used_at IS NULL OR last_used_at < $3)";
    tx.execute(USED, &[id.into(), now.into(), now.plus_seconds(-59).into()])?;
    Ok(())
}

/// Revokes a token; `false` when there is none with this id. One that is revoked stays so.
pub fn revoke_token(tx: &mut dyn Tx, id: &str, now: Timestamp) -> Result<bool> {
    const REVOKE: &str = "UPDATE tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1";
    Ok(tx.execute(REVOKE, &[id.into(), now.into()])? == 1)
}

/// Stores a sign-in link.
pub fn add_login_link(
    tx: &mut dyn Tx,
    hash: &[u8; 32],
    account: i64,
    return_to: Option<&str>,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    const ADD: &str = "INSERT INTO login_links (hash, account, return_to, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5)";
    tx.execute(ADD, &[hash.into(), account.into(), return_to.into(), now.into(), expires_at.into()])?;
    Ok(())
}

/// Uses a sign-in link up: whom it signs in and where they go. `None` when it is unknown, used or too old.
pub fn use_login_link(tx: &mut dyn Tx, hash: &[u8; 32], now: Timestamp) -> Result<Option<(i64, Option<String>)>> {
    const USE: &str = "UPDATE login_links SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2
        RETURNING account, return_to";
    let row = tx.query_one(USE, &[hash.into(), now.into()])?;
    Ok(row.map(|row| Ok::<_, Fault>((row.int(0)?, row.text_or_null(1)?))).transpose()?)
}

/// Stores a browser's session.
pub fn add_session(
    tx: &mut dyn Tx,
    hash: &[u8; 32],
    account: i64,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    const ADD: &str = "INSERT INTO sessions (hash, account, created_at, expires_at) VALUES ($1, $2, $3, $4)";
    tx.execute(ADD, &[hash.into(), account.into(), now.into(), expires_at.into()])?;
    Ok(())
}

/// The account that a browser's session is signed in to at `now`.
pub fn session_account(tx: &mut dyn Tx, hash: &[u8; 32], now: Timestamp) -> Result<Option<i64>> {
    const FIND: &str = "SELECT account FROM sessions WHERE hash = $1 AND ended_at IS NULL AND expires_at > $2";
    Ok(tx.query_one(FIND, &[hash.into(), now.into()])?.map(|row| row.int(0)).transpose()?)
}

/// Signs a browser out.
pub fn end_session(tx: &mut dyn Tx, hash: &[u8; 32], now: Timestamp) -> Result<()> {
    const END: &str = "UPDATE sessions SET ended_at = $2 WHERE hash = $1 AND ended_at IS NULL";
    tx.execute(END, &[hash.into(), now.into()])?;
    Ok(())
}

/// Removes links and sessions that ended before `before`; answers how many.
pub fn remove_ended(tx: &mut dyn Tx, before: Timestamp) -> Result<usize> {
    const LINKS: &str = "DELETE FROM login_links WHERE expires_at < $1";
    const SESSIONS: &str = "DELETE FROM sessions WHERE expires_at < $1";
    Ok(tx.execute(LINKS, &[before.into()])? + tx.execute(SESSIONS, &[before.into()])?)
}

fn token(row: &Row) -> std::result::Result<Token, Fault> {
    Ok(Token {
        id: row.text(0)?,
        name: row.text(1)?,
        scopes: row.text(2)?,
        created_at: row.time(3)?,
        last_used_at: row.time_or_null(4)?,
        revoked_at: row.time_or_null(5)?,
    })
}
