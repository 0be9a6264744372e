//! Whose an account is: verified addresses, the identities that another program vouches for, and passwords.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::email::Email;
use crate::error::Result;

/// An address that was proved to be its account's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedAddress {
    pub account: i64,
    /// As it was typed: where letters go.
    pub written: String,
    pub verified_at: Timestamp,
}

/// The account's address in place of the one that it had. `false`, and nothing changes, when it is another account's.
pub fn set_address(tx: &mut dyn Tx, account: i64, email: &Email, now: Timestamp) -> Result<bool> {
    const OWNER: &str = "SELECT account, written, verified_at FROM addresses WHERE canonical = $1";
    const ADD: &str = "INSERT INTO addresses (canonical, account, written, verified_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (canonical) DO UPDATE SET written = excluded.written
        WHERE addresses.account = excluded.account";
    let owner = tx.one(OWNER, &[&email.canonical()], address)?;
    if owner.is_some_and(|owner| owner.account != account) {
        return Ok(false);
    }
    remove_address(tx, account)?;
    Ok(tx.execute(ADD, &[&email.canonical(), &account, &email.as_str(), &now])? == 1)
}

/// Removes the account's address.
pub fn remove_address(tx: &mut dyn Tx, account: i64) -> Result<()> {
    const REMOVE: &str = "DELETE FROM addresses WHERE account = $1";
    tx.execute(REMOVE, &[&account])?;
    Ok(())
}

/// Whose the address is.
pub fn by_address(tx: &mut dyn Tx, canonical: &str) -> Result<Option<VerifiedAddress>> {
    const FIND: &str = "SELECT account, written, verified_at FROM addresses WHERE canonical = $1";
    tx.one(FIND, &[&canonical], address)
}

/// The account's address.
pub fn address_of(tx: &mut dyn Tx, account: i64) -> Result<Option<VerifiedAddress>> {
    const FIND: &str = "SELECT account, written, verified_at FROM addresses WHERE account = $1";
    tx.one(FIND, &[&account], address)
}

/// Whom another program vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// As the issuer spells itself; `proxy` for the proxy.
    pub issuer: String,
    pub subject: String,
    pub created_at: Timestamp,
}

/// Makes the identity the account's; `false` when it is somebody's already.
pub fn add_identity(tx: &mut dyn Tx, issuer: &str, subject: &str, account: i64, now: Timestamp) -> Result<bool> {
    const ADD: &str = "INSERT INTO identities (issuer, subject, account, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (issuer, subject) DO NOTHING";
    Ok(tx.execute(ADD, &[&issuer, &subject, &account, &now])? == 1)
}

/// Whose the identity is.
pub fn by_identity(tx: &mut dyn Tx, issuer: &str, subject: &str) -> Result<Option<i64>> {
    const FIND: &str = "SELECT account FROM identities WHERE issuer = $1 AND subject = $2";
    tx.one(FIND, &[&issuer, &subject], |row| row.int("account"))
}

/// The account's identities.
pub fn identities_of(tx: &mut dyn Tx, account: i64) -> Result<Vec<Identity>> {
    const LIST: &str = "SELECT issuer, subject, created_at FROM identities WHERE account = $1
        ORDER BY issuer, subject LIMIT 100";
    tx.all(LIST, &[&account], |row| {
        Ok(Identity { issuer: row.text("issuer")?, subject: row.text("subject")?, created_at: row.time("created_at")? })
    })
}

/// Removes one of the account's identities.
pub fn remove_identity(tx: &mut dyn Tx, account: i64, issuer: &str, subject: &str) -> Result<()> {
    const REMOVE: &str = "DELETE FROM identities WHERE account = $1 AND issuer = $2 AND subject = $3";
    tx.execute(REMOVE, &[&account, &issuer, &subject])?;
    Ok(())
}

/// Removes the account's identities.
pub fn remove_identities(tx: &mut dyn Tx, account: i64) -> Result<()> {
    const REMOVE: &str = "DELETE FROM identities WHERE account = $1";
    tx.execute(REMOVE, &[&account])?;
    Ok(())
}

/// An account's password, hashed.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword {
    /// In the PHC string format.
    pub hash: String,
    pub set_at: Timestamp,
}

/// Sets the account's password.
pub fn set_password(tx: &mut dyn Tx, account: i64, hash: &str, now: Timestamp) -> Result<()> {
    const SET: &str = "INSERT INTO passwords (account, hash, set_at) VALUES ($1, $2, $3)
        ON CONFLICT (account) DO UPDATE SET hash = excluded.hash, set_at = excluded.set_at";
    tx.execute(SET, &[&account, &hash, &now])?;
    Ok(())
}

/// The same password under another hash; nothing happens if the password was changed meanwhile.
pub fn rehash_password(tx: &mut dyn Tx, account: i64, former: &str, hash: &str) -> Result<()> {
    const SET: &str = "UPDATE passwords SET hash = $3 WHERE account = $1 AND hash = $2";
    tx.execute(SET, &[&account, &former, &hash])?;
    Ok(())
}

/// The account's password.
pub fn password_of(tx: &mut dyn Tx, account: i64) -> Result<Option<StoredPassword>> {
    const FIND: &str = "SELECT hash, set_at FROM passwords WHERE account = $1";
    tx.one(FIND, &[&account], |row| Ok(StoredPassword { hash: row.text("hash")?, set_at: row.time("set_at")? }))
}

/// Whether anybody has a password.
pub fn has_passwords(tx: &mut dyn Tx) -> Result<bool> {
    const ANY: &str = "SELECT account FROM passwords LIMIT 1";
    Ok(tx.one(ANY, &[], |row| row.int("account"))?.is_some())
}

/// Removes the account's password.
pub fn remove_password(tx: &mut dyn Tx, account: i64) -> Result<()> {
    const REMOVE: &str = "DELETE FROM passwords WHERE account = $1";
    tx.execute(REMOVE, &[&account])?;
    Ok(())
}

fn address(row: &Row<'_>) -> DbResult<VerifiedAddress> {
    Ok(VerifiedAddress {
        account: row.int("account")?,
        written: row.text("written")?,
        verified_at: row.time("verified_at")?,
    })
}
