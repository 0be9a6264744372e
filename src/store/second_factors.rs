//! Secrets that are shared with authenticator apps, one for each account that wants a second factor.

use super::db::Tx;
use crate::clock::Timestamp;
use crate::error::Result;

/// An account's second factor.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactor {
    pub secret: [u8; 20],
    /// The half minute of the last code that was taken.
    pub last_step: i64,
    pub confirmed_at: Timestamp,
}

/// Stores the account's second factor; `false` when it has one already.
pub fn add(tx: &mut dyn Tx, account: i64, factor: &SecondFactor) -> Result<bool> {
    const ADD: &str = "INSERT INTO second_factors (account, secret, last_step, confirmed_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (account) DO NOTHING";
    let SecondFactor { secret, last_step, confirmed_at } = factor;
    Ok(tx.execute(ADD, &[&account, secret, last_step, confirmed_at])? == 1)
}

/// The account's second factor.
pub fn find(tx: &mut dyn Tx, account: i64) -> Result<Option<SecondFactor>> {
    const FIND: &str = "SELECT secret, last_step, confirmed_at FROM second_factors WHERE account = $1";
    tx.one(FIND, &[&account], |row| {
        Ok(SecondFactor {
            secret: row.bytes("secret")?,
            last_step: row.int("last_step")?,
            confirmed_at: row.time("confirmed_at")?,
        })
    })
}

/// Uses up the codes up to this half minute; `false` when they were used before.
pub fn use_step(tx: &mut dyn Tx, account: i64, step: i64) -> Result<bool> {
    const USE: &str = "UPDATE second_factors SET last_step = $2 WHERE account = $1 AND last_step < $2";
    Ok(tx.execute(USE, &[&account, &step])? == 1)
}

/// Removes the account's second factor; `false` when there is none.
pub fn remove(tx: &mut dyn Tx, account: i64) -> Result<bool> {
    const REMOVE: &str = "DELETE FROM second_factors WHERE account = $1";
    Ok(tx.execute(REMOVE, &[&account])? == 1)
}
