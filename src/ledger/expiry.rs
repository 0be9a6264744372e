//! Expiry: when a lot's time has passed, its units that are not held leave the balance.

use super::account::Draft;
use super::{Account, Kind, Lot, Posting, Refusal, Timestamp, entry_id};

/// Whether a lot has expired at `at` with units that are not held.
pub fn due(account: &Account, at: Timestamp) -> bool {
    first_due(account, at).is_some()
}

/// Expires one lot that is due, the soonest first. Returns `None` when none is due; call it until then.
///
/// The reason is `expire_<lot>`. Units that a hold returns after their lot has expired expire under the same reason
/// with the entry's own number.
pub fn expire(account: &Account, at: Timestamp) -> Option<Result<Posting, Refusal>> {
    let lot = first_due(account, at)?;
    let seq = lot.seq;
    let units = lot.free();
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
