//! Which lots each entry drew on, and what became of each lot. The books keep only what is left of a lot. The rest follows
//! from the entries and the holds, when the rules are applied to them once more in their order.

use std::collections::BTreeMap;

use super::expiry::expire_lot;
use super::{
    Account, Capture, Cost, Credit, Entry, GRACE_LIMIT_DAYS, Kind, Lot, Part, Payment, Refusal, Reversal, Spend, Units,
    capture, correct, credit, release, reverse, spend,
};

/// What one entry did to the lots. Its delta is `put` and `repaid`, less `taken` and `owed`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryEffect {
    /// Units taken out of lots, in the order in which lots are used.
    pub taken: Vec<Part>,
    /// Units put into a lot: what a credit opened it with, or what a reversal gave back.
    pub put: Option<Part>,
    /// Units that no lot had any more. The debt grew by them.
    pub owed: i64,
    /// Units that came in and repaid the debt.
    pub repaid: i64,
}

/// What became of the units of one lot. `units` and `returned`, less all that left it, is `left`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LotFate {
    /// What was credited.
    pub units: i64,
    pub spent: i64,
    pub expired: i64,
    /// Taken by refunds and disputes, of its own payment or another.
    pub reversed: i64,
    /// Taken by the operator, or by a downgrade.
    pub corrected: i64,
    /// Went into a debt.
    pub repaid: i64,
    /// Given back by a reversal that was undone.
    pub returned: i64,
    pub left: i64,
    /// Of what is left.
    pub held: i64,
}

/// What an entry concerns beside what it says itself.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// Nothing else.
    Account,
    /// The hold that it captures: the units that were set aside.
    Hold(&'a [Part]),
    /// The payment that it reverses: the lots that it had bought by then, oldest first.
    Payment(&'a [i64]),
}

/// An account on its way through what was recorded of it. It fails (`None`) at a record that does not follow.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Its lots are those with units.
    account: Account,
    empty: BTreeMap<i64, Lot>,
    fates: BTreeMap<i64, LotFate>,
}

impl Replay {
    /// From a moment at which the account had no units, no debt and no holds. `empty` are lots from before it.
    pub fn begin(account: Account, empty: impl IntoIterator<Item = Lot>) -> Replay {
        let empty = empty.into_iter().map(|lot| (lot.seq, lot)).collect();
        Replay { account, empty, fates: BTreeMap::new() }
    }

    /// Lots that have units now.
    pub fn open_lots(&self) -> &[Lot] {
        &self.account.lots
    }

    /// The same, and the lot with this number, also where all of it repaid a debt.
    pub fn lots_with(&self, seq: i64) -> Vec<Lot> {
        let empty = self.empty.get(&seq);
        self.account.lots.iter().chain(empty).cloned().collect()
    }

    /// Says what was paid for a lot that has units.
    pub fn set_cost(&mut self, seq: i64, cost: Option<Cost>) {
        if let Some(lot) = self.account.lot_mut(seq) {
            lot.cost = cost;
        } else if let Some(lot) = self.empty.get_mut(&seq) {
            lot.cost = cost;
        }
    }

    /// What became of the lots that were opened since the beginning, by their seq.
    pub fn into_fates(mut self) -> BTreeMap<i64, LotFate> {
        for lot in &self.account.lots {
            if let Some(fate) = self.fates.get_mut(&lot.seq) {
                (fate.left, fate.held) = (lot.remaining, lot.held);
            }
        }
        self.fates
    }

    /// A hold was made, whose units lie in these lots.
    pub fn hold(&mut self, parts: &[Part]) -> Option<()> {
        for part in parts {
            let lot = self.account.lot_mut(part.lot)?;
            lot.held = lot.held.saturating_add(part.units);
            self.account.held = self.account.held.saturating_add(part.units);
        }
        Some(())
    }

    /// A hold ended without a charge.
    pub fn release(&mut self, parts: &[Part]) -> Option<()> {
        let mut after = release(&self.account, parts).ok()?;
        after.sort();
        for (seq, units) in changes(&self.account, &after) {
            self.change(seq, |fate| fate.repaid = fate.repaid.saturating_sub(units));
        }
        self.keep(after);
        Some(())
    }

    /// The next entry.
    pub fn entry(&mut self, entry: &Entry, subject: Subject<'_>) -> Option<EntryEffect> {
        if let Subject::Payment(own) = subject {
            let own = own.iter().filter_map(|seq| self.empty.remove(seq));
            self.account.lots.extend(own);
            self.account.sort();
        }
        let (mut after, made) = self.apply(entry, subject).ok().flatten()?;
        let said = |entry: &Entry| (entry.seq, entry.delta, entry.balance_after, entry.lot);
        if said(&made) != said(entry) {
            return None;
        }
        if entry.kind == Kind::Subscription
            && let Some(lot) = after.lot_mut(entry.seq)
        {
            // How long it lived on is not recorded. Its expiry is, and before that it was not over.
            let grace_seconds = i64::from(GRACE_LIMIT_DAYS).saturating_mul(86_400);
            lot.grace_until = lot.expires_at.map(|end| end.plus_seconds(grace_seconds));
        }
        after.sort();
        let effect = self.note(entry, subject, &after);
        self.keep(after);
        Some(effect)
    }

