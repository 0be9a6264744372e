//! The figures of the shop by day, as they are kept and as the rows that they follow from say. How they are kept up to date
//! is in `db`: each write notes what it changes ([`Tx::add_to_figure`]).

use super::db::{Amounts, AmountsByDay, DbResult, FIGURES, Figure, Row, Tx, add_to};
use super::{money_moves, unit_moves};
use crate::error::Result;
use crate::ledger::{Entry, Lot, LotChange};

/// The figures of one day and currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiguresOfDay {
    /// Milliseconds since 1970 ÷ 86,400,000, in UTC.
    pub day: i64,
    /// ISO code in lower case; empty for what has none.
    pub currency: String,
    /// How often they were changed.
    pub changes: i64,
    amounts: Amounts,
}

impl FiguresOfDay {
    /// One of them.
    pub fn get(&self, figure: Figure) -> i64 {
        self.amounts.get(figure as usize).copied().unwrap_or_default()
    }

    /// All of them, in the order of [`Figure::ALL`].
    pub fn all(&self) -> Amounts {
        self.amounts
    }
}

/// The figures of the days from one to another, in order, after the one of this day and currency: the sums over those who
/// wrote them.
pub fn page(tx: &mut dyn Tx, after: (i64, &str), to: i64, limit: i64) -> Result<Vec<FiguresOfDay>> {
    const PAGE: &str = "SELECT day, currency, CAST(SUM(changes) AS BIGINT) AS changes,
        CAST(SUM(plans) AS BIGINT) AS plans, CAST(SUM(packs) AS BIGINT) AS packs,
        CAST(SUM(out_of_band) AS BIGINT) AS out_of_band, CAST(SUM(refunded) AS BIGINT) AS refunded,
        CAST(SUM(withheld) AS BIGINT) AS withheld, CAST(SUM(reinstated) AS BIGINT) AS reinstated,
        CAST(SUM(returned) AS BIGINT) AS returned, CAST(SUM(value_added) AS BIGINT) AS value_added,
        CAST(SUM(earned) AS BIGINT) AS earned, CAST(SUM(forfeited) AS BIGINT) AS forfeited,
        CAST(SUM(value_reversed) AS BIGINT) AS value_reversed, CAST(SUM(bought) AS BIGINT) AS bought,
        CAST(SUM(given) AS BIGINT) AS given, CAST(SUM(used) AS BIGINT) AS used,
        CAST(SUM(expired) AS BIGINT) AS expired, CAST(SUM(reversed) AS BIGINT) AS reversed,
        CAST(SUM(units_left) AS BIGINT) AS units_left, CAST(SUM(users) AS BIGINT) AS users
        FROM figures WHERE (day, currency) > ($1, $2) AND day <= $3 GROUP BY day, currency
        ORDER BY day, currency LIMIT $4";
    tx.all(PAGE, &[&after.0, &after.1, &to, &limit], figures_of_day)
}

/// Units that are left in lots, by what they were paid with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// Empty for units that nothing was paid for.
    pub currency: String,
    pub units: i64,
    /// What was paid for them, in minor units: what is owed in units.
    pub value: i64,
}

/// What all days together left of units and of what was paid for them.
pub fn outstanding(tx: &mut dyn Tx) -> Result<Vec<Outstanding>> {
    const SUMS: &str = "SELECT currency, CAST(SUM(units_left) AS BIGINT) AS units,
            CAST(SUM(value_added - earned - forfeited - value_reversed) AS BIGINT) AS value
        FROM figures GROUP BY currency ORDER BY currency LIMIT 1000";
    let sums = tx.all(SUMS, &[], |row| {
        Ok(Outstanding { currency: row.text("currency")?, units: row.int("units")?, value: row.int("value")? })
    })?;
    Ok(sums.into_iter().filter(|sum| sum.units != 0 || sum.value != 0).collect())
}

/// Units since the beginning of the books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitSums {
    pub bought: i64,
    pub given: i64,
    pub used: i64,
    pub expired: i64,
    /// Taken back, less those that came back.
    pub reversed: i64,
    /// In lots, held ones among them.
    pub left: i64,
}

/// What all days together say of units: a row for each day and currency is read.
pub fn units(tx: &mut dyn Tx) -> Result<UnitSums> {
    const SUMS: &str = "SELECT CAST(COALESCE(SUM(bought), 0) AS BIGINT) AS bought,
            CAST(COALESCE(SUM(given), 0) AS BIGINT) AS given, CAST(COALESCE(SUM(used), 0) AS BIGINT) AS used,
            CAST(COALESCE(SUM(expired), 0) AS BIGINT) AS expired,
            CAST(COALESCE(SUM(reversed), 0) AS BIGINT) AS reversed,
            CAST(COALESCE(SUM(units_left), 0) AS BIGINT) AS units_left FROM figures";
    let sums = tx.one(SUMS, &[], |row| {
        Ok(UnitSums {
            bought: row.int("bought")?,
            given: row.int("given")?,
            used: row.int("used")?,
            expired: row.int("expired")?,
            reversed: row.int("reversed")?,
            left: row.int("units_left")?,
        })
    })?;
    Ok(sums.unwrap_or_default())
}

