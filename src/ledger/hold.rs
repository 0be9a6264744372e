//! Holds: units are set aside for work in progress, then used, in part or whole, or given back. A hold adds no entry.
//! It marks units in their lots, and nothing else may take those, not even expiry.

use super::account::Draft;
use super::{Account, EntryNote, Kind, Posting, Refusal, Timestamp, Units};

/// Units of one lot that a hold has set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The `seq` of the entry that opened the lot.
    pub lot: i64,
    /// At least 1.
    pub units: i64,
}

/// The account after units were set aside, and the lots that they are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldPosting {
    pub after: Account,
    /// In the order in which a capture uses them.
    pub parts: Vec<Part>,
}

/// The use of a hold's units.
#[derive(Clone, Debug)]
pub struct Capture {
    /// At most what is held.
    pub units: Units,
    /// `hold_<id>`.
    pub reason: String,
    pub note: Option<EntryNote>,
}

/// Sets units aside, from the soonest-expiring lot first, then the oldest (rules 2 and 9).
pub fn hold(account: &Account, units: Units, at: Timestamp) -> Result<HoldPosting, Refusal> {
    let units = units.count();
    let available = account.available(at);
    if available < units {
        return Err(Refusal::InsufficientUnits { required: units, available });
    }

    let mut after = account.clone();
    let mut parts = vec![];
    let mut left = units;
    after.in_order(|lot| {
        let taken = if lot.is_over(at) { 0 } else { left.min(lot.free()) };
        if taken > 0 {
            lot.held = lot.held.saturating_add(taken);
            left = left.saturating_sub(taken);
            parts.push(Part { lot: lot.seq, units: taken });
        }
    });
    after.held = after.held.saturating_add(units);
    Ok(HoldPosting { after, parts })
}

/// Uses up to all of a hold's units, the soonest-expiring first. The rest goes back. The balance does not matter: the
/// units were available when they were set aside (rule 2).
pub fn capture(account: &Account, parts: &[Part], capture: Capture, at: Timestamp) -> Result<Posting, Refusal> {
    let units = capture.units.count();
    let held = parts.iter().fold(0i64, |sum, part| sum.saturating_add(part.units));
    if units > held {
        return Err(Refusal::InsufficientUnits { required: units, available: held });
    }
    let freed = freed(account, parts)?;

    let draft = Draft { kind: Kind::Spend, reason: capture.reason, note: capture.note, lot: None, expires_at: None };
    let mut posting = freed.append(units.saturating_neg(), draft, at)?;
    let mut left = units;
    posting.after.in_order(|lot| {
        let part = parts.iter().find(|part| part.lot == lot.seq).map_or(0, |part| part.units);
        let used = left.min(part);
        lot.remaining = lot.remaining.saturating_sub(used);
        left = left.saturating_sub(used);
    });
    posting.after.repay();
    Ok(posting)
}

/// Gives all of a hold's units back. A debt that arose in the meantime is repaid from them first (rule 8).
pub fn release(account: &Account, parts: &[Part]) -> Result<Account, Refusal> {
    let mut after = freed(account, parts)?;
    after.repay();
    Ok(after)
}

fn freed(account: &Account, parts: &[Part]) -> Result<Account, Refusal> {
    let mut after = account.clone();
    for part in parts {
        let lot = after.lot_mut(part.lot).filter(|lot| lot.held >= part.units).ok_or(Refusal::LotNotLoaded)?;
        lot.held = lot.held.saturating_sub(part.units);
        after.held = after.held.saturating_sub(part.units);
    }
    Ok(after)
}
