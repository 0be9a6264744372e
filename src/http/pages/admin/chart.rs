//! Amounts side by side in time, drawn on the server: each bar is a month or a day, and may be of several parts. A table of
//! the same figures stands below it on the page, so the drawing itself is for the eye alone.

use crate::http::pages::dashboard::chart::{HEIGHT, axis};

/// In the units of the drawing, which the page stretches.
const SLOT: i64 = 20;
const BAR: i64 = 12;

/// A part of a bar.
#[derive(Clone, Debug)]
pub(crate) struct AmountBar {
    pub class: &'static str,
    pub words: String,
    pub x: i64,
    pub y: i64,
    pub height: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct AmountChart {
    /// The whole chart in a sentence.
    pub summary: String,
    pub bars: Vec<AmountBar>,
    /// Labels of the vertical axis from the top down. The last is 0.
    pub scale: Vec<String>,
    pub grid: Vec<i64>,
    /// Under the first, a middle and the last bar.
    pub dates: Vec<String>,
    /// What each colour means.
    pub keys: Vec<(&'static str, String)>,
    slots: i64,
}

/// One part of each bar, by its colour and name.
pub(super) struct Series {
    pub label: String,
    /// One for each slot; below zero counts as nothing.
    pub amounts: Vec<i64>,
}

const CLASSES: [&str; 3] = ["first", "second", "third"];

impl AmountChart {
    /// A bar for each name, in order; `write` says an amount in words.
    pub(super) fn of(
        summary: String,
        names: &[String],
        series: &[Series],
        write: impl Fn(i64) -> String,
    ) -> AmountChart {
        let at = |series: &Series, slot: usize| series.amounts.get(slot).copied().unwrap_or(0).max(0);
        let sum = |slot| series.iter().fold(0_i64, |sum, series| sum.saturating_add(at(series, slot)));
        let most = (0..names.len()).map(sum).max().unwrap_or(0);
        let (top, steps) = axis(most);
        let mut bars = vec![];
        for (slot, (index, name)) in (0_i64..).zip(names.iter().enumerate()) {
            let mut below = 0;
            for (series, class) in series.iter().zip(CLASSES) {
                let amount = at(series, index);
                let share = i128::from(amount) * i128::from(HEIGHT) / i128::from(top.max(1));
                let least = i64::from(amount > 0);
                let height = i64::try_from(share).unwrap_or(HEIGHT).clamp(least, HEIGHT);
                if height > 0 {
                    let words = format!("{name}: {} {}", series.label, write(amount));
                    let x = slot * SLOT + (SLOT - BAR) / 2;
                    bars.push(AmountBar { class, words, x, y: (HEIGHT - below - height).max(0), height });
                }
                below += height;
            }
        }
        let middle = names.len() / 2;
        let ends = [names.first(), names.get(middle), names.last()];
        AmountChart {
            summary,
            bars,
            scale: (0..=steps).rev().map(|step| write(top / steps * step)).collect(),
            grid: (0..steps).map(|step| step * HEIGHT / steps).collect(),
            dates: ends.into_iter().flatten().cloned().collect(),
            keys: series.iter().zip(CLASSES).map(|(series, class)| (class, series.label.clone())).collect(),
            slots: i64::try_from(names.len()).unwrap_or(1).max(1),
        }
    }

    pub(crate) fn width(&self) -> i64 {
        self.slots * SLOT
    }

    pub(crate) fn height(&self) -> i64 {
        HEIGHT
    }

    pub(crate) fn bar_width(&self) -> i64 {
        BAR
    }
}
