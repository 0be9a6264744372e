//! How far a comparison with Stripe has come: a position by name.

use super::db::Tx;
use crate::clock::Timestamp;
use crate::error::Result;

/// The position and when it was moved, if there is one.
pub fn find(tx: &mut dyn Tx, name: &str) -> Result<Option<(Timestamp, Timestamp)>> {
    const FIND: &str = "SELECT position, moved_at FROM cursors WHERE name = $1";
    tx.one(FIND, &[&name], |row| Ok((row.time("position")?, row.time("moved_at")?)))
}

/// Moves the position forward; never back.
pub fn advance(tx: &mut dyn Tx, name: &str, position: Timestamp, now: Timestamp) -> Result<()> {
    const MOVE: &str = "INSERT INTO cursors (name, position, moved_at) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET position = $2, moved_at = $3 WHERE cursors.position < $2";
    tx.execute(MOVE, &[&name, &position, &now])?;
    Ok(())
}

/// Moves the position, forward or back.
pub fn put(tx: &mut dyn Tx, name: &str, position: Timestamp, now: Timestamp) -> Result<()> {
    const PUT: &str = "INSERT INTO cursors (name, position, moved_at) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET position = $2, moved_at = $3";
    tx.execute(PUT, &[&name, &position, &now])?;
    Ok(())
}

/// Removes the cursor.
pub fn forget(tx: &mut dyn Tx, name: &str) -> Result<()> {
    const FORGET: &str = "DELETE FROM cursors WHERE name = $1";
    tx.execute(FORGET, &[&name])?;
    Ok(())
}
