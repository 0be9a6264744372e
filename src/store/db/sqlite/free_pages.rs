//! Pages of the file that nothing lies on any more. SQLite writes on them again; what is not needed soon is given back to the
//! file system, a few pages at a time ("Pragma statements supported by SQLite", section incremental_vacuum).

use crate::error::Result;
use crate::store::db::tx::Tx;

/// How many there are. It stands on the first page.
pub(in crate::store) fn free_pages(tx: &mut dyn Tx) -> Result<i64> {
    Ok(tx.one("PRAGMA freelist_count", &[], |row| row.int("freelist_count"))?.unwrap_or_default())
}

/// Takes up to 64 of them from the end of the file, after moving there what still lies behind. Returns how many. The file
/// itself is shortened when the log is moved into it.
pub(in crate::store) fn give_back(tx: &mut dyn Tx) -> Result<i64> {
    let before = free_pages(tx)?;
    tx.query("PRAGMA incremental_vacuum(64)", &[], &mut |_| Ok(()))?;
    Ok(before - free_pages(tx)?)
}
