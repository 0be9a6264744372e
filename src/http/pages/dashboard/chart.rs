//! Thirty days of use as a chart, drawn on the server. Bars and lines are SVG that stretches to any width. Labels are text
//! outside it, so that letters keep their size on a phone. A table below shows the same numbers.

use crate::catalog::UnitWords;
use crate::clock::{Timestamp, date_of, day_of, day_start};
use crate::language::Language;
use crate::usecase::users::statement::CHART_DAYS;

/// No axis is higher. A longer bar is cut off.
const AXIS_LIMIT: i64 = 1_000_000_000_000_000;

/// In the units of the drawing, which the page stretches.
const SLOT: i64 = 20;
const BAR: i64 = 12;
pub(in crate::http::pages) const HEIGHT: i64 = 100;

/// Units used on one day.
#[derive(Clone, Copy)]
struct DayUse {
    /// Whole days since 1970-01-01 UTC.
    day: i64,
    used: i64,
}

/// One day: a bar and its row in the table.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// `2026-11-24`.
    pub date: String,
    /// `24 Nov`.
    pub day: String,
    /// `3 pictures`.
    pub used: String,
    /// A day without use has no bar and no row.
    pub is_empty: bool,
    pub x: i64,
    pub y: i64,
    pub height: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Oldest first.
    pub bars: Vec<Bar>,
    /// The whole chart in a sentence.
    pub summary: String,
    /// Labels of the vertical axis from the top down, evenly spaced. The last is 0.
    pub scale: Vec<String>,
    /// The heights of the grid's lines from the top down, without the base line.
    pub grid: Vec<i64>,
    /// Under the first, a middle and the last bar.
    pub dates: Vec<String>,
    pub is_empty: bool,
}

impl Chart {
    /// The thirty days that end with the day of `today` (UTC). Each row of `usage` is an instant and the units used. Rows
    /// of one day are added, rows of other days are left out.
    pub(crate) fn of(today: Timestamp, usage: &[(Timestamp, i64)], words: &UnitWords, language: Language) -> Chart {
        let last = day_of(today);
        let days: Vec<DayUse> =
            (last - CHART_DAYS + 1..=last).map(|day| DayUse { day, used: used_on(day, usage) }).collect();
        let total = days.iter().fold(0_i64, |sum, day| sum.saturating_add(day.used));
        let most = days.iter().map(|day| day.used).max().unwrap_or(0);
        let (top, steps) = axis(most);
        Chart {
            bars: (0..).zip(&days).map(|(index, day)| bar(index, *day, top, words, language)).collect(),
            summary: summary(total, &days, words, language),
            scale: (0..=steps).rev().map(|step| language.number(top / steps * step)).collect(),
            grid: (0..steps).map(|step| step * HEIGHT / steps).collect(),
            dates: [0, CHART_DAYS / 2, CHART_DAYS - 1]
                .map(|index| language.day(day_start(last - CHART_DAYS + 1 + index)))
                .to_vec(),
            is_empty: total == 0,
        }
    }

    pub(crate) fn width(&self) -> i64 {
        CHART_DAYS * SLOT
    }

    pub(crate) fn height(&self) -> i64 {
        HEIGHT
    }

    pub(crate) fn bar_width(&self) -> i64 {
        BAR
    }
}

fn used_on(day: i64, usage: &[(Timestamp, i64)]) -> i64 {
    let rows = usage.iter().filter(|(at, _)| day_of(*at) == day);
    rows.fold(0_i64, |sum, (_, used)| sum.saturating_add((*used).max(0)))
}

/// The top of the axis and its number of steps: the least of 1, 2, 4, 6, 8, 10, 20, 40 … that holds the highest bar. A
/// step is a whole number of units.
pub(in crate::http::pages) fn axis(most: i64) -> (i64, i64) {
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

fn bar(index: i64, day: DayUse, top: i64, words: &UnitWords, language: Language) -> Bar {
    let share = i128::from(day.used) * i128::from(HEIGHT) / i128::from(top.max(1));
    // Even one unit gets a visible bar.
    let least = if day.used > 0 { 2 } else { 0 };
    let height = i64::try_from(share).unwrap_or(HEIGHT).clamp(least, HEIGHT);
    Bar {
        date: date_of(day.day),
        day: language.day(day_start(day.day)),
        used: words.count(day.used, language),
        is_empty: day.used == 0,
        x: index * SLOT + (SLOT - BAR) / 2,
        y: HEIGHT - height,
        height,
    }
}

fn summary(total: i64, days: &[DayUse], words: &UnitWords, language: Language) -> String {
    // The latest of the busiest days.
    match days.iter().max_by_key(|day| day.used) {
        Some(busiest) if total > 0 => language.chart_used(
            words.count(total, language),
            CHART_DAYS,
            language.day(day_start(busiest.day)),
            language.number(busiest.used),
        ),
        _ => language.chart_none(words.many(language), CHART_DAYS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::clock::DAY_MILLIS;

    /// 24 November 2026, 05:23 UTC.
    const TODAY: i64 = 1_795_497_780_000;

    fn chart(uses: &[(i64, i64)]) -> Chart {
        let usage: Vec<(Timestamp, i64)> =
            uses.iter().map(|(ago, used)| (Timestamp::from_millis(TODAY - ago * DAY_MILLIS), *used)).collect();
        Chart::of(Timestamp::from_millis(TODAY), &usage, &Catalog::built_in().unit, Language::En)
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