    /// What the rules make of it; `None` for what no rule makes.
    fn apply(&self, entry: &Entry, subject: Subject<'_>) -> Result<Option<(Account, Entry)>, Refusal> {
        let (account, at, kind) = (&self.account, entry.created_at, entry.kind);
        let (reason, note) = (String::new(), None);
        let count = entry.delta.saturating_abs();
        let units = Units::new(count);
        let posting = match (kind, entry.delta > 0, subject) {
            (Kind::Refund | Kind::Dispute, is_back, Subject::Payment(own)) => {
                let (reversed, take) = if is_back { (count, 0) } else { (0, count) };
                let payment = Payment { lots: own.to_vec(), units_granted: count, units_reversed: reversed };
                reverse(account, &payment, Reversal { kind, take, reason, note }, at)?
            }
            (Kind::Expiry, false, _) => match entry.lot {
                Some(lot) => Some(expire_lot(account, lot, at)?),
                None => None,
            },
            (Kind::Spend, false, Subject::Hold(parts)) => {
                units.map(|units| capture(account, parts, Capture { units, reason, note }, at)).transpose()?
            }
            (Kind::Spend, false, _) => {
                units.map(|units| spend(account, Spend { units, reason, note }, at)).transpose()?
            }
            (Kind::Topup | Kind::Subscription | Kind::Grant, true, _) => units
                .map(|units| {
                    credit(account, Credit { kind, units, reason, note, expires_at: entry.expires_at, cost: None }, at)
                })
                .transpose()?,
            (Kind::Topup | Kind::Subscription | Kind::Grant, false, _) => {
                units.map(|units| correct(account, kind, units, reason, note, at)).transpose()?
            }
            _ => None,
        };
        Ok(posting.map(|posting| (posting.after, posting.entry)))
    }

    /// Notes what changed in each lot by the entry.
    fn note(&mut self, entry: &Entry, subject: Subject<'_>, after: &Account) -> EntryEffect {
        let owed = after.debt().saturating_sub(self.account.debt());
        let mut effect = EntryEffect::default();
        let mut captured = entry.delta.saturating_neg();
        if entry.kind.is_credit() && entry.delta > 0 {
            self.fates.insert(entry.seq, LotFate { units: entry.delta, ..LotFate::default() });
        }
        for (seq, units) in changes(&self.account, after) {
            if units > 0 {
                effect.put = Some(Part { lot: seq, units });
                let is_new = seq == entry.seq;
                self.change(seq, |fate| fate.returned = fate.returned.saturating_add(if is_new { 0 } else { units }));
                continue;
            }
            let mut taken = units.saturating_neg();
            if let Subject::Hold(parts) = subject {
                // What the hold did not use may have repaid a debt.
                let part = parts.iter().find(|part| part.lot == seq).map_or(0, |part| part.units);
                let used = taken.min(captured).min(part);
                let repaid = taken.saturating_sub(used);
                self.change(seq, |fate| fate.repaid = fate.repaid.saturating_add(repaid));
                captured = captured.saturating_sub(used);
                taken = used;
            }
            if taken > 0 {
                effect.taken.push(Part { lot: seq, units: taken });
                self.change(seq, |fate| fate.take(entry.kind, taken));
            }
        }
        if !matches!(subject, Subject::Hold(_)) {
            (effect.owed, effect.repaid) = (owed.max(0), owed.saturating_neg().max(0));
        }
        if entry.kind.is_credit() {
            self.change(entry.seq, |fate| fate.repaid = fate.repaid.saturating_add(effect.repaid));
        }
        effect
    }

    fn change(&mut self, seq: i64, change: impl FnOnce(&mut LotFate)) {
        if let Some(fate) = self.fates.get_mut(&seq) {
            change(fate);
        }
    }

    /// Goes on with the account as it is afterwards.
    fn keep(&mut self, after: Account) {
        self.account = after;
        let empty = self.account.lots.extract_if(.., |lot| lot.remaining == 0 && lot.held == 0);
        self.empty.extend(empty.map(|lot| (lot.seq, lot)));
    }
}

impl LotFate {
    fn take(&mut self, kind: Kind, units: i64) {
        let sum = match kind {
            Kind::Spend => &mut self.spent,
            Kind::Expiry => &mut self.expired,
            Kind::Refund | Kind::Dispute => &mut self.reversed,
            Kind::Topup | Kind::Subscription | Kind::Grant => &mut self.corrected,
        };
        *sum = sum.saturating_add(units);
    }
}

/// By how many units each lot changed. Both accounts have their lots in order, and the one after may have one more.
fn changes(before: &Account, after: &Account) -> Vec<(i64, i64)> {
    let mut old = before.lots.iter().peekable();
    let change = |lot: &Lot| {
        let was = old.next_if(|old| old.seq == lot.seq).map_or(0, |old| old.remaining);
        (lot.seq, lot.remaining.saturating_sub(was))
    };
    after.lots.iter().map(change).filter(|(_, units)| *units != 0).collect()
}
