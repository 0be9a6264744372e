//! Thirty days of use as a chart, drawn on the server. Bars and lines are SVG that may stretch to any width; every
//! label is text outside it, so that letters keep their size on a phone. The same numbers stand in a table beside it.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::clock::Timestamp;
use crate::http::pages::view::UnitWords;
use crate::money::grouped;

/// How many days are shown, today included.
pub const DAYS: i64 = 30;

const MILLIS_A_DAY: i64 = 86_400_000;

/// No axis is higher; a bar beyond it is cut off.
const AXIS_LIMIT: i64 = 1_000_000_000_000_000;

/// The drawing's own measures; the page stretches it.
const SLOT: i64 = 20;
const BAR: i64 = 12;
const HEIGHT: i64 = 100;

/// Units used on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayUse {
    /// Whole days since 1970-01-01 UTC: milliseconds divided by 86,400,000.
    pub day: i64,
    /// Units used on it, as a positive count.
    pub used: i64,
}

/// One bar and its row in the table.
#[derive(Clone, Debug)]
pub struct Bar {
    /// `2026-11-24`.
    pub date: String,
    /// `24 Nov`.
    pub day: String,
    /// `3 pictures`.
    pub used: String,
    /// Whether nothing was used; such a day has no bar and no row.
    pub is_empty: bool,
    /// Left edge, width, top and height in the drawing's measures.
    pub x: i64,
    /// See `x`.
    pub y: i64,
    /// See `x`.
    pub height: i64,
}

/// What the template draws.
#[derive(Clone, Debug)]
pub struct Chart {
    /// One per day, oldest first.
    pub bars: Vec<Bar>,
    /// The whole chart in a sentence.
    pub summary: String,
    /// Labels of the vertical axis from the top down, evenly spaced; the last is 0.
    pub scale: Vec<String>,
    /// Where the grid's lines lie, from the top down, without the base line.
    pub grid: Vec<i64>,
    /// Dates under the first, a middle and the last bar.
    pub dates: Vec<String>,
    /// Whether anything was used at all.
    pub is_empty: bool,
}

impl Chart {
    /// The thirty days that end with the day of `today` (UTC). Days that are missing in `uses` had no use; several
    /// rows of one day are added; days outside are left out.
    pub fn of(today: Timestamp, uses: &[DayUse], words: &UnitWords) -> Chart {
        let last = today.millis().div_euclid(MILLIS_A_DAY);
        let days: Vec<DayUse> = (last - DAYS + 1..=last).map(|day| DayUse { day, used: used_on(day, uses) }).collect();
        let total = days.iter().fold(0_i64, |sum, day| sum.saturating_add(day.used));
        let most = days.iter().map(|day| day.used).max().unwrap_or(0);
        let (top, steps) = axis(most);
        Chart {
            bars: (0..).zip(&days).map(|(index, day)| bar(index, *day, top, words)).collect(),
            summary: summary(total, &days, words),
            scale: (0..=steps).rev().map(|step| grouped(top / steps * step)).collect(),
            grid: (0..steps).map(|step| step * HEIGHT / steps).collect(),
            dates: [0, DAYS / 2, DAYS - 1].map(|index| short_date(last - DAYS + 1 + index)).to_vec(),
            is_empty: total == 0,
        }
    }

    /// The drawing's width.
    pub fn width(&self) -> i64 {
        DAYS * SLOT
    }

    /// The drawing's height.
    pub fn height(&self) -> i64 {
        HEIGHT
    }

    /// A bar's width.
    pub fn bar_width(&self) -> i64 {
        BAR
    }
}

fn used_on(day: i64, uses: &[DayUse]) -> i64 {
    uses.iter().filter(|row| row.day == day).fold(0_i64, |sum, row| sum.saturating_add(row.used.max(0)))
}

/// The axis' top and its number of steps: the least of 1, 2, 4, 6, 8, 10, 20, 40 … that holds the highest bar. Steps
/// are whole numbers of units.
fn axis(most: i64) -> (i64, i64) {
    if most <= 1 {
        return (1, 1);
    }
    let mut power = 1;
    while power * 10 < most.min(AXIS_LIMIT) {
        power *= 10;
    }
    let least = [(2, 2), (4, 2), (6, 3), (8, 2)].into_iter().find(|(factor, _)| power * factor >= most);
    least.map_or((power * 10, 2), |(factor, steps)| (power * factor, steps))
}

