//! What one of a price costs at Stripe, by currency: asked once and kept. The amount in a price's own currency never changes
//! there; what it costs in others may, and `till check` compares it.

use super::db::Tx;
use crate::error::Result;

/// In the currency's minor unit. `None` where it was never asked, or has no fixed amount.
pub fn amount(tx: &mut dyn Tx, price: &str, currency: &str) -> Result<Option<i64>> {
    const FIND: &str = "SELECT amount FROM prices WHERE price = $1 AND currency = $2";
    tx.one(FIND, &[&price, &currency], |row| row.int("amount"))
}

/// All that is kept of a price: amounts in minor units, by their currencies.
pub fn all_of(tx: &mut dyn Tx, price: &str) -> Result<Vec<(String, i64)>> {
    const ALL: &str = "SELECT currency, amount FROM prices WHERE price = $1 ORDER BY currency LIMIT 500";
    tx.all(ALL, &[&price], |row| Ok((row.text("currency")?, row.int("amount")?)))
}

/// Keeps an amount in the currency's minor unit.
pub fn put(tx: &mut dyn Tx, price: &str, currency: &str, amount: i64) -> Result<()> {
    const PUT: &str = "INSERT INTO prices (price, currency, amount) VALUES ($1, $2, $3)
        ON CONFLICT (price, currency) DO UPDATE SET amount = $3";
    tx.execute(PUT, &[&price, &currency, &amount])?;
    Ok(())
}
