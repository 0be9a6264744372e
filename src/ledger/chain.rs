//! The proof of the books: each entry of an account must follow from the one before it.

use super::{BALANCE_LIMIT, Entry, Hash};

/// A place where the books are inconsistent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    pub account: i64,
    /// 0 for the account as a whole.
    pub seq: i64,
    pub what: String,
}

/// A walk over one account's entries, with their sums so far.
#[derive(Clone, Debug)]
pub struct Chain {
    pub account: i64,
    /// The last entry's `seq`.
    pub entries: i64,
    pub remaining: i64,
    pub credited: i64,
    pub head: Hash,
}

impl Chain {
    /// A walk before the first entry.
    pub fn start(account: i64) -> Chain {
        Chain { account, entries: 0, remaining: 0, credited: 0, head: [0; 32] }
    }

    /// Takes the next entry. Fails if it does not follow from the entries before.
    pub fn follow(&mut self, entry: &Entry) -> Result<(), Discrepancy> {
        let broken = |what: String| Err(Discrepancy { account: self.account, seq: entry.seq, what });
        let expected = self.entries.saturating_add(1);
        if entry.account != self.account || entry.seq != expected {
            return broken(format!("entry {expected} is missing: {} follows", entry.seq));
        }
        if entry.previous != self.head {
            return broken("it does not carry the hash of the previous entry: one of the two was changed".into());
        }
        if entry.note.as_ref().is_some_and(|note| !note.is_genuine()) {
            return broken("its note is not the one that was written: it was changed, or erased in part".into());
        }
        let remaining = self.remaining.saturating_add(entry.delta);
        if entry.delta == 0 || remaining != entry.balance_after || remaining.saturating_abs() > BALANCE_LIMIT {
            return broken(format!("its balance is {}, but the deltas add up to {remaining}", entry.balance_after));
        }

        self.entries = entry.seq;
        self.remaining = remaining;
        if entry.kind.is_credit() {
            self.credited = self.credited.saturating_add(entry.delta.max(0));
        }
        self.head = entry.hash();
        Ok(())
    }
}
