//! A user's account: the balance, the lots that make it up, and the one way to append an entry.

use super::{BALANCE_LIMIT, Cost, Entry, EntryNote, Hash, Kind, Timestamp};

/// Units credited together. Its number is the `seq` of the entry that credited them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    pub seq: i64,
    pub units: i64,
    /// Units still in it, held ones included.
    pub remaining: i64,
    /// Units set aside by holds. They do not expire, and nothing else may take them.
    pub held: i64,
    pub expired: i64,
    /// Held units stay beyond this time, and all of them where there is a grace.
    pub expires_at: Option<Timestamp>,
    /// The lot is a kept plan's, its period has ended, and it lives on until then: see [`extend`](super::extend).
    pub grace_until: Option<Timestamp>,
    /// What was paid for it; `None` for a gift, and for what an earlier backend gave.
    pub cost: Option<Cost>,
}

impl Lot {
    /// When its units expire as far as is known now.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.expires_at.map(|end| end.max(self.grace_until.unwrap_or(end)))
    }

    /// Units that are not held.
    pub fn free(&self) -> i64 {
        self.remaining.saturating_sub(self.held)
    }

    /// Whether its expiry has passed at `at`. The instant itself counts as passed.
    pub fn is_over(&self, at: Timestamp) -> bool {
        self.ends_at().is_some_and(|end| end <= at)
    }

    /// The soonest-expiring first, then the oldest (`docs/rules.md`, rule 9). A grace does not change its place: the lot
    /// that may end at any moment is used before one with an end to come.
    fn order(&self) -> (bool, Option<Timestamp>, i64) {
        (self.expires_at.is_none(), self.expires_at, self.seq)
    }
}

/// One user's account, with every lot that still has units and any other lot that the coming move concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub number: i64,
    /// The sum of all deltas. Negative after a reversal of spent units.
    pub remaining: i64,
    pub held: i64,
    /// All units ever credited. Nothing reduces it.
    pub credited: i64,
    /// The last entry's `seq`; 0 before the first.
    pub entries: i64,
    /// The last entry's hash; zeros before the first.
    pub head: Hash,
    /// In no particular order.
    pub lots: Vec<Lot>,
}

/// One new entry and the account after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    pub entry: Entry,
    /// Its lots include those that have just become empty, so that they are stored too.
    pub after: Account,
}

/// Why a move is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// More units are asked for than are available, or than the hold has.
    InsufficientUnits { required: i64, available: i64 },
    /// The balance would pass [`BALANCE_LIMIT`].
    BalanceLimit,
    /// The movement is of zero units.
    NothingToMove,
    /// The caller did not load the lot that the move concerns.
    LotNotLoaded,
}

impl Account {
    /// A new, empty account.
    pub fn open(number: i64) -> Account {
        Account { number, remaining: 0, held: 0, credited: 0, entries: 0, head: [0; 32], lots: Vec::new() }
    }

    /// Units owed, because more was taken back than was left. The next credit repays them (`docs/rules.md`, rule 8).
    pub fn debt(&self) -> i64 {
        let in_lots = self.lots.iter().fold(0i64, |sum, lot| sum.saturating_add(lot.remaining));
        in_lots.saturating_sub(self.remaining)
    }

    /// Units that can be spent or held at `at`: the units in lots that have not expired, without held units, less the
    /// debt. If no lot has expired, this is `remaining - held`.
    pub fn available(&self, at: Timestamp) -> i64 {
        let live = self.lots.iter().filter(|lot| !lot.is_over(at));
        live.fold(0i64, |sum, lot| sum.saturating_add(lot.free())).saturating_sub(self.debt())
    }

    /// The earliest expiry of a lot with units that are not held.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.lots.iter().filter(|lot| lot.free() > 0).filter_map(Lot::ends_at).min()
    }

    /// The lot that the next spend takes from: the first in the order of rule 9 with units that are not held.
    pub fn front(&self) -> Option<&Lot> {
        self.lots.iter().filter(|lot| lot.free() > 0).min_by_key(|lot| lot.order())
    }

    pub(super) fn lot_mut(&mut self, seq: i64) -> Option<&mut Lot> {
        self.lots.iter_mut().find(|lot| lot.seq == seq)
    }

    /// Takes up to `units` free units from the lots that `may` accepts, in the order of rule 9. Returns the units that
    /// it could not take.
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
        self.sort();
        self.lots.iter_mut().for_each(&mut visit);
    }

    /// Puts the lots in the order of rule 9.
    pub(super) fn sort(&mut self) {
        if self.lots.len() > 1 {
            self.lots.sort_by_key(Lot::order);
        }
    }

    /// Pays the debt from units that have become free, so that there are never free units beside a debt (rule 8).
    pub(super) fn repay(&mut self) {
        let debt = self.debt();
        if debt > 0 {
            self.take(debt, |_| true);
        }
    }

    /// Appends the entry that moves `remaining` by `delta`. The caller changes the lots, before or after.
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

/// The fields of a new entry that `append` does not compute.
pub(super) struct Draft {
    pub kind: Kind,
    pub reason: String,
    pub note: Option<EntryNote>,
    pub lot: Option<i64>,
    pub expires_at: Option<Timestamp>,
}
