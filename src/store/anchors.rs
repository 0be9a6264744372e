//! The anchors of the books: how many were taken, and which entries each of them covers. An entry bears the number of
//! anchors that were taken before it, so an anchor covers the entries with a lower number than its own, however far the
//! books have grown.

use super::db::Tx;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ledger::Hash;

/// How far an account has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountHead {
    pub account: i64,
    /// The seq of its last entry.
    pub entries: i64,
    pub head: Hash,
    /// Whether the last entry is newer than the anchor; then [`covered`] says how far it had come.
    pub is_newer: bool,
}

/// Counts one more anchor, which covers every entry that is stored now; its number.
pub fn take(tx: &mut dyn Tx, at: Timestamp) -> Result<i64> {
    const TAKE: &str = "INSERT INTO anchors (number, taken_at) SELECT COALESCE(MAX(number), 0) + 1, $1 FROM anchors
        RETURNING number";
    let number = tx.one(TAKE, &[&at], |row| row.int("number"))?;
    Ok(number.unwrap_or_default())
}

/// How many anchors were taken: the number of the last.
pub fn taken(tx: &mut dyn Tx) -> Result<i64> {
    const TAKEN: &str = "SELECT COALESCE(MAX(number), 0) AS number FROM anchors";
    Ok(tx.one(TAKEN, &[], |row| row.int("number"))?.unwrap_or_default())
}

/// Accounts after the given one, in order, with the heads that their rows name.
pub fn heads_after(tx: &mut dyn Tx, anchor: i64, account: i64, limit: i64) -> Result<Vec<AccountHead>> {
    const PAGE: &str = "SELECT a.account, a.entries, a.head, COALESCE(e.anchors, 0) >= $1 AS is_newer
        FROM users u JOIN accounts a ON a.account = u.account
        LEFT JOIN entries e ON e.account = a.account AND e.seq = a.entries
        WHERE u.account > $2 ORDER BY u.account LIMIT $3";
    tx.all(PAGE, &[&anchor, &account, &limit], |row| {
        let (account, entries) = (row.int("account")?, row.int("entries")?);
        Ok(AccountHead { account, entries, head: row.hash("head")?, is_newer: row.flag("is_newer")? })
    })
}

/// The seq of the last of an account's entries that an anchor covers; 0 if it covers none.
pub fn covered(tx: &mut dyn Tx, anchor: i64, account: i64) -> Result<i64> {
    // From the end, where the entries are that it does not cover.
    const LAST: &str =
        "SELECT seq FROM entries WHERE account = $1 AND COALESCE(anchors, 0) < $2 ORDER BY seq DESC LIMIT 1";
    Ok(tx.one(LAST, &[&account, &anchor], |row| row.int("seq"))?.unwrap_or_default())
}
