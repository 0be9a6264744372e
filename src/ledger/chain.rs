//! The proof: walking an account's entries in order, each must follow from the one before.

use super::{BALANCE_LIMIT, Entry, Hash};

/// Where the books do not hold, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// The account's number.
    pub account: i64,
    /// The entry at which it shows; 0 for the account as a whole.
    pub seq: i64,
    /// What is wrong, in words.
    pub what: String,
}

/// A walk over one account's entries: what they add up to so far.
#[derive(Clone, Debug)]
pub struct Chain {
    account: i64,
    /// The last entry's `seq`.
    pub entries: i64,
    /// The sum of deltas.
    pub remaining: i64,
    /// All units ever credited.
    pub credited: i64,
    /// The last entry's hash.
    pub head: Hash,
}

impl Chain {
    /// Before the first entry.
    pub fn start(account: i64) -> Chain {
        Chain { account, entries: 0, remaining: 0, credited: 0, head: [0; 32] }
    }

    /// Takes the next entry, or says why it does not follow.
    pub fn follow(&mut self, entry: &Entry) -> Result<(), Discrepancy> {
        let broken = |what: String| Err(Discrepancy { account: self.account, seq: entry.seq, what });
        let expected = self.entries.saturating_add(1);
        if entry.account != self.account || entry.seq != expected {
            return broken(format!("entry {expected} is missing: {} follows", entry.seq));
        }
        if entry.previous != self.head {
            return broken("it does not carry the hash of the entry before: one of the two was changed".into());
        }
        let remaining = self.remaining.saturating_add(entry.delta);
        if entry.delta == 0 || remaining != entry.balance_after || remaining.saturating_abs() > BALANCE_LIMIT {
            return broken(format!("its balance is {}, its deltas add up to {remaining}", entry.balance_after));
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
