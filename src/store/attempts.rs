//! How often what costs was asked for, where several processes count together. Each bucket has a row of its own while it is not
//! full, so that nobody waits for another's.

use super::db::Tx;
use crate::clock::Timestamp;
use crate::error::Result;

/// A bucket of tokens that come back with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    pub key: [u8; 32],
    pub size: i64,
    /// How long one token takes to come back.
    pub refill_millis: i64,
}

/// By how much the clocks of the processes may differ. A row from further ahead is of a clock that was wrong, and counts no more.
const CLOCKS_APART_MILLIS: i64 = 3_600_000;

impl Bucket {
    /// A token can be taken until it would be full so late.
    fn latest(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(self.refill_millis.saturating_mul(self.size - 1))
    }

    /// No right clock has written more.
    fn last_right(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(self.refill_millis.saturating_mul(self.size).saturating_add(CLOCKS_APART_MILLIS))
    }
}

/// Takes a token from each bucket. If one is empty, takes nothing and returns how many milliseconds to wait.
pub fn take(tx: &mut dyn Tx, buckets: &[Bucket], now: Timestamp) -> Result<Option<i64>> {
    // Another may have taken the last token between the two statements: then the second takes none. Each bucket's next full time
    // follows from its own row, so two who take at once both count.
    const TAKE: &str = "INSERT INTO attempts (bucket, full_at) VALUES ($1, $2)
        ON CONFLICT (bucket) DO UPDATE
        SET full_at = CASE WHEN attempts.full_at > $3 AND attempts.full_at <= $4 THEN attempts.full_at + $5 ELSE $2 END
        WHERE attempts.full_at <= $6 OR attempts.full_at > $4";
    // In one order for everybody, so that no two wait for each other.
    let mut buckets = buckets.to_vec();
    buckets.sort_unstable();
    if let Some(wait) = wait(tx, &buckets, now)? {
        return Ok(Some(wait));
    }
    for bucket in &buckets {
        let refill = bucket.refill_millis;
        let (next, latest, last_right) = (now.plus_millis(refill), bucket.latest(now), bucket.last_right(now));
        if tx.execute(TAKE, &[&bucket.key, &next, &now, &last_right, &refill, &latest])? == 0 {
            return Ok(Some(wait(tx, &buckets, now)?.unwrap_or(refill)));
        }
    }
    Ok(None)
}

/// How many milliseconds it takes until each bucket has a token, if one has none.
fn wait(tx: &mut dyn Tx, buckets: &[Bucket], now: Timestamp) -> Result<Option<i64>> {
    const FULL: &str = "SELECT full_at FROM attempts WHERE bucket = $1";
    let mut longest = None;
    for bucket in buckets {
        let full_at = tx.one(FULL, &[&bucket.key], |row| row.time("full_at"))?;
        let full_at = full_at.filter(|full_at| *full_at <= bucket.last_right(now));
        let wait = full_at.map_or(0, |full_at| full_at.millis() - bucket.latest(now).millis());
        longest = longest.max(Some(wait).filter(|wait| *wait > 0));
    }
    Ok(longest)
}

/// Removes the buckets that are full; returns how many.
pub fn remove_full(tx: &mut dyn Tx, now: Timestamp) -> Result<usize> {
    const REMOVE: &str = "DELETE FROM attempts WHERE full_at < $1";
    Ok(tx.execute(REMOVE, &[&now.plus_millis(-CLOCKS_APART_MILLIS)])?)
}
