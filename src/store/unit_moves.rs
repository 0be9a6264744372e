//! What entries and holds add to the figures of units and of their value. The writes add it, and the proof adds all of it up
//! once more.

use super::db::{Figure, FigureChange};
use crate::ledger::{Currency, Entry, Kind, Lot, LotChange, ValueChange, value_changes};

/// What an entry adds to the figures of units.
pub(super) fn moved(entry: &Entry) -> FigureChange {
    let figure = match entry.kind {
        Kind::Topup | Kind::Subscription if entry.delta > 0 => Figure::Bought,
        Kind::Grant if entry.delta > 0 => Figure::Given,
        Kind::Spend => Figure::Used,
        Kind::Expiry => Figure::Expired,
        _ => Figure::Reversed,
    };
    let units = match figure {
        Figure::Bought | Figure::Given => entry.delta,
        _ => entry.delta.saturating_neg(),
    };
    FigureChange::at(entry.created_at, "", figure, units)
}

/// What a change of lots adds to the figures of value, and of the units that are left.
pub(super) fn value_moved(before: &[Lot], after: &[Lot], lot_change: LotChange<'_>) -> Vec<FigureChange> {
    let mut moved = vec![];
    for (currency, change) in value_changes(before, after, lot_change) {
        let currency = currency.as_ref().map_or("", Currency::as_str);
        let ValueChange { added, earned, forfeited, reversed, left } = change;
        for (figure, amount) in [
            (Figure::ValueAdded, added),
            (Figure::Earned, earned),
            (Figure::Forfeited, forfeited),
            (Figure::ValueReversed, reversed),
            (Figure::Left, left),
        ] {
            if amount != 0 {
                moved.push(FigureChange::at(lot_change.at(), currency, figure, amount));
            }
        }
    }
    moved
}
