//! A plan's units follow what was paid for (`docs/rules.md`, rule 6): what the lines of one paid invoice give, and in which
//! months it is allotted.

use super::{Fraction, Timestamp, UNITS_LIMIT};

/// What one line of an invoice gives, and how that is spread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// What the whole billing period gives; negative where the line gives time back.
    pub units: i64,
    /// The part of the billing period that the line covers.
    pub part: Fraction,
    /// When each equal part of it is due: one for a monthly plan, one per month for a yearly plan. Never empty.
    pub due: Vec<Timestamp>,
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
        let parts = i64::try_from(share.due.len()).ok()?;
        let due = i64::try_from(share.due.iter().filter(|due| (**due).max(now) <= time).count()).ok()?;
        let units = Fraction::of(share.units, 1)?.times(share.part)?;
        sum = sum.plus(units.times(Fraction::of(due, parts)?)?)?;
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
    let units: Vec<i64> = allotments.iter().map(|part| part.units).collect();
    let left = part_left(&units, total, credited);
    let parts = allotments.into_iter().zip(left).map(|(part, units)| Allotment { units, ..part });
    parts.filter(|part| part.units != 0).collect()
}

/// The same of units in any parts: their running sum is rounded toward zero, so that what is left adds up.
pub fn part_left(parts: &[i64], total: i64, credited: i64) -> Vec<i64> {
    let Some(left) = Fraction::of(total.saturating_sub(credited).max(0), total).filter(|_| credited > 0) else {
        return parts.to_vec();
    };
    let (mut sum, mut before) = (0_i64, 0_i64);
    let share = |part: &i64| {
        sum = sum.saturating_add(*part);
        let until_now = left.share_of(sum).unwrap_or(sum);
        let units = until_now.saturating_sub(before);
        before = until_now;
        units
    };
    parts.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const STARTER: i64 = 100;
    const PRO: i64 = 500;

    fn monthly(units: i64, (part, whole): (i64, i64)) -> Share {
        Share { units, part: Fraction::of(part, whole).unwrap(), due: vec![NOW] }
    }

    #[test]
    fn units_follow_the_time_line_by_line() {
        let half = (1_209_600, 2_419_200);
        for (name, shares, units) in [
            ("renewal", vec![monthly(STARTER, (1, 1))], 100),
            ("trial", vec![monthly(0, (1, 1))], 0),
            ("three of it", vec![monthly(3 * STARTER, (1, 1))], 300),
            ("upgrade at half time", vec![monthly(-STARTER, half), monthly(PRO, half)], 200),
            ("downgrade at half time", vec![monthly(-PRO, half), monthly(STARTER, half)], -200),
            (
                "renewal with the proration beside it",
                vec![monthly(-STARTER, half), monthly(PRO, half), monthly(PRO, (1, 1))],
                700,
            ),
            ("rounded toward zero, on the sum", vec![monthly(STARTER, (1, 180)), monthly(STARTER, (1, 180))], 1),
            ("rounded toward zero, below", vec![monthly(-STARTER, (1, 90))], -1),
            ("nothing", vec![], 0),
        ] {
            let allotted: i64 = allot(&shares, NOW).unwrap().iter().map(|part| part.units).sum();
            assert_eq!(allotted, units, "{name}");
        }
    }

    #[test]
    fn what_is_left_of_a_bill_that_was_written_off_in_part_adds_up() {
        for (parts, total, credited, left) in [
            (vec![100; 12], 9000, 3000, 800),
            (vec![100, 250], 2900, 1450, 175),
            (vec![100, 250], 2900, 2900, 0),
            (vec![100, 250], 2900, 0, 350),
            (vec![-100, 33], 900, 300, -44),
        ] {
            let shared = part_left(&parts, total, credited);
            assert_eq!((shared.len(), shared.iter().sum::<i64>()), (parts.len(), left), "{parts:?} {credited}");
        }
    }

    #[test]
    fn to_and_fro_within_a_moment_gives_nothing() {
        for seconds in (1..2_419_200).step_by(9_973) {
            let left = (seconds, 2_419_200);
            let there = allot(&[monthly(-STARTER, left), monthly(PRO, left)], NOW).unwrap();
            let back = allot(&[monthly(-PRO, left), monthly(STARTER, left)], NOW).unwrap();
            let sum: i64 = there.iter().chain(&back).map(|part| part.units).sum();
            assert_eq!(sum, 0, "{seconds}");
        }
    }

    #[test]
    fn a_year_is_allotted_month_by_month_and_adds_up() {
        let due: Vec<Timestamp> = (0..12).map(|month| NOW.plus_seconds(month * 2_600_000)).collect();
        for (units, part, total) in [(1200, (1, 1), 1200), (1200, (8_999, 9_000), 1199), (-1200, (1, 1), -1200)] {
            let share = Share { due: due.clone(), ..monthly(units, part) };
            let parts = allot(&[share], NOW).unwrap();
            assert_eq!(
                (parts.len(), parts.iter().map(|part| part.units).sum::<i64>()),
                (12, total),
                "{units} {part:?}"
            );
            assert!(parts.iter().all(|part| (99..=100).contains(&part.units.abs())), "{parts:?}");
        }
        // Learned of three months late: what is due is due at once.
        let late = Share { due, ..monthly(1200, (1, 1)) };
        let parts = allot(&[late], NOW.plus_seconds(3 * 2_600_000)).unwrap();
        assert_eq!((parts.len(), parts[0].units), (9, 400));
    }
}
