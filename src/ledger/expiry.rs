//! A lot's time is over: what nothing holds leaves the balance.

use super::account::Draft;
use super::{Account, Kind, Lot, Posting, Refusal, Timestamp, entry_id};

/// Whether a lot is over at `at` with units that nothing holds.
pub fn due(account: &Account, at: Timestamp) -> bool {
    first_due(account, at).is_some()
}

/// Expires one lot that is due, the soonest first; `None` when none is. Call it again until it answers `None`.
/// The reason is `expire_<lot>`; units that a hold kept beyond the lot's time and then gave back expire under the same
/// reason and the entry's own number.
pub fn expire(account: &Account, at: Timestamp) -> Option<Result<Posting, Refusal>> {
    let lot = first_due(account, at)?;
    let (seq, units) = (lot.seq, lot.free());
    let name = entry_id(account.number, seq);
    let reason = match lot.expired {
        0 => format!("expire_{name}"),
        _ => format!("expire_{name}_{}", account.entries.saturating_add(1)),
    };
    let draft = Draft { kind: Kind::Expiry, reason, note: None, lot: Some(seq), expires_at: None };
    Some(account.clone().append(units.saturating_neg(), draft, at).map(|mut posting| {
        if let Some(lot) = posting.after.lot_mut(seq) {
            lot.remaining = lot.remaining.saturating_sub(units);
            lot.expired = lot.expired.saturating_add(units);
        }
        posting
    }))
}

fn first_due(account: &Account, at: Timestamp) -> Option<&Lot> {
    account.lots.iter().filter(|lot| lot.is_over(at) && lot.free() > 0).min_by_key(|lot| (lot.expires_at, lot.seq))
}
