//! Credits: a paid pack, an allotment, a grant. Also corrections, which take units out without a payment to reverse.

use super::account::Draft;
use super::{Account, Cost, EntryNote, Kind, Lot, Posting, Refusal, Timestamp, Units};

/// A credit that opens a lot.
#[derive(Clone, Debug)]
pub struct Credit {
    /// `Topup`, `Subscription` or `Grant`.
    pub kind: Kind,
    pub units: Units,
    pub reason: String,
    pub note: Option<EntryNote>,
    pub expires_at: Option<Timestamp>,
    /// What was paid for them.
    pub cost: Option<Cost>,
}

/// Credits units. A debt is repaid first (rule 8). The rest of the credit is the new lot.
pub fn credit(account: &Account, credit: Credit, at: Timestamp) -> Result<Posting, Refusal> {
    let units = credit.units.count();
    let repaid = account.debt().clamp(0, units);
    let draft =
        Draft { kind: credit.kind, reason: credit.reason, note: credit.note, lot: None, expires_at: credit.expires_at };
    let mut posting = account.clone().append(units, draft, at)?;

    posting.after.lots.push(Lot {
        seq: posting.entry.seq,
        units,
        remaining: units.saturating_sub(repaid),
        held: 0,
        expired: 0,
        expires_at: credit.expires_at,
        grace_until: None,
        cost: credit.cost,
    });
    Ok(posting)
}

/// Takes units out without a payment to reverse: an operator's negative grant, or a plan's downgrade. Held units stay.
/// Units that are already spent become a debt (rule 8).
pub fn correct(
    account: &Account,
    kind: Kind,
    units: Units,
    reason: String,
    note: Option<EntryNote>,
    at: Timestamp,
) -> Result<Posting, Refusal> {
    let draft = Draft { kind, reason, note, lot: None, expires_at: None };
    let mut posting = account.clone().append(units.count().saturating_neg(), draft, at)?;
    posting.after.take(units.count(), |_| true);
    Ok(posting)
}
