//! Where a user's units lie: in this month's allotment of the plan, in earlier months', in packs, in gifts. Lots that are
//! used up do not count, except this month's: what a plan brought is what its meter is measured against.

use crate::clock::{Timestamp, months_after};
use crate::error::Result;
use crate::ledger::Lot;
use crate::store::Tx;
use crate::store::lots::{self, LotOrigin};
use crate::store::orders::OfferKind;

use crate::usecase::users::UserSnapshot;
use crate::usecase::users::entitlement::keeps_plan;

/// Units of some lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LotsSum {
    /// What is left.
    pub left: i64,
    /// What was credited.
    pub of: i64,
    /// When all of them expire; `None` if they do not, or not at the same time.
    pub until: Option<Timestamp>,
    count: usize,
}

/// A user's lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LotsByOrigin {
    /// What the plan brought for the running month; `None` without a plan.
    pub this_month: Option<LotsSum>,
    pub earlier_months: LotsSum,
    pub packs: LotsSum,
    pub gifts: LotsSum,
}

impl LotsSum {
    fn add(&mut self, lot: &Lot) {
        let ends_at = lot.ends_at();
        self.until = if self.count == 0 { ends_at } else { self.until.filter(|_| self.until == ends_at) };
        self.count += 1;
        self.left = self.left.saturating_add(lot.remaining);
        self.of = self.of.saturating_add(lot.units);
    }
}

/// Stripe's clock may be ahead of ours by this.
const CLOCKS_APART_SECONDS: i64 = 3600;

/// When another month of the plan begins, which changes nothing but how the lots are sorted; `None` if that is over.
pub(crate) fn changes_at(member: &UserSnapshot, now: Timestamp) -> Option<Timestamp> {
    let period_end = member.subscription.as_ref().and_then(|subscription| subscription.period_end);
    months_after(period_end?, -1).filter(|begins| *begins > now)
}

/// The lots of a user, as stored.
pub fn of(tx: &mut dyn Tx, member: &UserSnapshot, now: Timestamp) -> Result<LotsByOrigin> {
    let open = lots::open(tx, member.user.account)?;
    let subscription = member.subscription.as_ref().filter(|subscription| keeps_plan(&subscription.status));
    let of_plans = match subscription {
        Some(_) => lots::newest_of_plans(tx, member.user.account)?,
        None => vec![],
    };
    let newest = of_plans.first().map(|lot| lot.opened_at);
    let period_end = subscription.and_then(|subscription| subscription.period_end);
    Ok(sort(&open, &of_plans, newest.and_then(|newest| month_began(newest, period_end, now))))
}

/// When the month began for which a plan brought its newest lot. `None` if that lot is an earlier month's, because the running
/// one is not paid. Where the period does not tell, as with a year, the lot does.
fn month_began(newest: Timestamp, period_end: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let began = period_end.and_then(|end| months_after(end, -1)).filter(|began| *began <= now);
    let Some(began) = began else { return Some(newest) };
    Some(began.plus_seconds(-CLOCKS_APART_SECONDS)).filter(|began| *began <= newest)
}

fn sort(open: &[LotOrigin], of_plans: &[LotOrigin], month: Option<Timestamp>) -> LotsByOrigin {
    let mut sums = LotsByOrigin { this_month: month.map(|_| LotsSum::default()), ..LotsByOrigin::default() };
    let is_open = |lot: &LotOrigin| open.iter().any(|other| other.lot.seq == lot.lot.seq);
    let used_up = of_plans.iter().filter(|lot| !is_open(lot) && month.is_some_and(|month| lot.opened_at >= month));
    for origin in open.iter().chain(used_up) {
        let sum = match (origin.kind, &mut sums.this_month) {
            (Some(OfferKind::Plan), Some(this_month)) if month.is_some_and(|month| origin.opened_at >= month) => {
                this_month
            }
            (Some(OfferKind::Plan), _) => &mut sums.earlier_months,
            (Some(OfferKind::Pack), _) => &mut sums.packs,
            (None, _) => &mut sums.gifts,
        };
        sum.add(&origin.lot);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::parse_rfc3339;

    #[test]
    fn the_running_month_is_told_by_the_period_or_else_by_the_newest_lot() {
        let at = |time: &str| parse_rfc3339(time).unwrap();
        let now = at("2027-02-10T00:00:00Z");
        for (newest, period_end, began) in [
            ("2027-02-01T00:00:05Z", Some("2027-03-01T00:00:00Z"), Some("2027-01-31T23:00:00Z")),
            ("2027-02-05T00:00:00Z", Some("2027-03-01T00:00:00Z"), Some("2027-01-31T23:00:00Z")),
            // The renewal is not paid.
            ("2027-01-01T00:00:00Z", Some("2027-03-01T00:00:00Z"), None),
            // A year, a clock at Stripe that is months ahead, and a subscription without a period.
            ("2027-02-01T00:00:00Z", Some("2027-12-01T00:00:00Z"), Some("2027-02-01T00:00:00Z")),
            ("2027-02-01T00:00:00Z", None, Some("2027-02-01T00:00:00Z")),
        ] {
            assert_eq!(month_began(at(newest), period_end.map(at), now), began.map(at), "{newest} {period_end:?}");
        }
    }
}
