//! How far a comparison has come: a position by name.

use super::Tx;
use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// The position and when it was moved, if there is one.
pub fn find(tx: &mut dyn Tx, name: &str) -> Result<Option<(Timestamp, Timestamp)>> {
    const FIND: &str = "SELECT position, moved_at FROM cursors WHERE name = $1";
    let row = tx.query_one(FIND, &[name.into()])?;
    Ok(row.map(|row| Ok::<_, Fault>((row.time(0)?, row.time(1)?))).transpose()?)
}

/// Moves it forward; never back.
pub fn advance(tx: &mut dyn Tx, name: &str, position: Timestamp, now: Timestamp) -> Result<()> {
    const MOVE: &str = "INSERT INTO cursors (name, position, moved_at) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET position = $2, moved_at = $3 WHERE cursors.position < $2";
    tx.execute(MOVE, &[name.into(), position.into(), now.into()])?;
    Ok(())
}

/// Moves it there, forward or back.
pub fn put(tx: &mut dyn Tx, name: &str, position: Timestamp, now: Timestamp) -> Result<()> {
    const PUT: &str = "INSERT INTO cursors (name, position, moved_at) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET position = $2, moved_at = $3";
    tx.execute(PUT, &[name.into(), position.into(), now.into()])?;
    Ok(())
}

/// Takes it away.
pub fn forget(tx: &mut dyn Tx, name: &str) -> Result<()> {
    const FORGET: &str = "DELETE FROM cursors WHERE name = $1";
    tx.execute(FORGET, &[name.into()])?;
    Ok(())
}
