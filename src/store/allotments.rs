//! What plans give: the months of a yearly plan that become due later, and what each line of an invoice gave its billing
//! period, so that a later line which gives time back takes its share of exactly that.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;

/// Units of a payment that are due, and not credited yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueAllotment {
    /// The payment's.
    pub reference: String,
    /// 1 for the second month that was paid for, which is the first that is credited later.
    pub month: i64,
    pub units: i64,
    /// Its part of what the payment cost, in the payment's currency.
    pub cost: i64,
    pub due_at: Timestamp,
    /// When the lot that it opens expires.
    pub expires_at: Option<Timestamp>,
}

/// Plans a later part of a payment; `false` when it is planned already.
pub fn plan(tx: &mut dyn Tx, part: &DueAllotment) -> Result<bool> {
    const PLAN: &str =
        "INSERT INTO allotments (reference, month, due_at, units, expires_at, cost) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (reference, month) DO NOTHING";
    let DueAllotment { reference, month, units, cost, due_at, expires_at } = part;
    Ok(tx.execute(PLAN, &[reference, month, due_at, units, expires_at, cost])? == 1)
}

/// Parts of payments that are due, the earliest first.
pub fn due(tx: &mut dyn Tx, now: Timestamp, limit: i64) -> Result<Vec<DueAllotment>> {
    const DUE: &str = "SELECT reference, month, units, cost, COALESCE(postponed_from, due_at) AS planned_at, expires_at
        FROM allotments
        WHERE posted_at IS NULL AND due_at <= $1 ORDER BY due_at, reference, month LIMIT $2";
    tx.all(DUE, &[&now, &limit], |row| {
        Ok(DueAllotment {
            reference: row.text("reference")?,
            month: row.int("month")?,
            units: row.int("units")?,
            cost: row.int("cost")?,
            due_at: row.time("planned_at")?,
            expires_at: row.time_or_null("expires_at")?,
        })
    })
}

/// Postpones a part.
pub fn postpone(tx: &mut dyn Tx, reference: &str, month: i64, until: Timestamp) -> Result<()> {
    const POSTPONE: &str = "UPDATE allotments SET postponed_from = COALESCE(postponed_from, due_at), due_at = $3
        WHERE reference = $1 AND month = $2";
    tx.execute(POSTPONE, &[&reference, &month, &until])?;
    Ok(())
}

/// Makes the parts of a payment that were postponed due as they were at first.
pub fn resume(tx: &mut dyn Tx, reference: &str) -> Result<()> {
    const RESUME: &str = "UPDATE allotments SET due_at = postponed_from, postponed_from = NULL
        WHERE reference = $1 AND postponed_from IS NOT NULL AND posted_at IS NULL";
    tx.execute(RESUME, &[&reference])?;
    Ok(())
}

/// Marks a part as credited; `false` when it was before.
pub fn mark_posted(tx: &mut dyn Tx, reference: &str, month: i64, now: Timestamp) -> Result<bool> {
    const POSTED: &str =
        "UPDATE allotments SET posted_at = $3 WHERE reference = $1 AND month = $2 AND posted_at IS NULL";
    Ok(tx.execute(POSTED, &[&reference, &month, &now])? == 1)
}

/// What a line of an invoice gave a billing period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanPeriod {
    pub invoice: String,
    /// Stripe's id of the line.
    pub line: String,
    pub account: i64,
    pub subscription: Option<String>,
    pub price: String,
    pub quantity: i64,
    /// What the whole billing period gives for that quantity.
    pub units: i64,
    /// The billing period.
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// From when on the line covers it.
    pub covers_from: Timestamp,
}

/// Records what a line gave. A line that is recorded stays as it is.
pub fn add_period(tx: &mut dyn Tx, period: &PlanPeriod) -> Result<()> {
    const ADD: &str = "INSERT INTO plan_periods
        (invoice, line, account, subscription, price, quantity, units, starts_at, ends_at, covers_from)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (invoice, line) DO NOTHING";
    let PlanPeriod { invoice, line, account, subscription, price, quantity, units, starts_at, ends_at, covers_from } =
        period;
    tx.execute(ADD, &[invoice, line, account, subscription, price, quantity, units, starts_at, ends_at, covers_from])?;
    Ok(())
}

/// What this line of this invoice gave.
pub fn period_of_line(tx: &mut dyn Tx, invoice: &str, line: &str) -> Result<Option<PlanPeriod>> {
    const FIND: &str = "SELECT invoice, line, account, subscription, price, quantity, units, starts_at, ends_at,
        covers_from FROM plan_periods WHERE invoice = $1 AND line = $2";
    tx.one(FIND, &[&invoice, &line], plan_period)
}

/// Whether a billing period of this subscription that ends at `ends_at` is known.
pub fn has_period(tx: &mut dyn Tx, subscription: &str, ends_at: Timestamp) -> Result<bool> {
    const FIND: &str = "SELECT line FROM plan_periods WHERE subscription = $1 AND ends_at = $2 ORDER BY line LIMIT 1";
    Ok(tx.one(FIND, &[&subscription, &ends_at], |row| row.text("line"))?.is_some())
}

/// The periods of an account that end at or after `to` and were covered from `from` or earlier, the last covered first:
/// those that time from `from` to `to` can belong to.
pub fn periods_around(tx: &mut dyn Tx, account: i64, from: Timestamp, to: Timestamp) -> Result<Vec<PlanPeriod>> {
    const AROUND: &str = "SELECT invoice, line, account, subscription, price, quantity, units, starts_at, ends_at,
        covers_from FROM plan_periods WHERE account = $1 AND ends_at >= $3 AND covers_from <= $2
        ORDER BY covers_from DESC, invoice, line LIMIT 1000";
    tx.all(AROUND, &[&account, &from, &to], plan_period)
}

fn plan_period(row: &Row<'_>) -> DbResult<PlanPeriod> {
    Ok(PlanPeriod {
        invoice: row.text("invoice")?,
        line: row.text("line")?,
        account: row.int("account")?,
        subscription: row.text_or_null("subscription")?,
        price: row.text("price")?,
        quantity: row.int("quantity")?,
        units: row.int("units")?,
        starts_at: row.time("starts_at")?,
        ends_at: row.time("ends_at")?,
        covers_from: row.time("covers_from")?,
    })
}
