//! Spends: units are used, never more than are available.

use super::account::Draft;
use super::{Account, EntryNote, Kind, Posting, Refusal, Timestamp, Units};

/// A use of units.
#[derive(Clone, Debug)]
pub struct Spend {
    pub units: Units,
    /// `spend_<key>`.
    pub reason: String,
    pub note: Option<EntryNote>,
}

/// Spends units, from the soonest-expiring lot first, then the oldest (rules 2 and 9).
pub fn spend(account: &Account, spend: Spend, at: Timestamp) -> Result<Posting, Refusal> {
    let units = spend.units.count();
    let available = account.available(at);
    if available < units {
        return Err(Refusal::InsufficientUnits { required: units, available });
    }

    let draft = Draft { kind: Kind::Spend, reason: spend.reason, note: spend.note, lot: None, expires_at: None };
    let mut posting = account.clone().append(units.saturating_neg(), draft, at)?;
    posting.after.take(units, |lot| !lot.is_over(at));
    Ok(posting)
}
