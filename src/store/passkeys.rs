//! Passkeys: the public half of what authenticators keep for their owners.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;

/// The columns of a passkey.
macro_rules! columns {
    () => {
        "number, credential, account, handle, name, transports, public_key, state, created_at, last_used_at"
    };
}

/// A passkey of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// By which its owner renames or removes it.
    pub number: i64,
    pub account: i64,
    /// As its owner calls it.
    pub name: String,
    pub key: PasskeyRecord,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

/// What proves its use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyRecord {
    /// The authenticator's own id for it.
    pub credential: Vec<u8>,
    /// Names the account to the authenticator.
    pub handle: [u8; 16],
    pub transports: u8,
    pub public_key: Vec<u8>,
    /// The counter and the copies.
    pub state: [u8; 7],
}

/// Stores a passkey of the account; `false` when there is one with its id already.
pub fn add(tx: &mut dyn Tx, account: i64, name: &str, key: &PasskeyRecord, now: Timestamp) -> Result<bool> {
    const ADD: &str =
        "INSERT INTO passkeys (number, credential, account, handle, name, transports, public_key, state, created_at)
        VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM passkeys), $1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (credential) DO NOTHING";
    let PasskeyRecord { credential, handle, transports, public_key, state } = key;
    let (credential, public_key, transports) = (credential.as_slice(), public_key.as_slice(), i64::from(*transports));
    Ok(tx.execute(ADD, &[&credential, &account, handle, &name, &transports, &public_key, state, &now])? == 1)
}

/// The passkey with this id.
pub fn find(tx: &mut dyn Tx, credential: &[u8]) -> Result<Option<Passkey>> {
    const FIND: &str = concat!("SELECT ", columns!(), " FROM passkeys WHERE credential = $1");
    tx.one(FIND, &[&credential], passkey)
}

/// The account's passkeys, in the order in which they were added.
pub fn of_account(tx: &mut dyn Tx, account: i64) -> Result<Vec<Passkey>> {
    const LIST: &str = concat!("SELECT ", columns!(), " FROM passkeys WHERE account = $1 ORDER BY number LIMIT 100");
    tx.all(LIST, &[&account], passkey)
}

/// Whether anybody has one.
pub fn are_there_any(tx: &mut dyn Tx) -> Result<bool> {
    const ANY: &str = "SELECT number FROM passkeys LIMIT 1";
    Ok(tx.one(ANY, &[], |row| row.int("number"))?.is_some())
}

/// Remembers a use, in the transaction of the sign-in; `false` when the passkey was used or removed meanwhile.
pub fn used(tx: &mut dyn Tx, number: i64, former: &[u8; 7], state: &[u8; 7], now: Timestamp) -> Result<bool> {
    const USED: &str = "UPDATE passkeys SET state = $3, last_used_at = $4 WHERE number = $1 AND state = $2";
    Ok(tx.execute(USED, &[&number, former, state, &now])? == 1)
}

/// Gives one of the account's passkeys another name; `false` when there is no such one.
pub fn rename(tx: &mut dyn Tx, account: i64, number: i64, name: &str) -> Result<bool> {
    const RENAME: &str = "UPDATE passkeys SET name = $3 WHERE account = $1 AND number = $2";
    Ok(tx.execute(RENAME, &[&account, &number, &name])? == 1)
}

/// Removes one of the account's passkeys; `false` when there is no such one.
pub fn remove(tx: &mut dyn Tx, account: i64, number: i64) -> Result<bool> {
    const REMOVE: &str = "DELETE FROM passkeys WHERE account = $1 AND number = $2";
    Ok(tx.execute(REMOVE, &[&account, &number])? == 1)
}

/// Removes all of the account's passkeys, for an account that is erased.
pub fn remove_of(tx: &mut dyn Tx, account: i64) -> Result<()> {
    const REMOVE: &str = "DELETE FROM passkeys WHERE account = $1";
    tx.execute(REMOVE, &[&account])?;
    Ok(())
}

fn passkey(row: &Row<'_>) -> DbResult<Passkey> {
    Ok(Passkey {
        number: row.int("number")?,
        account: row.int("account")?,
        name: row.text("name")?,
        key: PasskeyRecord {
            credential: row.blob("credential")?,
            handle: row.bytes("handle")?,
            transports: u8::try_from(row.int("transports")?).unwrap_or_default(),
            public_key: row.blob("public_key")?,
            state: row.bytes("state")?,
        },
        created_at: row.time("created_at")?,
        last_used_at: row.time_or_null("last_used_at")?,
    })
}
