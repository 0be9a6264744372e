//! A plan's units follow the money (`docs/rules.md`, rule 6): how many units the lines of one paid invoice buy, and
//! when each part is due.

use super::{Fraction, Timestamp, UNITS_LIMIT};

/// One line of an invoice whose price is a plan's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The plan's units per month.
    pub units: i64,
    /// The plan's price for its whole interval, in minor units. Positive.
    pub price: i64,
    /// What the line bills, in minor units before discounts and taxes. Negative where paid time is credited.
    pub amount: i64,
}

/// A line, and how its units are spread over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub line: Line,
    /// When each part is due: one for a monthly plan, one per month for a yearly plan. Never empty.
    pub due: Vec<Timestamp>,
    /// Parts of a full interval: 1 or 12. A full yearly line buys twelve times the plan's units.
    pub months: i64,
}

/// Units that become due at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allotment {
    pub due: Timestamp,
    /// Negative where a downgrade takes units back.
    pub units: i64,
}

/// What an invoice's lines buy, by due time, the earliest first. Parts that are due at `now` or before are one
/// allotment at `now`. Each part is the difference of two rounded running sums, so the parts add up to the rounded
/// whole.
///
/// Returns `None` if the numbers are too large to compute exactly. No real catalogue or invoice has such numbers.
pub fn allot(shares: &[Share], now: Timestamp) -> Option<Vec<Allotment>> {
    let mut times: Vec<Timestamp> =
        shares.iter().flat_map(|share| share.due.iter().map(|due| (*due).max(now))).collect();
    times.sort();
    times.dedup();
    let mut before = 0i64;
    let mut allotments = Vec::new();
    for time in times {
        let sum = running_sum(shares, time, now)?;
        let units = sum.checked_sub(before)?;
        before = sum;
        if units != 0 {
            allotments.push(Allotment { due: time, units });
        }
    }
    Some(allotments)
}

/// The units due until `time`, rounded toward zero.
fn running_sum(shares: &[Share], time: Timestamp, now: Timestamp) -> Option<i64> {
    let mut sum = Fraction::ZERO;
    for share in shares {
        let parts = i128::try_from(share.due.len()).ok()?;
        let due = i128::try_from(share.due.iter().filter(|due| (**due).max(now) <= time).count()).ok()?;
        let line = share.line;
        let above = i128::from(line.units)
            .checked_mul(i128::from(share.months))?
            .checked_mul(i128::from(line.amount))?
            .checked_mul(due)?;
        let below = i128::from(line.price).checked_mul(parts)?;
        sum = sum.plus(Fraction::reduced(above, below)?)?;
    }
    let units = sum.share_of(1)?;
    (units.unsigned_abs() <= UNITS_LIMIT.unsigned_abs()).then_some(units)
}

/// Reduces allotments by credit notes that lowered the invoice by `credited` of its `total` while it was open.
///
/// Stripe leaves the lines of such an invoice as they were, and lines are what buys. But a credit note is not a
/// discount: it says that part of the bill is not to be paid. So it takes the same share of the units whether it was
/// issued a minute before the payment or a minute after. An invoice that a credit note wrote off completely buys
/// nothing, although Stripe calls it paid.
pub fn less_credited(allotments: Vec<Allotment>, total: i64, credited: i64) -> Vec<Allotment> {
    let Some(left) = Fraction::of(total.saturating_sub(credited).max(0), total).filter(|_| credited > 0) else {
        return allotments;
    };
    let share = |part: Allotment| Allotment { units: left.share_of(part.units).unwrap_or(part.units), ..part };
    allotments.into_iter().map(share).filter(|part| part.units != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const STARTER: (i64, i64) = (100, 900);
    const PRO: (i64, i64) = (500, 2900);

    fn monthly((units, price): (i64, i64), amount: i64) -> Share {
        Share { line: Line { units, price, amount }, due: vec![NOW], months: 1 }
    }

    #[test]
    fn units_follow_the_money_line_by_line() {
        for (name, shares, units) in [
            ("renewal", vec![monthly(STARTER, 900)], 100),
            ("trial", vec![monthly(STARTER, 0)], 0),
            ("three of it", vec![monthly(STARTER, 2700)], 300),
            ("upgrade at half time", vec![monthly(STARTER, -450), monthly(PRO, 1450)], 200),
            ("downgrade at half time", vec![monthly(PRO, -1450), monthly(STARTER, 450)], -200),
            (
                "renewal with the proration beside it",
                vec![monthly(STARTER, -450), monthly(PRO, 1450), monthly(PRO, 2900)],
                700,
            ),
            ("rounded toward zero, on the sum", vec![monthly(STARTER, 5), monthly(STARTER, 5)], 1),
            ("rounded toward zero, below", vec![monthly(STARTER, -10)], -1),
            ("nothing", vec![], 0),
        ] {
            let allotted: i64 = allot(&shares, NOW).unwrap().iter().map(|part| part.units).sum();
            assert_eq!(allotted, units, "{name}");
        }
    }

    #[test]
    fn to_and_fro_within_a_moment_gives_nothing() {
        for amount in 1..900 {
            let there = allot(&[monthly(STARTER, -amount), monthly(PRO, amount * 29 / 9)], NOW).unwrap();
            let back = allot(&[monthly(PRO, -(amount * 29 / 9)), monthly(STARTER, amount)], NOW).unwrap();
            let sum: i64 = there.iter().chain(&back).map(|part| part.units).sum();
            assert_eq!(sum, 0, "{amount}");
        }
    }

    #[test]
    fn a_year_is_allotted_month_by_month_and_adds_up() {
        let due: Vec<Timestamp> = (0..12).map(|month| NOW.plus_seconds(month * 2_600_000)).collect();
        for (amount, total) in [(9_000, 1200), (8_999, 1199), (-9_000, -1200)] {
            let share = Share { line: Line { units: 100, price: 9_000, amount }, due: due.clone(), months: 12 };
            let parts = allot(&[share], NOW).unwrap();
            assert_eq!((parts.len(), parts.iter().map(|part| part.units).sum::<i64>()), (12, total), "{amount}");
            assert!(parts.iter().all(|part| (99..=100).contains(&part.units.abs())), "{parts:?}");
        }
        // The invoice becomes known three months late: the parts due so far are credited at once.
        let late = Share { line: Line { units: 100, price: 9_000, amount: 9_000 }, due, months: 12 };
        let parts = allot(&[late], NOW.plus_seconds(3 * 2_600_000)).unwrap();
        assert_eq!((parts.len(), parts[0].units), (9, 400));
    }
}
