//! The people who may open the operator's pages.

use super::db::Tx;
use crate::clock::Timestamp;
use crate::error::Result;

/// Whether the owner of this account is an operator.
pub fn is_one(tx: &mut dyn Tx, account: i64) -> Result<bool> {
    const FIND: &str = "SELECT account FROM operators WHERE account = $1";
    Ok(tx.one(FIND, &[&account], |row| row.int("account"))?.is_some())
}

/// The ids of all operators, in order.
pub fn ids(tx: &mut dyn Tx) -> Result<Vec<String>> {
    const IDS: &str = "SELECT u.id FROM operators o JOIN users u ON u.account = o.account ORDER BY u.id LIMIT 1000";
    tx.all(IDS, &[], |row| row.text("id"))
}

/// Makes the owner of an account an operator; `false` when they are one.
pub fn add(tx: &mut dyn Tx, account: i64, now: Timestamp) -> Result<bool> {
    const ADD: &str = "INSERT INTO operators (account, made_at) VALUES ($1, $2) ON CONFLICT (account) DO NOTHING";
    Ok(tx.execute(ADD, &[&account, &now])? == 1)
}

/// The owner of an account is an operator no longer; `false` when they were none.
pub fn remove(tx: &mut dyn Tx, account: i64) -> Result<bool> {
    const REMOVE: &str = "DELETE FROM operators WHERE account = $1";
    Ok(tx.execute(REMOVE, &[&account])? == 1)
}
