//! What the rows of payments, refunds, credit notes and disputes add to the figures of money. The same statements serve the
//! writes, which add the difference that they make, and the proof, which adds up all rows once more.

use super::db::{Figure, FigureChange, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;

/// Rows that are read at once.
const LIMIT: i64 = 100_000;

/// Makes a change of what is known of a payment, and notes what it changes of the figures.
pub(super) fn keep<T>(tx: &mut dyn Tx, payment: &str, change: impl FnOnce(&mut dyn Tx) -> Result<T>) -> Result<T> {
    let before = of(tx, [payment, payment])?;
    let value = change(tx)?;
    before.into_iter().for_each(|before| tx.add_to_figure(before.undone()));
    of(tx, [payment, payment])?.into_iter().for_each(|after| tx.add_to_figure(after));
    Ok(value)
}

/// What the payments from the first of these references to the last add, with all that was returned of them.
pub(super) fn of(tx: &mut dyn Tx, [first, last]: [&str; 2]) -> Result<Vec<FigureChange>> {
    let mut found = received(tx, [first, last])?;
    found.extend(refunded(tx, [first, last])?);
    found.extend(returned(tx, [first, last])?);
    found.extend(disputed(tx, [first, last])?);
    Ok(found)
}

/// What was received, once, when till learned of it; nothing where the operator took back what Stripe does not confirm. And
/// what Stripe stated to be refunded in all beyond the refunds that are known one by one.
fn received(tx: &mut dyn Tx, [first, last]: [&str; 2]) -> Result<Vec<FigureChange>> {
    const PAYMENTS: &str = "SELECT p.kind, p.amount, p.currency, p.out_of_band, p.paid_at, p.reversed_at,
            p.refunded_total, p.refunded_total_at,
            (SELECT CAST(COALESCE(SUM(r.amount), 0) AS BIGINT) FROM refunds r WHERE r.payment = p.reference) AS known
        FROM payments p WHERE p.reference >= $1 AND p.reference <= $2 ORDER BY p.reference LIMIT $3";
    let rows = tx.all(PAYMENTS, &[&first, &last, &LIMIT], |row| {
        let paid_at = row.time("paid_at")?;
        let figure = match (row.flag("out_of_band")?, row.text("kind")?.as_str()) {
            (true, _) => Figure::OutOfBand,
            (false, "plan") => Figure::Plans,
            (false, _) => Figure::Packs,
        };
        let amount = if row.time_or_null("reversed_at")?.is_some() { 0 } else { row.int("amount")? };
        let beyond = row.int("refunded_total")?.saturating_sub(row.int("known")?).max(0);
        let stated_at = row.time_or_null("refunded_total_at")?.unwrap_or(paid_at);
        Ok([change(row, paid_at, figure, amount)?, change(row, stated_at, Figure::Refunded, beyond)?])
    })?;
    Ok(rows.into_iter().flatten().collect())
}

/// Refunds, from when Stripe made them. One that failed comes back when it failed.
fn refunded(tx: &mut dyn Tx, [first, last]: [&str; 2]) -> Result<Vec<FigureChange>> {
    const REFUNDS: &str = "SELECT r.amount, r.made_at, r.failed_at, p.currency
        FROM refunds r JOIN payments p ON p.reference = r.payment
        WHERE r.payment >= $1 AND r.payment <= $2 ORDER BY r.payment, r.id LIMIT $3";
    there_and_back(tx, REFUNDS, [first, last], ["made_at", "failed_at"], Figure::Refunded)
}

/// What credit notes returned without a refund. One that was voided comes back when it was.
fn returned(tx: &mut dyn Tx, [first, last]: [&str; 2]) -> Result<Vec<FigureChange>> {
    const NOTES: &str = "SELECT n.returned AS amount, n.made_at, n.voided_at, p.currency
        FROM credit_notes n JOIN payments p ON p.reference = n.payment
        WHERE n.payment >= $1 AND n.payment <= $2 ORDER BY n.payment, n.id LIMIT $3";
    there_and_back(tx, NOTES, [first, last], ["made_at", "voided_at"], Figure::Returned)
}

fn there_and_back(
    tx: &mut dyn Tx,
    sql: &'static str,
    [first, last]: [&str; 2],
    [there, back]: [&str; 2],
    figure: Figure,
) -> Result<Vec<FigureChange>> {
    let rows = tx.all(sql, &[&first, &last, &LIMIT], |row| {
        let amount = row.int("amount")?;
        let made = change(row, row.time(there)?, figure, amount)?;
        let undone = row.time_or_null(back)?.map(|at| change(row, at, figure, amount)).transpose()?;
        Ok([Some(made), undone.map(FigureChange::undone)])
    })?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

/// What disputes withdrew, and what they gave back, in the currency in which Stripe moved it.
fn disputed(tx: &mut dyn Tx, [first, last]: [&str; 2]) -> Result<Vec<FigureChange>> {
    const DISPUTES: &str = "SELECT disputed, withheld, currency, withdrawn_at, reinstated_at FROM disputes
        WHERE payment >= $1 AND payment <= $2 ORDER BY payment, id LIMIT $3";
    let rows = tx.all(DISPUTES, &[&first, &last, &LIMIT], |row| {
        let (disputed, withheld) = (row.int("disputed")?, row.int("withheld")?);
        let withdrawn = row.time_or_null("withdrawn_at")?.map(|at| change(row, at, Figure::Withheld, disputed));
        let back = disputed.saturating_sub(withheld).max(0);
        let reinstated = row.time_or_null("reinstated_at")?.map(|at| change(row, at, Figure::Reinstated, back));
        Ok([withdrawn.transpose()?, reinstated.transpose()?])
    })?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

fn change(row: &Row<'_>, at: Timestamp, figure: Figure, amount: i64) -> super::db::DbResult<FigureChange> {
    Ok(FigureChange::at(at, &row.text("currency")?, figure, amount))
}
