//! What the dashboard shows, as one snapshot.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ledger::Entry;
use crate::store::entries;
use crate::store::orders::{self, Order};

use crate::usecase::users::{self, UserSnapshot};

/// Days in the usage chart.
pub const CHART_DAYS: i64 = 30;
const DAY_MILLIS: i64 = 86_400_000;
const RECENT: i64 = 12;

/// A user's affairs.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Who, and what is left.
    pub member: UserSnapshot,
    /// The newest entries, newest first.
    pub recent: Vec<Entry>,
    /// Units spent on each of the last thirty days (UTC), oldest first; the day's first instant with each.
    pub usage: Vec<(Timestamp, i64)>,
    /// Purchases whose money is on its way.
    pub pending: Vec<Order>,
}

/// The affairs of the user of `account`.
pub fn overview(app: &App, account: i64) -> Result<Overview> {
    let member = users::show_account(app, account)?;
    let today = app.clock.now().millis().div_euclid(DAY_MILLIS);
    let first = today - CHART_DAYS + 1;
    app.store.read(|tx| {
        let recent = entries::newest(tx, account, i64::MAX, RECENT)?;
        let spent = entries::spent_by_day(tx, account, Timestamp::from_millis(first * DAY_MILLIS))?;
        let on = |day: i64| spent.iter().find(|(spent_on, _)| *spent_on == day).map_or(0, |(_, units)| *units);
        let usage = (first..=today).map(|day| (Timestamp::from_millis(day * DAY_MILLIS), on(day))).collect();
        Ok(Overview { member, recent, usage, pending: orders::pending(tx, account)? })
    })
}
