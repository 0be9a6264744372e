//! Who may come in: service tokens and sign-in links. Of each secret only the hash is here.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;

/// The columns of a token, and where they come from.
macro_rules! token_columns {
    () => {
        "t.id, t.name, t.scopes, t.created_at, t.last_used_at, t.revoked_at, t.account, u.id AS user_id
        FROM tokens t LEFT JOIN users u ON u.account = t.account"
    };
}

/// A service token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// `tok_…`
    pub id: String,
    /// For people to read.
    pub name: String,
    /// Words of `read`, `spend`, `sell`, `admin`, separated by commas; or `self` alone.
    pub scopes: String,
    /// Whose token it is: the account and the user's id. Only with the scope `self`.
    pub owner: Option<(i64, String)>,
    pub created_at: Timestamp,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    /// Since when it is refused.
    pub revoked_at: Option<Timestamp>,
}

/// Stores a new token.
pub fn add_token(tx: &mut dyn Tx, token: &Token, hash: &[u8; 32]) -> Result<()> {
    const ADD: &str =
        "INSERT INTO tokens (id, name, hash, scopes, account, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    let account = token.owner.as_ref().map(|(account, _)| *account);
    tx.execute(ADD, &[&token.id, &token.name, hash, &token.scopes, &account, &token.created_at])?;
    Ok(())
}

/// The token with this hash, revoked or not.
pub fn token_by_hash(tx: &mut dyn Tx, hash: &[u8; 32]) -> Result<Option<Token>> {
    const FIND: &str = concat!("SELECT ", token_columns!(), " WHERE t.hash = $1");
    tx.one(FIND, &[hash], token)
}

/// Tokens, newest first.
pub fn tokens(tx: &mut dyn Tx) -> Result<Vec<Token>> {
    const LIST: &str = concat!("SELECT ", token_columns!(), " ORDER BY t.created_at DESC, t.id LIMIT 1000");
    tx.all(LIST, &[], token)
}

/// Tokens that were made before the one with this id, the newest first.
pub fn tokens_before(tx: &mut dyn Tx, id: &str, limit: i64) -> Result<Vec<Token>> {
    const PAGE: &str = concat!("SELECT ", token_columns!(), " WHERE t.id < $1 ORDER BY t.id DESC LIMIT $2");
    tx.all(PAGE, &[&id, &limit], token)
}

/// The token with this id.
pub fn token_by_id(tx: &mut dyn Tx, id: &str) -> Result<Option<Token>> {
    const FIND: &str = concat!("SELECT ", token_columns!(), " WHERE t.id = $1");
    tx.one(FIND, &[&id], token)
}

/// Remembers that a token was used, at most once a minute.
pub fn token_used(tx: &mut dyn Tx, id: &str, now: Timestamp) -> Result<()> {
    const USED: &str = "UPDATE tokens SET last_used_at = $2 WHERE id = $1
        AND (last_used_at IS NULL OR last_used_at < $3)";
    tx.execute(USED, &[&id, &now, &now.plus_seconds(-59)])?;
    Ok(())
}

/// Revokes a token for good; `false` when there is none with this id.
pub fn revoke_token(tx: &mut dyn Tx, id: &str, now: Timestamp) -> Result<bool> {
    const REVOKE: &str = "UPDATE tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1";
    Ok(tx.execute(REVOKE, &[&id, &now])? == 1)
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
    tx.execute(ADD, &[hash, &account, &return_to, &now, &expires_at])?;
    Ok(())
}

/// The account that a sign-in link would sign in at `now`. Looking at a link does not use it up.
pub fn login_link_account(tx: &mut dyn Tx, hash: &[u8; 32], now: Timestamp) -> Result<Option<i64>> {
    const FIND: &str = "SELECT account FROM login_links WHERE hash = $1 AND used_at IS NULL AND expires_at > $2";
    tx.one(FIND, &[hash, &now], |row| row.int("account"))
}

/// Uses a sign-in link up: the account that it signs in, and the page to go to. `None` when it is unknown, used or too
/// old.
pub fn use_login_link(tx: &mut dyn Tx, hash: &[u8; 32], now: Timestamp) -> Result<Option<(i64, Option<String>)>> {
    const USE: &str = "UPDATE login_links SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2
        RETURNING account, return_to";
    tx.one(USE, &[hash, &now], |row| Ok((row.int("account")?, row.text_or_null("return_to")?)))
}

/// Removes links that ended before `before`; returns how many.
pub fn remove_ended_links(tx: &mut dyn Tx, before: Timestamp) -> Result<usize> {
    const REMOVE: &str = "DELETE FROM login_links WHERE expires_at < $1";
    Ok(tx.execute(REMOVE, &[&before])?)
}

/// Removes an account's links, used or not.
pub fn remove_links_of(tx: &mut dyn Tx, account: i64) -> Result<usize> {
    const REMOVE: &str = "DELETE FROM login_links WHERE account = $1";
    Ok(tx.execute(REMOVE, &[&account])?)
}

/// The tokens of one account's own, newest first.
pub fn tokens_of(tx: &mut dyn Tx, account: i64) -> Result<Vec<Token>> {
    const LIST: &str =
        concat!("SELECT ", token_columns!(), " WHERE t.account = $1 ORDER BY t.created_at DESC, t.id LIMIT 100");
    tx.all(LIST, &[&account], token)
}

fn token(row: &Row<'_>) -> DbResult<Token> {
    Ok(Token {
        id: row.text("id")?,
        name: row.text("name")?,
        scopes: row.text("scopes")?,
        owner: row.int_or_null("account")?.zip(row.text_or_null("user_id")?),
        created_at: row.time("created_at")?,
        last_used_at: row.time_or_null("last_used_at")?,
        revoked_at: row.time_or_null("revoked_at")?,
    })
}
