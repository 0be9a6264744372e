//! What an account's entries say, followed from the first to the last.

use std::collections::BTreeMap;

use super::value::ValueWalk;
use crate::clock::DAY_SECONDS;
use crate::error::Result;
use crate::ledger::{Chain, Discrepancy, Entry, EntryNote, GRACE_LIMIT_DAYS, Kind, Lot, Timestamp};
use crate::store::{AmountsByDay, Tx, entries, figures};

/// Entries that are read at once.
const PAGE: i64 = 1000;

/// What an account's entries say, followed from the first to the last.
pub(super) struct Walk {
    pub chain: Chain,
    /// Entries that were read.
    pub entries: u64,
    /// The walk as it was at the last entry that the anchor covers.
    pub at_anchor: Chain,
    /// Where the chain breaks; the entries after it were not read.
    pub broken_at: Option<Discrepancy>,
    /// By the seq of the entry that opened the lot.
    pub lots: BTreeMap<i64, ExpectedLot>,
    /// By the hold's id.
    pub captures: BTreeMap<String, Capture>,
    /// What the entries and holds made of the value of lots.
    pub value: ValueWalk,
}

/// What the entries say of a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExpectedLot {
    pub units: i64,
    pub expires_at: Option<Timestamp>,
    /// Units of it that have expired.
    pub expired: i64,
    /// Whether it may live beyond that, because a plan's payment opened it.
    pub is_plans: bool,
}

impl ExpectedLot {
    /// Whether this is what is stored. No entry says that a lot has a grace, so that is compared with the most that rule
    /// 9 allows.
    pub fn is_of(self, lot: &Lot) -> bool {
        let is_same = (self.units, self.expires_at, self.expired) == (lot.units, lot.expires_at, lot.expired);
        let is_allowed = |grace: Timestamp| {
            let limit = self
                .expires_at
                .filter(|_| self.is_plans)
                .map(|end| end.plus_seconds(i64::from(GRACE_LIMIT_DAYS) * DAY_SECONDS));
            limit.is_some_and(|limit| grace <= limit)
        };
        is_same && lot.grace_until.is_none_or(is_allowed)
    }
}

/// What the entries say of the capture of a hold.
pub(super) struct Capture {
    pub units: i64,
    pub note: Option<EntryNote>,
}

/// Follows an account's entries, and adds up what they move. `covered` is the seq of the last one that the anchor covers.
pub(super) fn walk_chain(tx: &mut dyn Tx, account: i64, covered: i64, sums: &mut AmountsByDay) -> Result<Walk> {
    let (lots, captures) = (BTreeMap::new(), BTreeMap::new());
    let (chain, at_anchor) = (Chain::start(account), Chain::start(account));
    let value = ValueWalk::begin(tx, account)?;
    let mut walk = Walk { chain, at_anchor, entries: 0, broken_at: None, lots, captures, value };
    let mut seq = 0;
    loop {
        let page = entries::of_account_after(tx, account, seq, PAGE)?;
        let Some(end) = page.last().map(|entry| entry.seq) else { return Ok(walk) };
        for entry in &page {
            walk.entries += 1;
            if let Err(broken) = walk.chain.follow(entry) {
                walk.broken_at = Some(broken);
                return Ok(walk);
            }
            walk.note(entry);
            figures::add_units(entry, sums);
            walk.value.entry(tx, entry, sums)?;
            if entry.seq == covered {
                walk.at_anchor = walk.chain.clone();
            }
        }
        seq = end;
    }
}

impl Walk {
    /// Notes what an entry says of lots and holds.
    fn note(&mut self, entry: &Entry) {
        if entry.kind.is_credit() && entry.delta > 0 {
            let is_plans = entry.kind == Kind::Subscription;
            let lot = ExpectedLot { units: entry.delta, expires_at: entry.expires_at, expired: 0, is_plans };
            self.lots.insert(entry.seq, lot);
        }
        if entry.kind == Kind::Expiry
            && let Some(lot) = entry.lot.and_then(|seq| self.lots.get_mut(&seq))
        {
            lot.expired = lot.expired.saturating_sub(entry.delta);
        }
        if entry.kind == Kind::Spend
            && let Some(hold) = entry.reason.strip_prefix("hold_")
        {
            let capture = Capture { units: entry.delta.saturating_neg(), note: entry.note.clone() };
            self.captures.insert(hold.to_owned(), capture);
        }
    }
}
