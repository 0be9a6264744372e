//! Units are set aside for work under way, and then used, in part or whole, or given back. A hold moves no entry: it
//! marks units in their lots, which nothing else may take meanwhile, not even their expiry.

use super::account::Draft;
use super::{Account, Kind, Posting, Refusal, Timestamp, Units};

/// Units of one lot that a hold has set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The lot: the `seq` of the entry that opened it.
    pub lot: i64,
    /// Units of it, from 1.
    pub units: i64,
}

/// The account after units were set aside, and where they lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The account to store.
    pub after: Account,
    /// The lots, in the order in which a capture uses them.
    pub parts: Vec<Part>,
}

/// The use of a hold's units.
#[derive(Clone, Debug)]
pub struct Capture {
    /// How many, at most what is held.
    pub units: Units,
    /// What makes it happen once: `hold_<id>`.
    pub reason: String,
    /// A sentence for people.
    pub note: Option<String>,
}

/// Sets units aside, out of the soonest-expiring lot first, then the oldest (rules 2 and 9).
pub fn hold(account: &Account, units: Units, at: Timestamp) -> Result<Held, Refusal> {
    let units = units.count();
    let available = account.available(at);
    if available < units {
        return Err(Refusal::InsufficientUnits { required: units, available });
    }

    let mut after = account.clone();
    let (mut parts, mut left) = (vec![], units);
    after.in_order(|lot| {
        let taken = if lot.is_over(at) { 0 } else { left.min(lot.free()) };
        if taken > 0 {
            lot.held = lot.held.saturating_add(taken);
            left = left.saturating_sub(taken);
            parts.push(Part { lot: lot.seq, units: taken });
        }
    });
    after.held = after.held.saturating_add(units);
    Ok(Held { after, parts })
}

/// Uses up to all of a hold's units, those that expire soonest first; the rest goes back. What the balance is plays no
/// part: the units were there when they were set aside.
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

/// Gives all of a hold's units back. What was reversed meanwhile is owed, and is taken out of them first (rule 8).
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
