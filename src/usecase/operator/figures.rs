//! What an operator wants to see of the shop: money by month, what units earned, what is owed in units, who subscribes, what
//! comes again. All of it is kept by day, so nothing is counted here. Months are UTC. Amounts of different currencies are
//! never added.

use std::collections::BTreeMap;

use crate::app::App;
use crate::catalog::{Catalog, Interval};
use crate::clock::{Timestamp, day_of, day_start, month_of, month_start, months_after};
use crate::error::{Refused, Result};
use crate::store::figures::{self, FiguresOfDay, Outstanding, SubscriptionCount};
use crate::store::{Figure, Tx, prices};

/// Rows that are read at once: a year of two currencies.
const PAGE: i64 = 1000;
/// Days of which the use of units is listed.
pub const DAYS: i64 = 90;
/// Statuses of subscriptions that are billed.
const BILLED: [&str; 2] = ["active", "past_due"];

/// The figures of one month and currency. The currency is empty for what has none: units and users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthFigures {
    /// `2026-11`
    pub month: String,
    /// ISO code in lower case.
    pub currency: String,
    sums: BTreeMap<Figure, i64>,
}

impl MonthFigures {
    /// One of them.
    pub fn get(&self, figure: Figure) -> i64 {
        self.sums.get(&figure).copied().unwrap_or_default()
    }

    /// What was received through Stripe and not returned: charges, less refunds, less what disputes withhold.
    pub fn net(&self) -> i64 {
        let received = self.get(Figure::Plans).saturating_add(self.get(Figure::Packs));
        let withheld = self.get(Figure::Withheld).saturating_sub(self.get(Figure::Reinstated));
        received.saturating_sub(self.get(Figure::Refunded)).saturating_sub(withheld)
    }

    fn add(&mut self, day: &FiguresOfDay) {
        for figure in Figure::ALL {
            let sum = self.sums.entry(figure).or_default();
            *sum = sum.saturating_add(day.get(figure));
        }
    }
}

/// What subscriptions bring in a month, in minor units, before discounts and taxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurring {
    pub currency: String,
    pub amount: i64,
}

/// The shop at a glance.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The newest month first, and only those with anything in them.
    pub months: Vec<MonthFigures>,
    pub outstanding: Vec<Outstanding>,
    /// Units used on each of the last [`DAYS`] days, the oldest first: the day's number and the units.
    pub used: Vec<(i64, i64)>,
    pub users: i64,
    pub subscriptions: Vec<SubscriptionCount>,
    pub recurring: Vec<Recurring>,
}

/// The last so many months, the running one among them, and how the shop stands now.
pub fn overview(app: &App, months: u32) -> Result<Overview> {
    let now = app.clock.now();
    let first = months_after(now, -i64::from(months.saturating_sub(1))).map_or_else(|| month_of(now), month_of);
    app.store.read(|tx| {
        let subscriptions = figures::subscriptions(tx)?;
        Ok(Overview {
            months: by_month(tx, [day_of_month(&first)?, i64::MAX])?,
            outstanding: figures::outstanding(tx)?,
            used: used(tx, day_of(now))?,
            users: figures::users(tx)?,
            recurring: recurring(tx, &app.catalog, &subscriptions)?,
            subscriptions,
        })
    })
}

/// The figures of one month, `2026-11`, by currency.
pub fn month(app: &App, month: &str) -> Result<Vec<MonthFigures>> {
    let [from, to] = days_of_month(month)?;
    app.store.read(|tx| by_month(tx, [from, to]))
}

/// The first day of a month and the last.
fn days_of_month(month: &str) -> Result<[i64; 2]> {
    let [start, end] = month_bounds(month)?;
    Ok([day_of(start), day_of(end).saturating_sub(1)])
}

