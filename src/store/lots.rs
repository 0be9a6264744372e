//! The rows of lots, and the digest over them that the account's row carries: no unit can be moved from one lot to another
//! by somebody who does not compute it too.

use super::db::{DbResult, Param, Row, Tx};
use super::orders::OfferKind;
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::id;
use crate::ledger::{Account, Cost, Currency, Hash, Lot};

/// The columns of a lot.
macro_rules! lot_columns {
    () => {
        "seq, units, remaining, held, expired, expires_at, grace_until, cost, currency"
    };
}
pub(super) use lot_columns;

/// Stores the lots of an account that changed; `payment` is what bought the one that is new. Returns what changed of the
/// digest over their rows, for [`combine`].
pub(super) fn store(tx: &mut dyn Tx, before: &Account, after: &Account, payment: Option<&str>) -> Result<Hash> {
    const OPEN: &str = "INSERT INTO lots
        (account, seq, units, remaining, held, expired, expires_at, payment, cost, currency)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
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
                let (cost, currency) =
                    (lot.cost.map(|cost| cost.amount), lot.cost.as_ref().map(|cost| cost.currency.as_str()));
                let row: [&dyn Param; 10] = [
                    &after.number,
                    &lot.seq,
                    &units,
                    &remaining,
                    &held,
                    &expired,
                    &expires_at,
                    &payment,
                    &cost,
                    &currency,
                ];
                tx.execute(OPEN, &row)?;
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

/// What an account's row says of its front lot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrontLot {
    pub seq: i64,
    /// Units in it that are not held.
    pub free: i64,
    /// What was paid for it. The other fields are zero where that is nothing: no value depends on them.
    pub cost: Option<Cost>,
    pub held: i64,
    /// What was credited.
    pub units: i64,
}

impl FrontLot {
    /// What an account's row says of this lot, while it is the front one.
    pub fn of(lot: &Lot) -> FrontLot {
        let front = FrontLot { seq: lot.seq, free: lot.free(), ..FrontLot::default() };
        match lot.cost {
            Some(cost) => FrontLot { cost: Some(cost), held: lot.held, units: lot.units, ..front },
            None => front,
        }
    }

    /// Its column `front_paid`.
    pub(super) fn paid(self) -> Option<String> {
        let Cost { amount, currency } = self.cost?;
        Some(format!("{} {} {amount} {}", self.held, self.units, currency.as_str()))
    }

    fn with_paid(self, paid: &str) -> Option<FrontLot> {
        let mut words = paid.split(' ');
        let mut number = || words.next()?.parse().ok();
        let (held, units, amount) = (number()?, number()?, number()?);
        let currency = words.next().and_then(Currency::new)?;
        words.next().is_none().then_some(FrontLot { held, units, cost: Some(Cost { amount, currency }), ..self })
    }
}

/// What an account's row says of its front lot.
pub(super) fn front(row: &Row<'_>) -> DbResult<Option<FrontLot>> {
    // The first two are set or absent together. If one is missing, a wrong front lot is read, so that the proof sees it.
    let (seq, free) = (row.int_or_null("front")?, row.int_or_null("front_free")?);
    let paid = row.text_or_null("front_paid")?;
    if seq.is_none() && free.is_none() && paid.is_none() {
        return Ok(None);
    }
    let front = FrontLot { seq: seq.unwrap_or_default(), free: free.unwrap_or_default(), ..FrontLot::default() };
    let Some(paid) = paid else { return Ok(Some(front)) };
    let unreadable = || Fault::bare(format!("what was paid for the front lot is unreadable: {paid:?}"));
    front.with_paid(&paid).map(Some).ok_or_else(unreadable)
}

/// Units that expire at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiringUnits {
    pub units: i64,
    pub at: Timestamp,
}

/// What of an account's units expires, by the time at which it does, the soonest first. What is held does not expire while
/// it is held.
pub fn expiring(tx: &mut dyn Tx, account: i64) -> Result<Vec<ExpiringUnits>> {
    const LOTS: &str = concat!(
        "SELECT ",
        lot_columns!(),
        " FROM lots
        WHERE account = $1 AND expires_at IS NOT NULL AND remaining > 0 ORDER BY expires_at, seq LIMIT 10000"
    );
    const FRONT: &str = "SELECT l.seq, l.units, l.remaining, l.held, l.expired, l.expires_at, l.grace_until,
            l.cost, l.currency, a.front_free
        FROM accounts a JOIN lots l ON l.account = a.account AND l.seq = a.front
        WHERE a.account = $1 AND l.expires_at IS NOT NULL";
    let mut lots = tx.all(LOTS, &[&account], lot)?;
    lots.extend(tx.one(FRONT, &[&account], front_lot)?);
    let mut ends: Vec<(Timestamp, i64)> =
        lots.iter().filter(|lot| lot.free() > 0).filter_map(|lot| Some((lot.ends_at()?, lot.free()))).collect();
    ends.sort_unstable();
    let mut expiring: Vec<ExpiringUnits> = vec![];
    for (at, units) in ends {
        match expiring.last_mut().filter(|last| last.at == at) {
            Some(last) => last.units = last.units.saturating_add(units),
            None => expiring.push(ExpiringUnits { units, at }),
        }
    }
    Ok(expiring)
}

