//! Reversals: a refund or a dispute takes back what a payment gave, and returns it if the refund fails or the dispute
//! is won.

use super::account::Draft;
use super::{Account, EntryNote, Fraction, Kind, Posting, Refusal, Timestamp};

/// What one payment gave, and what reversals have taken of it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The lots that it bought, oldest first: one for a pack, one per month for a yearly plan. Each is the `seq` of the
    /// entry that credited it.
    pub lots: Vec<i64>,
    pub units_granted: i64,
    pub units_reversed: i64,
}

/// A change of what the reversals of a payment take.
#[derive(Clone, Debug)]
pub struct Reversal {
    /// `Refund` or `Dispute`.
    pub kind: Kind,
    /// Units that all reversals of the payment take together from now on: see [`units_to_take`].
    pub take: i64,
    pub reason: String,
    pub note: Option<EntryNote>,
}

/// How much of a payment was returned without a dispute, in the currency's minor unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refunds {
    /// What was charged. A refund is a part of this.
    pub charged: i64,
    /// The price of what was bought: what was charged, plus what a credit balance paid. A credit note is a part of
    /// this.
    pub cost: i64,
    /// What refunds returned in total.
    pub refunded: i64,
    /// What credit notes returned without a refund by Stripe.
    pub credited_back: i64,
}

impl Refunds {
    /// The returned share of `units_granted` units, rounded down. A full refund takes all of them. Refunds and credit notes are
    /// parts of different wholes, so their shares are added. If a credit balance paid everything, nothing was charged
    /// that could be refunded. A payment of nothing cannot be refunded in part.
    fn share_of(self, units_granted: i64) -> i64 {
        let cost = if self.cost > 0 { self.cost } else { self.charged };
        match (self.charged, self.credited_back) {
            (charged, 0) => share(units_granted, self.refunded, charged),
            (0, credited) => share(units_granted, credited, cost),
            (charged, credited) => {
                let both = Fraction::of(self.refunded, charged).zip(Fraction::of(credited, cost));
                let both = both.and_then(|(refunded, credited)| refunded.plus(credited));
                let part = both.filter(|both| !both.is_whole()).and_then(|both| both.share_of(units_granted));
                part.unwrap_or(units_granted)
            }
        }
    }
}

/// How many of the `units_granted` units the reversals of a payment take together (`docs/rules.md`, rule 7). Refunds and credit
/// notes take their share. A dispute takes `units_granted × withheld ÷ disputed`, which is everything from its opening until
/// funds come back. Together they never take more than the payment gave.
pub fn units_to_take(units_granted: i64, refunds: Refunds, dispute: Option<DisputedFunds>) -> i64 {
    let refund = refunds.share_of(units_granted);
    let dispute = dispute.map_or(0, |dispute| share(units_granted, dispute.withheld, dispute.disputed));
    refund.saturating_add(dispute).clamp(0, units_granted.max(0))
}

/// What a dispute withholds from us: everything while it is open or lost, less what has been reinstated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisputedFunds {
    /// Minor units that are withheld now.
    pub withheld: i64,
    /// Minor units that were withdrawn when it opened.
    pub disputed: i64,
}

fn share(units_granted: i64, part: i64, whole: i64) -> i64 {
    if part <= 0 {
        return 0;
    }
    if part >= whole {
        return units_granted;
    }
    Fraction::of(part, whole).and_then(|part| part.share_of(units_granted)).unwrap_or(units_granted)
}

/// Changes what the reversals of `payment` take to `reversal.take`. Returns `Ok(None)` if they take that already.
///
/// Units are taken from the payment's own lots first, then from the others, never from held units. The rest becomes a
/// debt (`docs/rules.md`, rule 8). Returned units repay the debt first. The rest goes into the payment's newest lot and
/// takes its expiry, even if the units came from other lots. So a lot with held units can temporarily contain more than
/// was credited to it.
pub fn reverse(
    account: &Account,
    payment: &Payment,
    reversal: Reversal,
    at: Timestamp,
) -> Result<Option<Posting>, Refusal> {
    let take = reversal.take.clamp(0, payment.units_granted);
    let delta = payment.units_reversed.saturating_sub(take);
    if delta == 0 {
        return Ok(None);
    }
    let own = |seq: i64| payment.lots.contains(&seq);
    let Some(newest) = payment.lots.last().copied().filter(|seq| account.lots.iter().any(|lot| lot.seq == *seq)) else {
        return Err(Refusal::LotNotLoaded);
    };

    let draft = Draft {
        kind: reversal.kind,
        reason: reversal.reason,
        note: reversal.note,
        lot: Some(newest),
        expires_at: None,
    };
    let repaid = account.debt().clamp(0, delta.max(0));
    let mut posting = account.clone().append(delta, draft, at)?;
    let after = &mut posting.after;
    if delta < 0 {
        let left = after.take(delta.saturating_neg(), |lot| own(lot.seq));
        after.take(left, |_| true);
    } else if let Some(lot) = after.lot_mut(newest) {
        lot.remaining = lot.remaining.saturating_add(delta.saturating_sub(repaid));
    }
    Ok(Some(posting))
}

#[cfg(test)]
mod tests {
    use super::{DisputedFunds, Refunds, units_to_take};

    #[test]
    fn a_refund_takes_its_share_rounded_down_and_a_full_one_takes_all() {
        for (units_granted, paid, refunded, take) in [
            (100, 900, 0, 0),
            (100, 900, 450, 50),
            (100, 900, 1, 0),
            (100, 900, 899, 99),
            (100, 900, 900, 100),
            (100, 900, 1000, 100),
            (100, 900, -5, 0),
            (100, 0, 0, 0),
            (100, 0, 1, 100),
            (3, 1000, 334, 1),
            (1_000_000_000, 99_999_999, 99_999_998, 999_999_989),
        ] {
            let refunds = Refunds { charged: paid, cost: paid, refunded, credited_back: 0 };
            assert_eq!(
                units_to_take(units_granted, refunds, None),
                take,
                "{units_granted} for {paid}, {refunded} back"
            );
        }
    }

    #[test]
    fn a_credit_note_takes_its_share_of_the_cost_and_a_refund_its_share_of_the_charge() {
        for (charged, cost, refunded, credited_back, take) in [
            (900, 900, 0, 450, 50),
            (900, 900, 450, 450, 100),
            (600, 900, 0, 450, 50),
            (600, 900, 300, 450, 100),
            (600, 900, 200, 300, 66),
            (0, 900, 0, 450, 50),
            (0, 900, 1, 450, 50),
            (900, 0, 300, 300, 66),
            (0, 0, 0, 1, 100),
        ] {
            let refunds = Refunds { charged, cost, refunded, credited_back };
            assert_eq!(units_to_take(100, refunds, None), take, "{refunds:?}");
        }
    }

    #[test]
    fn a_dispute_takes_all_that_is_withheld_and_with_a_refund_never_more_than_was_given() {
        for (refunded, withheld, take) in [(0, 900, 100), (450, 900, 100), (450, 450, 100), (0, 300, 33), (450, 0, 50)]
        {
            let dispute = Some(DisputedFunds { withheld, disputed: 900 });
            let refunds = Refunds { charged: 900, cost: 900, refunded, credited_back: 0 };
            assert_eq!(units_to_take(100, refunds, dispute), take, "{refunded} refunded, {withheld} withheld");
        }
    }
}