/// The first moment of a month, `2026-11`, and of the next one.
pub fn month_bounds(month: &str) -> Result<[Timestamp; 2]> {
    let start = month_start(month).ok_or_else(|| unknown(month))?;
    let end = months_after(start, 1).ok_or_else(|| unknown(month))?;
    Ok([start, end])
}

fn unknown(month: &str) -> Refused {
    let shown: String = month.chars().take(20).collect();
    Refused::InvalidRequest(format!("{shown:?} is no month: it is written as YYYY-MM, such as 2026-11."))
}

fn day_of_month(month: &str) -> Result<i64> {
    Ok(days_of_month(month)?[0])
}

fn by_month(tx: &mut dyn Tx, [from, to]: [i64; 2]) -> Result<Vec<MonthFigures>> {
    let mut months: BTreeMap<(String, String), MonthFigures> = BTreeMap::new();
    each_day(tx, [from, to], |day| {
        let month = month_of(day_start(day.day));
        let key = (month.clone(), day.currency.clone());
        let new = || MonthFigures { month, currency: day.currency.clone(), sums: BTreeMap::new() };
        months.entry(key).or_insert_with(new).add(day);
    })?;
    let mut months: Vec<MonthFigures> = months.into_values().collect();
    months.retain(|month| month.sums.values().any(|sum| *sum != 0));
    months.sort_by(|one, other| (&other.month, &one.currency).cmp(&(&one.month, &other.currency)));
    Ok(months)
}

/// Units used on the last days up to `today`, days without any among them.
fn used(tx: &mut dyn Tx, today: i64) -> Result<Vec<(i64, i64)>> {
    let first = today.saturating_sub(DAYS).saturating_add(1);
    let mut used: BTreeMap<i64, i64> = (first..=today).map(|day| (day, 0)).collect();
    each_day(tx, [first, today], |day| {
        if day.currency.is_empty() {
            used.insert(day.day, day.get(Figure::Used));
        }
    })?;
    Ok(used.into_iter().collect())
}

/// Shows the figures from one day to another, in order.
fn each_day(tx: &mut dyn Tx, [from, to]: [i64; 2], mut show: impl FnMut(&FiguresOfDay)) -> Result<()> {
    // After the last currency of the day before.
    let mut after = (from.saturating_sub(1), char::MAX.to_string());
    loop {
        let page = figures::page(tx, (after.0, &after.1), to, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.day, last.currency.clone());
        page.iter().for_each(&mut show);
    }
}

/// What the subscriptions that are billed bring in a month: what Stripe says that they cost; where it did not say, what their
/// plan's price costs there, or else in the catalogue. Of a yearly plan the twelfth part.
fn recurring(tx: &mut dyn Tx, catalog: &Catalog, counts: &[SubscriptionCount]) -> Result<Vec<Recurring>> {
    let mut sums: BTreeMap<String, [i64; 2]> = BTreeMap::new();
    for count in counts.iter().filter(|count| BILLED.contains(&count.status.as_str())) {
        let plan = catalog.plan(&count.offer);
        let (currency, amount) = match (count.currency.as_str(), plan) {
            ("", None) => continue,
            ("", Some(plan)) => {
                let currency = catalog.currency.as_str();
                let known = plan.price_id.as_deref().map(|price| prices::amount(tx, price, currency)).transpose()?;
                let each = known.flatten().unwrap_or(plan.amount);
                (currency, each.saturating_mul(count.count))
            }
            (currency, _) => (currency, count.amount),
        };
        let [monthly, yearly] = sums.entry(currency.to_owned()).or_default();
        let is_yearly = plan.is_some_and(|plan| plan.interval == Interval::Year);
        let sum = if is_yearly { yearly } else { monthly };
        *sum = sum.saturating_add(amount);
    }
    let recurring = sums.into_iter().map(|(currency, [monthly, yearly])| Recurring {
        currency,
        amount: monthly.saturating_add(yearly.div_euclid(12)),
    });
    Ok(recurring.filter(|recurring| recurring.amount != 0).collect())
}
