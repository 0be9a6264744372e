//! Adds to the figures what the writer commits together: one row for each day and currency, in the same
//! transaction.

use crate::store::db::fault::DbResult;
use crate::store::db::figures::AmountsByDay;
use crate::store::db::tx::Tx;
use crate::store::db::value::Param;

/// Adds all of it to the rows of this writer, which no other connection writes.
pub(super) fn add(tx: &mut dyn Tx, changed: &AmountsByDay, writer: i64) -> DbResult<()> {
    // In the order of `Figure::ALL`.
    const ADD: &str = "INSERT INTO figures (day, currency, writer, changes,
        plans, packs, out_of_band, refunded, withheld, reinstated, returned, value_added, earned, forfeited,
        value_reversed, bought, given, used, expired, reversed, units_left, users)
        VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
        ON CONFLICT (day, currency, writer) DO UPDATE SET changes = figures.changes + 1,
        plans = figures.plans + excluded.plans, packs = figures.packs + excluded.packs, out_of_band =
        figures.out_of_band + excluded.out_of_band, refunded = figures.refunded + excluded.refunded, withheld =
        figures.withheld + excluded.withheld, reinstated = figures.reinstated + excluded.reinstated, returned =
        figures.returned + excluded.returned, value_added = figures.value_added + excluded.value_added, earned =
        figures.earned + excluded.earned, forfeited = figures.forfeited + excluded.forfeited, value_reversed =
        figures.value_reversed + excluded.value_reversed, bought = figures.bought + excluded.bought, given =
        figures.given + excluded.given, used = figures.used + excluded.used, expired = figures.expired +
        excluded.expired, reversed = figures.reversed + excluded.reversed, units_left = figures.units_left +
        excluded.units_left, users = figures.users + excluded.users";
    for ((day, currency), amounts) in changed {
        let row: Vec<&dyn Param> = [day as &dyn Param, currency, &writer]
            .into_iter()
            .chain(amounts.iter().map(|amount| amount as &dyn Param))
            .collect();
        tx.execute(ADD, &row)?;
    }
    Ok(())
}