/// The front lot with its free units, which are in the account's row. What is held of it is in its own row, and is listed
/// apart.
fn front_lot(row: &Row<'_>) -> DbResult<Lot> {
    let free = row.int("front_free")?;
    Ok(Lot { remaining: free, held: 0, ..lot(row)? })
}

/// What a lot was opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LotOrigin {
    pub lot: Lot,
    /// What was bought; `None` for a gift.
    pub kind: Option<OfferKind>,
    pub opened_at: Timestamp,
}

/// The lots of an account that have units, newest first.
pub fn open(tx: &mut dyn Tx, account: i64) -> Result<Vec<LotOrigin>> {
    const OPEN: &str = "SELECT l.seq, l.units, l.remaining, l.held, l.expired, l.expires_at, l.grace_until, l.cost, l.currency, p.kind,
            e.created_at, CASE WHEN l.seq = a.front THEN a.front_free ELSE 0 END AS front_free
        FROM accounts a JOIN lots l ON l.account = a.account AND (l.remaining > 0 OR l.seq = a.front)
        JOIN entries e ON e.account = l.account AND e.seq = l.seq
        LEFT JOIN payments p ON p.reference = l.payment
        WHERE a.account = $1 ORDER BY l.seq DESC LIMIT 1000";
    tx.all(OPEN, &[&account], |row| {
        let lot = lot(row)?;
        let lot = Lot { remaining: lot.remaining.saturating_add(row.int("front_free")?), ..lot };
        origin(row, lot)
    })
}

/// The newest lots that plans bought for an account, newest first, with or without units. The front lot's free units are
/// left out.
pub fn newest_of_plans(tx: &mut dyn Tx, account: i64) -> Result<Vec<LotOrigin>> {
    const NEWEST: &str = "SELECT l.seq, l.units, l.remaining, l.held, l.expired, l.expires_at, l.grace_until, l.cost, l.currency, p.kind,
            e.created_at
        FROM lots l JOIN payments p ON p.reference = l.payment AND p.kind = 'plan'
        JOIN entries e ON e.account = l.account AND e.seq = l.seq
        WHERE l.account = $1 ORDER BY l.seq DESC LIMIT 12";
    tx.all(NEWEST, &[&account], |row| origin(row, lot(row)?))
}

fn origin(row: &Row<'_>, lot: Lot) -> DbResult<LotOrigin> {
    let kind = row.text_or_null("kind")?.as_deref().and_then(OfferKind::parse);
    Ok(LotOrigin { lot, kind, opened_at: row.time("created_at")? })
}

/// A lot that ends soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndingLot {
    pub account: i64,
    pub expires_at: Timestamp,
}

/// Lots that end after `now` and until `until`, of which no message has said so, the soonest first. Those of which
/// everything is held are left out: nothing of them ends now, and they would keep the others from their turn.
pub fn to_notify(tx: &mut dyn Tx, now: Timestamp, until: Timestamp, limit: i64) -> Result<Vec<EndingLot>> {
    const ENDING: &str = "SELECT l.account, l.expires_at FROM lots l JOIN accounts a ON a.account = l.account
        WHERE l.expires_at > $1 AND l.expires_at <= $2 AND l.notified_at IS NULL
        AND (l.held = 0 OR l.remaining > l.held OR (a.front = l.seq AND a.front_free > 0))
        ORDER BY l.expires_at, l.account, l.seq LIMIT $3";
    tx.all(ENDING, &[&now, &until, &limit], |row| {
        Ok(EndingLot { account: row.int("account")?, expires_at: row.time("expires_at")? })
    })
}

/// Remembers that a message has said when these lots of an account end. With `only_empty`, which is true where no message
/// was needed, those that are held are left for later.
pub fn mark_notified(tx: &mut dyn Tx, ending: EndingLot, only_empty: bool, now: Timestamp) -> Result<()> {
    const ALL: &str = "UPDATE lots SET notified_at = $3 WHERE account = $1 AND expires_at = $2 AND notified_at IS NULL";
    const EMPTY: &str = "UPDATE lots SET notified_at = $3
        WHERE account = $1 AND expires_at = $2 AND notified_at IS NULL AND remaining = 0";
    tx.execute(if only_empty { EMPTY } else { ALL }, &[&ending.account, &ending.expires_at, &now])?;
    Ok(())
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
        cost: cost(row)?,
    })
}

/// What was paid for a lot. An amount without a currency is a fault.
pub(super) fn cost(row: &Row<'_>) -> DbResult<Option<Cost>> {
    let (amount, code) = (row.int_or_null("cost")?, row.text_or_null("currency")?);
    let known = code.as_deref().and_then(Currency::new);
    match (amount, code, known) {
        (None, None, _) => Ok(None),
        (Some(amount), _, Some(currency)) => Ok(Some(Cost { amount, currency })),
        (amount, code, _) => {
            Err(Fault::bare(format!("a lot cost {amount:?} in {code:?}, an amount with a currency was expected")))
        }
    }
}
