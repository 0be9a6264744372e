//! The rows of lots, and the digest over them that the account's row carries: no unit can be moved from one lot to another
//! by somebody who does not compute it too.

use super::db::{DbResult, Row, Tx};
use crate::error::Result;
use crate::id;
use crate::ledger::{Account, Hash, Lot};

/// The columns of a lot.
macro_rules! lot_columns {
    () => {
        "seq, units, remaining, held, expired, expires_at, grace_until"
    };
}
pub(super) use lot_columns;

/// Stores the lots of an account that changed; `payment` is what bought the one that is new. Returns what changed of the
/// digest over their rows, for [`combine`].
pub(super) fn store(tx: &mut dyn Tx, before: &Account, after: &Account, payment: Option<&str>) -> Result<Hash> {
    const OPEN: &str = "INSERT INTO lots (account, seq, units, remaining, held, expired, expires_at, payment)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    const CHANGE: &str = "UPDATE lots SET remaining = $3, held = $4, expired = $5, grace_until = $6
        WHERE account = $1 AND seq = $2";
    let fronts = [before.front().map(|lot| lot.seq), after.front().map(|lot| lot.seq)];
    // The free units of the front lot are in the account's row.
    let stored = |lot: &Lot, front: Option<i64>| {
        let remaining = if front == Some(lot.seq) { lot.held } else { lot.remaining };
        ([remaining, lot.held, lot.expired], lot.grace_until)
    };
    let mut changed = [0; 32];
    for lot in &after.lots {
        let new = stored(lot, fronts[1]);
        let ([remaining, held, expired], grace_until) = new;
        let old = before.lots.iter().find(|old| old.seq == lot.seq).map(|old| stored(old, fronts[0]));
        match old {
            Some(old) if old == new => continue,
            Some(_) => {
                tx.execute(CHANGE, &[&after.number, &lot.seq, &remaining, &held, &expired, &grace_until])?;
            }
            None => {
                let (units, expires_at) = (lot.units, lot.expires_at);
                tx.execute(
                    OPEN,
                    &[&after.number, &lot.seq, &units, &remaining, &held, &expired, &expires_at, &payment],
                )?;
            }
        }
        let ([old_remaining, old_held, _], _) = old.unwrap_or_default();
        changed = combine(changed, row_digest(after.number, lot.seq, [old_remaining, old_held]));
        changed = combine(changed, row_digest(after.number, lot.seq, [remaining, held]));
    }
    Ok(changed)
}

/// What a lot's row adds to the digest: SHA-256 over `till-lot-1`, the account, the lot's seq, and what its row says is left
/// and held, each followed by a line feed; zeros for a row without units.
pub fn row_digest(account: i64, seq: i64, [remaining, held]: [i64; 2]) -> Hash {
    match [remaining, held] {
        [0, 0] => [0; 32],
        _ => id::digest(format!("till-lot-1\n{account}\n{seq}\n{remaining}\n{held}\n").as_bytes()),
    }
}

/// The digest over two sets of rows: what both have cancels out.
pub fn combine(one: Hash, other: Hash) -> Hash {
    std::array::from_fn(|at| one[at] ^ other[at])
}

pub(super) fn lot(row: &Row<'_>) -> DbResult<Lot> {
    Ok(Lot {
        seq: row.int("seq")?,
        units: row.int("units")?,
        remaining: row.int("remaining")?,
        held: row.int("held")?,
        expired: row.int("expired")?,
        expires_at: row.time_or_null("expires_at")?,
        grace_until: row.time_or_null("grace_until")?,
    })
}
