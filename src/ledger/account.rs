//! What a user has: the balance and the lots it lies in, and the one way in which an entry is added to them.

use super::{BALANCE_LIMIT, Entry, Hash, Kind, Timestamp};

/// Units credited together. Its number is the `seq` of the entry that opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The `seq` of the entry that credited it.
    pub seq: i64,
    /// Units credited.
    pub units: i64,
    /// Units still in it, held ones among them.
    pub remaining: i64,
    /// Units of it that are set aside by holds. They do not expire, and nothing else may take them.
    pub held: i64,
    /// Units of it that have expired.
    pub expired: i64,
    /// When what is not held expires.
    pub expires_at: Option<Timestamp>,
}

impl Lot {
    /// Units that nothing holds.
    pub fn free(&self) -> i64 {
        self.remaining.saturating_sub(self.held)
    }

    /// Whether its time is over at `at`.
    pub fn is_over(&self, at: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= at)
    }

    /// Soonest-expiring first, then oldest (contract, section 5, rule 9).
    fn order(&self) -> (bool, Option<Timestamp>, i64) {
        (self.expires_at.is_none(), self.expires_at, self.seq)
    }
}

/// One user's account, with every lot that still has units and any lot that the coming move concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The account's number.
    pub number: i64,
    /// The sum of all deltas. Negative after a reversal of spent units.
    pub remaining: i64,
    /// Units set aside by open holds.
    pub held: i64,
    /// All units ever credited.
    pub credited: i64,
    /// The last entry's `seq`; 0 before the first.
    pub entries: i64,
    /// The last entry's hash; zeros before the first.
    pub head: Hash,
    /// Lots, in no particular order.
    pub lots: Vec<Lot>,
}

/// One new entry and the account after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The entry to append.
    pub entry: Entry,
    /// The account to store, lots that became empty among its lots.
    pub after: Account,
}

/// Why a move cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A spend of more than is available.
    InsufficientUnits {
        /// Units asked for.
        required: i64,
        /// Units available.
        available: i64,
    },
    /// The balance would pass [`BALANCE_LIMIT`].
    BalanceLimit,
    /// A movement of nothing.
    NothingToMove,
    /// The lot that the move concerns is not among the account's lots: the caller did not load it.
    LotNotLoaded,
}

impl Account {
    /// A new account, empty.
    pub fn open(number: i64) -> Account {
        Account { number, remaining: 0, held: 0, credited: 0, entries: 0, head: [0; 32], lots: Vec::new() }
    }

    /// Units owed: taken back by a reversal when they were spent already. The next credit repays them.
    pub fn debt(&self) -> i64 {
        let in_lots = self.lots.iter().fold(0i64, |sum, lot| sum.saturating_add(lot.remaining));
        in_lots.saturating_sub(self.remaining)
    }

    /// Units that can be spent or held at `at`: those that no hold has set aside and whose time is not over, less the
    /// debt. Where no lot is over, it is `remaining - held`.
    pub fn available(&self, at: Timestamp) -> i64 {
        let live = self.lots.iter().filter(|lot| !lot.is_over(at));
        live.fold(0i64, |sum, lot| sum.saturating_add(lot.free())).saturating_sub(self.debt())
    }

    /// When the next lot expires of which something is not held.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.lots.iter().filter(|lot| lot.free() > 0).filter_map(|lot| lot.expires_at).min()
    }

    /// The lot that the next spend takes from: the first in the order of rule 9 with units that nothing holds.
    pub fn front(&self) -> Option<&Lot> {
        self.lots.iter().filter(|lot| lot.free() > 0).min_by_key(|lot| lot.order())
    }

    pub(super) fn lot_mut(&mut self, seq: i64) -> Option<&mut Lot> {
        self.lots.iter_mut().find(|lot| lot.seq == seq)
    }

    /// Takes up to `units` out of free units, from lots that `may` be used, in the order of rule 9. Answers what it
    /// could not take.
    pub(super) fn take(&mut self, units: i64, may: impl Fn(&Lot) -> bool) -> i64 {
        let mut left = units;
        self.in_order(|lot| {
            let taken = if may(lot) { left.min(lot.free()) } else { 0 };
            lot.remaining = lot.remaining.saturating_sub(taken);
            left = left.saturating_sub(taken);
        });
        left
    }

    /// Visits the lots in the order of rule 9.
    pub(super) fn in_order(&mut self, mut visit: impl FnMut(&mut Lot)) {
        if self.lots.len() > 1 {
            self.lots.sort_by_key(Lot::order);
        }
        self.lots.iter_mut().for_each(&mut visit);
    }

    /// Pays what is owed out of units that have become free, so that there is never a debt beside them.
    pub(super) fn repay(&mut self) {
        let debt = self.debt();
        if debt > 0 {
            self.take(debt, |_| true);
        }
    }

    /// Appends the entry that moves `remaining` by `delta`. The lots are the caller's business, before or after.
    pub(super) fn append(mut self, delta: i64, draft: Draft, at: Timestamp) -> Result<Posting, Refusal> {
        if delta == 0 {
            return Err(Refusal::NothingToMove);
        }
        let remaining = self.remaining.saturating_add(delta);
        let credited = if draft.kind.is_credit() { self.credited.saturating_add(delta.max(0)) } else { self.credited };
        if remaining.saturating_abs() > BALANCE_LIMIT || credited > BALANCE_LIMIT {
            return Err(Refusal::BalanceLimit);
        }

        let entry = Entry {
            account: self.number,
            seq: self.entries.saturating_add(1),
            kind: draft.kind,
            delta,
            balance_after: remaining,
            reason: draft.reason,
            note: draft.note,
            lot: draft.lot,
            expires_at: draft.expires_at,
            created_at: at,
            previous: self.head,
        };
        self.remaining = remaining;
        self.credited = credited;
        self.entries = entry.seq;
        self.head = entry.hash();
        Ok(Posting { entry, after: self })
    }
}

/// What an entry says beside its numbers.
pub(super) struct Draft {
    pub kind: Kind,
    pub reason: String,
    pub note: Option<String>,
    pub lot: Option<i64>,
    pub expires_at: Option<Timestamp>,
}