/// How many users there are.
pub fn users(tx: &mut dyn Tx) -> Result<i64> {
    const USERS: &str = "SELECT CAST(COALESCE(SUM(users), 0) AS BIGINT) AS users FROM figures WHERE currency = ''";
    Ok(tx.one(USERS, &[], |row| row.int("users"))?.unwrap_or(0))
}

fn figures_of_day(row: &Row<'_>) -> DbResult<FiguresOfDay> {
    let mut amounts: Amounts = [0; FIGURES];
    for (amount, figure) in amounts.iter_mut().zip(Figure::ALL) {
        *amount = row.int(figure.column())?;
    }
    Ok(FiguresOfDay { day: row.int("day")?, currency: row.text("currency")?, changes: row.int("changes")?, amounts })
}

/// References of payments in order, after this one.
pub fn payments_after(tx: &mut dyn Tx, reference: &str, limit: i64) -> Result<Vec<String>> {
    const PAGE: &str = "SELECT reference FROM payments WHERE reference > $1 ORDER BY reference LIMIT $2";
    tx.all(PAGE, &[&reference, &limit], |row| row.text("reference"))
}

/// Adds up what the payments from one reference to another say of money.
pub fn add_money(tx: &mut dyn Tx, range: [&str; 2], sums: &mut AmountsByDay) -> Result<()> {
    money_moves::of(tx, range)?.iter().for_each(|change| add_to(sums, change));
    Ok(())
}

/// Adds up the units that an entry moved.
pub fn add_units(entry: &Entry, sums: &mut AmountsByDay) {
    add_to(sums, &unit_moves::moved(entry));
}

/// Adds up how the value of lots changed.
pub fn add_value(before: &[Lot], after: &[Lot], lot_change: LotChange<'_>, sums: &mut AmountsByDay) {
    unit_moves::value_moved(before, after, lot_change).iter().for_each(|change| add_to(sums, change));
}

/// Adds up the users of the accounts after this one, up to a number of them; the last of these.
pub fn add_users(tx: &mut dyn Tx, account: i64, limit: i64, sums: &mut AmountsByDay) -> Result<Option<i64>> {
    const PAGE: &str = "SELECT account, created_at FROM users WHERE account > $1 ORDER BY account LIMIT $2";
    let users = tx.all(PAGE, &[&account, &limit], |row| Ok((row.int("account")?, row.time("created_at")?)))?;
    for (_, created_at) in &users {
        add_to(sums, &super::FigureChange::at(*created_at, "", Figure::Users, 1));
    }
    Ok(users.last().map(|(account, _)| *account))
}

/// How many subscriptions have a status, and what they bring in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionCount {
    /// Stripe's word, or `ended`.
    pub status: String,
    /// The plan's key; `-` when its price is not in the catalogue.
    pub offer: String,
    /// In which they are billed; empty where Stripe did not say what they cost.
    pub currency: String,
    pub count: i64,
    /// What all of them together are billed for a period, in minor units, before discounts and taxes.
    pub amount: i64,
}

/// Subscriptions by status, plan and currency, as they are kept.
pub fn subscriptions(tx: &mut dyn Tx) -> Result<Vec<SubscriptionCount>> {
    const KEPT: &str =
        "SELECT status, offer, currency, count, amount FROM subscription_counts WHERE count <> 0 OR amount <> 0
        ORDER BY status, offer, currency LIMIT 10000";
    tx.all(KEPT, &[], subscription_count)
}

/// The same, counted.
pub fn counted_subscriptions(tx: &mut dyn Tx) -> Result<Vec<SubscriptionCount>> {
    const COUNTED: &str = "SELECT status, offer, currency, COUNT(*) AS count,
            CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS amount
        FROM (SELECT CASE WHEN ended_at IS NULL THEN status ELSE 'ended' END AS status, offer,
            COALESCE(currency, '') AS currency, amount FROM subscriptions) AS described
        GROUP BY status, offer, currency ORDER BY status, offer, currency LIMIT 10000";
    tx.all(COUNTED, &[], subscription_count)
}

fn subscription_count(row: &Row<'_>) -> DbResult<SubscriptionCount> {
    Ok(SubscriptionCount {
        status: row.text("status")?,
        offer: row.text("offer")?,
        currency: row.text("currency")?,
        count: row.int("count")?,
        amount: row.int("amount")?,
    })
}
