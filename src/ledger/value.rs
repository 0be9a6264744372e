//! What units are worth: what was paid for a lot, spread over its units. As units are used, expire or are taken back, their
//! part of it is earned, forfeited or reversed; what is left is owed in units. Gifts are worth nothing.

use std::collections::BTreeMap;

use super::{Currency, Entry, Kind, Lot, Timestamp};

impl Lot {
    /// What the units that are left were paid with, rounded down: the parts of all moves add up to the cost exactly.
    pub fn value(&self) -> i64 {
        let amount = self.cost.map_or(0, |cost| cost.amount);
        let whole = i128::from(amount).saturating_mul(i128::from(self.remaining));
        let value = whole.checked_div(i128::from(self.units)).unwrap_or(0);
        i64::try_from(value).unwrap_or(i64::MAX)
    }
}

/// What changed the units in lots.
#[derive(Clone, Copy, Debug)]
pub enum LotChange<'a> {
    Entry(&'a Entry),
    /// A hold was made, released or ran out. What it gives back may repay a debt of units that were used.
    Hold(Timestamp),
}

impl LotChange<'_> {
    /// When.
    pub fn at(self) -> Timestamp {
        match self {
            LotChange::Entry(entry) => entry.created_at,
            LotChange::Hold(at) => at,
        }
    }
}

/// How the value of lots changed, and the units in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValueChange {
    /// The cost of units that were credited.
    pub added: i64,
    /// Of units that were used.
    pub earned: i64,
    /// Of units that expired.
    pub forfeited: i64,
    /// Of units that were taken back; negative where they came back.
    pub reversed: i64,
    /// Units, and not money.
    pub left: i64,
}

/// How the value of lots changed, by the currency that they were paid in; `None` for units that nothing was paid for. Lots
/// that did not change need not be there, before or after.
pub fn value_changes(
    before: &[Lot],
    after: &[Lot],
    lot_change: LotChange<'_>,
) -> BTreeMap<Option<Currency>, ValueChange> {
    let mut pairs: BTreeMap<i64, [Option<&Lot>; 2]> = BTreeMap::new();
    before.iter().for_each(|lot| pairs.entry(lot.seq).or_default()[0] = Some(lot));
    after.iter().for_each(|lot| pairs.entry(lot.seq).or_default()[1] = Some(lot));
    let mut changes: BTreeMap<Option<Currency>, ValueChange> = BTreeMap::new();
    for [old, new] in pairs.into_values() {
        let left = |lot: Option<&Lot>| lot.map_or(0, |lot| lot.remaining);
        let value = |lot: Option<&Lot>| lot.map_or(0, Lot::value);
        let cost = new.or(old).and_then(|lot| lot.cost);
        let is_opened = old.is_none()
            && matches!(lot_change, LotChange::Entry(entry) if new.is_some_and(|lot| lot.seq == entry.seq));
        let units = left(new).saturating_sub(left(old));
        if units == 0 && !is_opened {
            continue;
        }
        let change = changes.entry(cost.map(|cost| cost.currency)).or_default();
        change.left = change.left.saturating_add(units);
        let gone = value(old).saturating_sub(value(new));
        if is_opened {
            // What of it repaid a debt at once was used before.
            let added = cost.map_or(0, |cost| cost.amount);
            change.added = change.added.saturating_add(added);
            change.earned = change.earned.saturating_add(added.saturating_add(gone));
            continue;
        }
        let sum = match lot_change {
            LotChange::Entry(entry) if entry.kind == Kind::Expiry => &mut change.forfeited,
            LotChange::Entry(entry) if entry.kind != Kind::Spend => &mut change.reversed,
            LotChange::Entry(_) | LotChange::Hold(_) => &mut change.earned,
        };
        *sum = sum.saturating_add(gone);
    }
    changes
}

/// Splits what was paid over parts by their units. The parts add up to it, unless no part has units.
pub fn split_cost(cost: i64, parts: &[i64]) -> Vec<i64> {
    let positive = |units: &i64| i128::from((*units).max(0));
    let whole: i128 = parts.iter().map(positive).fold(0, i128::saturating_add);
    let share = |units: i128| i128::from(cost).saturating_mul(units).checked_div(whole).unwrap_or(0);
    let (mut units, mut before) = (0i128, 0i128);
    let mut costs = Vec::with_capacity(parts.len());
    for part in parts {
        units = units.saturating_add(positive(part));
        let until = share(units);
        costs.push(i64::try_from(until.saturating_sub(before)).unwrap_or(0));
        before = until;
    }
    costs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_paid_is_split_by_units_and_adds_up() {
        for (cost, parts, costs) in [
            (900, vec![100], vec![900]),
            (10_800, vec![100; 12], vec![900; 12]),
            (100, vec![1, 1, 1], vec![33, 33, 34]),
            (100, vec![-5, 2, 1], vec![0, 66, 34]),
            (0, vec![1, 2], vec![0, 0]),
            (900, vec![0, -1], vec![0, 0]),
            (900, vec![], vec![]),
            (i64::MAX, vec![1_000_000_000, 1], vec![9_223_372_027_631_403_779, 9_223_372_028]),
        ] {
            assert_eq!(split_cost(cost, &parts), costs, "{cost} over {parts:?}");
        }
    }
}
