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

/// The lots of a user, as stored.
pub fn of(tx: &mut dyn Tx, member: &UserSnapshot) -> Result<LotsByOrigin> {
    let open = lots::open(tx, member.user.account)?;
    let subscription = member.subscription.as_ref().filter(|subscription| keeps_plan(&subscription.status));
    let of_plans = match subscription {
        Some(_) => lots::newest_of_plans(tx, member.user.account)?,
        None => vec![],
    };
    let month = subscription.and_then(|subscription| month_began(&of_plans, subscription.period_end));
    Ok(sort(&open, &of_plans, month))
}

/// When the running month of a plan began. Where its period does not tell, because it is a year or Stripe's clock is another,
/// the newest lot does.
fn month_began(of_plans: &[LotOrigin], period_end: Option<Timestamp>) -> Option<Timestamp> {
    let newest = of_plans.first()?.opened_at;
    let by_period = period_end.and_then(|end| months_after(end, -1));
    Some(by_period.filter(|start| *start <= newest && newest < start.plus_seconds(MONTH_SECONDS)).unwrap_or(newest))
}

/// The longest month.
const MONTH_SECONDS: i64 = 31 * 86_400;

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
