//! Expiry: when a lot's time has passed, its units that are not held leave the balance. A lot of a plan that is kept may
//! get a grace before that, because its successor comes with an invoice that is paid an hour or days after the period.

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
    first_due(account, at).map(|lot| expire_lot(account, lot.seq, at))
}

/// Expires what is not held of this lot.
pub(super) fn expire_lot(account: &Account, seq: i64, at: Timestamp) -> Result<Posting, Refusal> {
    let lot = account.lots.iter().find(|lot| lot.seq == seq).ok_or(Refusal::LotNotLoaded)?;
    let units = lot.free();
    let name = entry_id(account.number, seq);
    let reason = match lot.expired {
        0 => format!("expire_{name}"),
        _ => format!("expire_{name}_{}", account.entries.saturating_add(1)),
    };
    let draft = Draft { kind: Kind::Expiry, reason, note: None, lot: Some(seq), expires_at: None };
    let mut posting = account.clone().append(units.saturating_neg(), draft, at)?;
    if let Some(lot) = posting.after.lot_mut(seq) {
        lot.remaining = lot.remaining.saturating_sub(units);
        lot.expired = lot.expired.saturating_add(units);
    }
    Ok(posting)
}

/// Lets a lot live on until `until`, although its own time has passed (rule 9). Nothing moves.
pub fn extend(account: &Account, seq: i64, until: Timestamp) -> Result<Account, Refusal> {
    let mut after = account.clone();
    let lot = after.lot_mut(seq).filter(|lot| lot.expires_at.is_some_and(|end| end < until));
    lot.ok_or(Refusal::LotNotLoaded)?.grace_until = Some(until);
    Ok(after)
}

/// Ends a lot's grace, so that its own time counts again: its successor has come, or its plan is kept no longer.
pub fn end_grace(account: &Account, seq: i64) -> Result<Account, Refusal> {
    let mut after = account.clone();
    after.lot_mut(seq).ok_or(Refusal::LotNotLoaded)?.grace_until = None;
    Ok(after)
}

fn first_due(account: &Account, at: Timestamp) -> Option<&Lot> {
    account.lots.iter().filter(|lot| lot.is_over(at) && lot.free() > 0).min_by_key(|lot| (lot.expires_at, lot.seq))
}
