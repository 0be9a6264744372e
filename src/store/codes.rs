//! What is sent to prove an address: codes in letters, and invitations. Of each secret only the hash is here. And which
//! addresses were given units of welcome.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// What a code does when its button is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodePurpose {
    SignIn,
    /// Makes the account.
    SignUp,
    /// Sets a new password.
    Reset,
    /// Makes the address the account's.
    Address,
}

impl CodePurpose {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            CodePurpose::SignIn => "sign_in",
            CodePurpose::SignUp => "sign_up",
            CodePurpose::Reset => "reset",
            CodePurpose::Address => "address",
        }
    }

    /// Reads the stored word.
    pub fn parse(text: &str) -> Option<CodePurpose> {
        use CodePurpose::*;
        [SignIn, SignUp, Reset, Address].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// A code in a letter.
#[derive(Clone)]
pub struct Code {
    pub purpose: CodePurpose,
    /// Whose; none for an address that has no account.
    pub account: Option<i64>,
    /// As typed: where the letter went.
    pub address: String,
    /// The hash of a cookie of the browser that asked.
    pub browser: Option<[u8; 32]>,
    /// Of a sign-up: the hash of the password that was chosen.
    pub password: Option<String>,
    /// Of a sign-up by invitation: the invitation's hash.
    pub invite: Option<[u8; 32]>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Stores a code.
pub fn add(tx: &mut dyn Tx, hash: &[u8; 32], code: &Code) -> Result<()> {
    const ADD: &str = "INSERT INTO codes (hash, purpose, account, address, browser, password, invite, created_at,
        expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let Code { purpose, account, address, browser, password, invite, created_at, expires_at } = code;
    let purpose = purpose.as_str();
    tx.execute(ADD, &[hash, &purpose, account, address, browser, password, invite, created_at, expires_at])?;
    Ok(())
}

/// The code, if it works at `now`. Looking at it does not use it up.
pub fn find(tx: &mut dyn Tx, hash: &[u8; 32], now: Timestamp) -> Result<Option<Code>> {
    const FIND: &str = "SELECT purpose, account, address, browser, password, invite, created_at, expires_at FROM codes
        WHERE hash = $1 AND used_at IS NULL AND expires_at > $2";
    tx.one(FIND, &[hash, &now], code)
}

/// Uses the code up; `None` when it is unknown, used or too old.
pub fn take(tx: &mut dyn Tx, hash: &[u8; 32], now: Timestamp) -> Result<Option<Code>> {
    const USE: &str = "UPDATE codes SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2
        RETURNING purpose, account, address, browser, password, invite, created_at, expires_at";
    tx.one(USE, &[hash, &now], code)
}

/// Ends the account's codes that work still: after a new password or address nobody comes in by an older letter.
pub fn end_all(tx: &mut dyn Tx, account: i64, now: Timestamp) -> Result<()> {
    const END: &str = "UPDATE codes SET used_at = $2 WHERE account = $1 AND used_at IS NULL";
    tx.execute(END, &[&account, &now])?;
    Ok(())
}

/// How many codes there are, at most `limit`.
pub fn count_open(tx: &mut dyn Tx, now: Timestamp, limit: i64) -> Result<i64> {
    const COUNT: &str =
        "SELECT COUNT(*) AS codes FROM (SELECT expires_at FROM codes WHERE expires_at > $1 LIMIT $2) AS open_codes";
    Ok(tx.one(COUNT, &[&now, &limit], |row| row.int("codes"))?.unwrap_or_default())
}

/// Removes an account's codes, for an account that is erased.
pub fn remove_of(tx: &mut dyn Tx, account: i64) -> Result<()> {
    const REMOVE: &str = "DELETE FROM codes WHERE account = $1";
    tx.execute(REMOVE, &[&account])?;
    Ok(())
}

/// Removes the codes of no account that went to an address, and the invitations that are for it.
pub fn remove_to(tx: &mut dyn Tx, address: &str) -> Result<()> {
    const CODES: &str = "DELETE FROM codes WHERE account IS NULL AND lower(address) = $1";
    const INVITES: &str = "DELETE FROM invites WHERE address IS NOT NULL AND address = $1";
    let address = address.to_ascii_lowercase();
    tx.execute(CODES, &[&address])?;
    tx.execute(INVITES, &[&address])?;
    Ok(())
}

/// Removes codes and invitations that ended before `before`; returns how many.
pub fn remove_ended(tx: &mut dyn Tx, before: Timestamp) -> Result<usize> {
    const CODES: &str = "DELETE FROM codes WHERE expires_at < $1";
    const INVITES: &str = "DELETE FROM invites WHERE expires_at < $1";
    Ok(tx.execute(CODES, &[&before])? + tx.execute(INVITES, &[&before])?)
}

/// An invitation to make an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The canonical address that it is for; none: for any.
    pub address: Option<String>,
    pub expires_at: Timestamp,
}

/// Stores an invitation.
pub fn add_invite(tx: &mut dyn Tx, hash: &[u8; 32], invite: &Invite, now: Timestamp) -> Result<()> {
    const ADD: &str = "INSERT INTO invites (hash, address, created_at, expires_at) VALUES ($1, $2, $3, $4)";
    tx.execute(ADD, &[hash, &invite.address, &now, &invite.expires_at])?;
    Ok(())
}

/// The invitation, if it works at `now`.
pub fn find_invite(tx: &mut dyn Tx, hash: &[u8; 32], now: Timestamp) -> Result<Option<Invite>> {
    const FIND: &str =
        "SELECT address, expires_at FROM invites WHERE hash = $1 AND used_at IS NULL AND expires_at > $2";
    tx.one(FIND, &[hash, &now], |row| {
        Ok(Invite { address: row.text_or_null("address")?, expires_at: row.time("expires_at")? })
    })
}

/// The invitations for a canonical address, also those that were used.
pub fn invites_to(tx: &mut dyn Tx, address: &str) -> Result<Vec<Invite>> {
    const FIND: &str = "SELECT address, expires_at FROM invites WHERE address IS NOT NULL AND address = $1
        ORDER BY expires_at, hash LIMIT 100";
    tx.all(FIND, &[&address], |row| {
        Ok(Invite { address: row.text_or_null("address")?, expires_at: row.time("expires_at")? })
    })
}

/// Uses the invitation up; `false` when it is unknown, used or too old.
pub fn take_invite(tx: &mut dyn Tx, hash: &[u8; 32], now: Timestamp) -> Result<bool> {
    const USE: &str = "UPDATE invites SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2";
    Ok(tx.execute(USE, &[hash, &now])? == 1)
}

/// The salt of this database's digests of addresses: `made`, if there is none yet.
pub fn address_salt(tx: &mut dyn Tx, made: &[u8; 32]) -> Result<[u8; 32]> {
    const ADD: &str = "INSERT INTO address_salt (one, salt) VALUES (1, $1) ON CONFLICT (one) DO NOTHING";
    const FIND: &str = "SELECT salt FROM address_salt WHERE one = 1";
    tx.execute(ADD, &[made])?;
    tx.one(FIND, &[], |row| row.hash("salt"))?.ok_or_else(|| Fault::bare("the salt of addresses is gone").into())
}

/// Remembers for ever that an address was given units of welcome; `false` when it was given them before.
pub fn claim_welcome(tx: &mut dyn Tx, digest: &[u8; 32], now: Timestamp) -> Result<bool> {
    const CLAIM: &str = "INSERT INTO welcomes (digest, granted_at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
    Ok(tx.execute(CLAIM, &[digest, &now])? == 1)
}

fn code(row: &Row<'_>) -> DbResult<Code> {
    Ok(Code {
        purpose: row.word("purpose", CodePurpose::parse)?,
        account: row.int_or_null("account")?,
        address: row.text("address")?,
        browser: row.bytes_or_null("browser")?,
        password: row.text_or_null("password")?,
        invite: row.bytes_or_null("invite")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    })
}