fn bar(index: i64, day: DayUse, top: i64, words: &UnitWords) -> Bar {
    let share = i128::from(day.used) * i128::from(HEIGHT) / i128::from(top.max(1));
    // A little use is drawn as a little, not as none.
    let least = if day.used > 0 { 2 } else { 0 };
    let height = i64::try_from(share).unwrap_or(HEIGHT).clamp(least, HEIGHT);
    Bar {
        date: date(day.day).to_string(),
        day: short_date(day.day),
        used: words.count(day.used),
        is_empty: day.used == 0,
        x: index * SLOT + (SLOT - BAR) / 2,
        y: HEIGHT - height,
        height,
    }
}

fn summary(total: i64, days: &[DayUse], words: &UnitWords) -> String {
    // The latest of the busiest days.
    match days.iter().max_by_key(|day| day.used) {
        Some(busiest) if total > 0 => format!(
            "{} used in the last {DAYS} days; most on {}, with {}.",
            words.count(total),
            short_date(busiest.day),
            grouped(busiest.used)
        ),
        _ => format!("No {} used in the last {DAYS} days.", words.many),
    }
}

fn date(day: i64) -> Date {
    let instant = jiff::Timestamp::from_millisecond(day.saturating_mul(MILLIS_A_DAY)).unwrap_or_default();
    TimeZone::UTC.to_datetime(instant).date()
}

fn short_date(day: i64) -> String {
    date(day).strftime("%-d %b").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 24 November 2026, 05:23 UTC.
    const TODAY: i64 = 1_795_497_780_000;

    fn chart(uses: &[(i64, i64)]) -> Chart {
        let last = TODAY / MILLIS_A_DAY;
        let uses: Vec<DayUse> = uses.iter().map(|(ago, used)| DayUse { day: last - ago, used: *used }).collect();
        Chart::of(Timestamp::from_millis(TODAY), &uses, &UnitWords::new("picture", "pictures"))
    }

    #[test]
    fn a_chart_has_thirty_days_and_ends_today() {
        let many: Vec<(i64, i64)> = (0..40).map(|ago| (ago, ago + 1)).collect();
        for (uses, summary, scale, heights) in [
            (vec![], "No pictures used in the last 30 days.", vec!["1", "0"], 0),
            (vec![(0, 1)], "1 picture used in the last 30 days; most on 24 Nov, with 1.", vec!["1", "0"], 100),
            (
                vec![(0, 2), (0, 1), (30, 9)],
                "3 pictures used in the last 30 days; most on 24 Nov, with 3.",
                vec!["4", "2", "0"],
                75,
            ),
            (
                vec![(0, 1), (29, 1000)],
                "1,001 pictures used in the last 30 days; most on 26 Oct, with 1,000.",
                vec!["1,000", "500", "0"],
                2,
            ),
            (many, "465 pictures used in the last 30 days; most on 26 Oct, with 30.", vec!["40", "20", "0"], 2),
            (vec![(0, -5)], "No pictures used in the last 30 days.", vec!["1", "0"], 0),
        ] {
            let chart = chart(&uses);
            assert_eq!(chart.summary, summary);
            assert_eq!(chart.scale, scale);
            assert_eq!(chart.grid.len() + 1, chart.scale.len());
            assert_eq!(chart.bars.len(), 30);
            assert_eq!(chart.dates, ["26 Oct", "10 Nov", "24 Nov"]);
            assert_eq!(chart.bars[29].date, "2026-11-24");
            assert_eq!(chart.bars[29].height, heights);
            assert!(chart.bars.iter().all(|bar| bar.y + bar.height == HEIGHT && bar.x + BAR <= chart.width()));
        }
    }

    #[test]
    fn the_axis_holds_the_highest_bar_in_whole_steps() {
        for most in [0, 1, 2, 3, 5, 7, 10, 11, 49, 51, 99, 101, 1_000_000_000, i64::MAX] {
            let (top, steps) = axis(most);
            assert!(top >= most.clamp(1, AXIS_LIMIT) && top % steps == 0, "{most}: {top} in {steps}");
        }
    }
}
