//! A payment is undone, in part or in whole: a refund or a dispute takes back what it gave, and gives it back again
//! when the refund fails or the dispute is won.

use super::account::Draft;
use super::{Account, Kind, Posting, Refusal, Timestamp};

/// What one payment gave, and what reversals have taken of it so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The lot that it bought: the `seq` of the entry that credited it.
    pub lot: i64,
    /// Units that it gave.
    pub gave: i64,
    /// Units of those that reversals have taken.
    pub taken: i64,
}

/// A change of what reversals take of a payment.
#[derive(Clone, Debug)]
pub struct Reversal {
    /// `Refund` or `Dispute`.
    pub kind: Kind,
    /// Units that all reversals of the payment together take from now on: see [`units_to_take`].
    pub take: i64,
    /// What makes it happen once.
    pub reason: String,
    /// A sentence for people.
    pub note: Option<String>,
}

/// Rule 7: of a payment that gave `gave` units for `paid`, a refund of `refunded` in all takes
/// `gave × refunded ÷ paid`, rounded down, a full one all; an open or lost dispute takes all; both together never more
/// than it gave. Amounts are in the currency's minor unit. A payment of nothing cannot be refunded in part.
pub fn units_to_take(gave: i64, paid: i64, refunded: i64, disputed: bool) -> i64 {
    if disputed || (refunded > 0 && refunded >= paid) {
        return gave;
    }
    if refunded <= 0 {
        return 0;
    }
    let share = i128::from(gave).saturating_mul(i128::from(refunded)).checked_div(i128::from(paid)).unwrap_or(0);
    i64::try_from(share).unwrap_or(gave).clamp(0, gave)
}

/// Moves what reversals of `payment` take to `reversal.take`. `Ok(None)` when that is what they take already.
///
/// Taking: first from the payment's own lot, then from the others, never from held units; the rest becomes a debt
/// (rule 8). Giving back: first the debt, then into the payment's own lot, with its expiry, also what came from others
/// (so that a lot of which something is held may for a while have more than was credited to it).
pub fn reverse(
    account: &Account,
    payment: Payment,
    reversal: Reversal,
    at: Timestamp,
) -> Result<Option<Posting>, Refusal> {
    let take = reversal.take.clamp(0, payment.gave);
    let delta = payment.taken.saturating_sub(take);
    if delta == 0 {
        return Ok(None);
    }
    if !account.lots.iter().any(|lot| lot.seq == payment.lot) {
        return Err(Refusal::LotNotLoaded);
    }

    let draft = Draft {
        kind: reversal.kind,
        reason: reversal.reason,
        note: reversal.note,
        lot: Some(payment.lot),
        expires_at: None,
    };
    let repaid = account.debt().clamp(0, delta.max(0));
    let mut posting = account.clone().append(delta, draft, at)?;
    let after = &mut posting.after;
    if delta < 0 {
        let left = after.take(delta.saturating_neg(), |lot| lot.seq == payment.lot);
        after.take(left, |_| true);
    } else if let Some(lot) = after.lot_mut(payment.lot) {
        lot.remaining = lot.remaining.saturating_add(delta.saturating_sub(repaid));
    }
    Ok(Some(posting))
}

#[cfg(test)]
mod tests {
    use super::units_to_take;

    #[test]
    fn a_refund_takes_its_share_rounded_down_and_a_full_one_takes_all() {
        for (gave, paid, refunded, disputed, take) in [
            (100, 900, 0, false, 0),
            (100, 900, 450, false, 50),
            (100, 900, 1, false, 0),
            (100, 900, 899, false, 99),
            (100, 900, 900, false, 100),
            (100, 900, 1000, false, 100),
            (100, 900, -5, false, 0),
            (100, 900, 450, true, 100),
            (100, 0, 0, false, 0),
            (100, 0, 1, false, 100),
            (3, 1000, 334, false, 1),
            (1_000_000_000, 99_999_999, 99_999_998, false, 999_999_989),
        ] {
            assert_eq!(units_to_take(gave, paid, refunded, disputed), take, "{gave} for {paid}, {refunded} back");
        }
    }
}
