//! The figures by day are what the rows say that they follow from: payments and what was returned of them, entries and lots,
//! users, subscriptions.

use std::collections::BTreeMap;

use crate::app::App;
use crate::clock::date_of;
use crate::error::Result;
use crate::store::figures::{self, FiguresOfDay};
use crate::store::{AmountsByDay, Figure, Tx};

/// Rows that are read at once.
const PAGE: i64 = 500;

type ByDay = BTreeMap<(i64, String), FiguresOfDay>;

/// The proof of the figures, while the rows that they follow from are walked.
pub(super) struct FiguresProof {
    /// As they were when the walk began.
    before: ByDay,
    /// What the walk has added up.
    pub sums: AmountsByDay,
}

impl FiguresProof {
    /// Before the first row is read.
    pub fn begin(app: &App) -> Result<FiguresProof> {
        Ok(FiguresProof { before: kept(app)?, sums: AmountsByDay::new() })
    }

    /// Adds up what the walk over the accounts does not see, and compares. A day that was changed meanwhile is left for the
    /// next proof: what was read of it is of several moments.
    pub fn finish(mut self, app: &App) -> Result<Vec<String>> {
        let sums = &mut self.sums;
        let mut reference = String::new();
        loop {
            let page = app.store.read(|tx| figures::payments_after(tx, &reference, PAGE))?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
            app.store.read(|tx| figures::add_money(tx, [first, last], sums))?;
            reference.clone_from(last);
        }
        let mut account = 0;
        while let Some(last) = app.store.read(|tx| figures::add_users(tx, account, PAGE, sums))? {
            account = last;
        }
        let after = kept(app)?;
        let mut found = compare(&self.before, &after, &self.sums);
        found.extend(app.store.read(check_subscriptions)?);
        Ok(found)
    }
}

/// All figures, page by page.
fn kept(app: &App) -> Result<ByDay> {
    let mut all = ByDay::new();
    let mut after = (i64::MIN, String::new());
    loop {
        let page = app.store.read(|tx| figures::page(tx, (after.0, &after.1), i64::MAX, PAGE))?;
        let Some(last) = page.last() else { return Ok(all) };
        after = (last.day, last.currency.clone());
        all.extend(page.into_iter().map(|figures| ((figures.day, figures.currency.clone()), figures)));
    }
}

fn compare(before: &ByDay, after: &ByDay, sums: &AmountsByDay) -> Vec<String> {
    let changes = |kept: &ByDay, key| kept.get(key).map_or(0, |figures: &FiguresOfDay| figures.changes);
    let mut keys: Vec<&(i64, String)> = before.keys().chain(after.keys()).chain(sums.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut found = vec![];
    for key in keys.into_iter().filter(|key| changes(before, key) == changes(after, key)) {
        let expected = sums.get(key).copied().unwrap_or_default();
        let stored = after.get(key).map(FiguresOfDay::all).unwrap_or_default();
        for ((figure, stored), expected) in Figure::ALL.into_iter().zip(stored).zip(expected) {
            if stored != expected {
                let day = date_of(key.0);
                let of = if key.1.is_empty() { String::new() } else { format!(" in {}", key.1) };
                let column = figure.column();
                found.push(format!("the figure {column} of {day}{of} is {stored}, and its rows say {expected}"));
            }
        }
    }
    found
}

/// The counts of subscriptions are those of their table.
fn check_subscriptions(tx: &mut dyn Tx) -> Result<Option<String>> {
    let (kept, counted) = (figures::subscriptions(tx)?, figures::counted_subscriptions(tx)?);
    Ok((kept != counted).then(|| "the counts of subscriptions by status and plan are not those of their table".into()))
}
