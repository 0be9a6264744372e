//! How far a comparison has come: a position by name.

use super::Tx;
use crate::clock::Timestamp;
use crate::error::Result;

/// The position, if there is one.
pub fn position(tx: &mut dyn Tx, name: &str) -> Result<Option<Timestamp>> {
    const FIND: &str = "SELECT position FROM cursors WHERE name = $1";
    Ok(tx.query_one(FIND, &[name.into()])?.map(|row| row.time(0)).transpose()?)
}

/// Moves it forward; never back.
pub fn advance(tx: &mut dyn Tx, name: &str, position: Timestamp, now: Timestamp) -> Result<()> {
    const MOVE: &str = "INSERT INTO cursors (name, position, moved_at) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET position = $2, moved_at = $3 WHERE cursors.position < $2";
    tx.execute(MOVE, &[name.into(), position.into(), now.into()])?;
    Ok(())
}
