//! The invoice that a subscription waits for: what is still to be paid, and since when. Only the dashboard reads it.

use super::db::Tx;
use crate::clock::Timestamp;
use crate::error::Result;

/// An invoice of a subscription that is open at Stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenInvoice {
    /// `in_…`
    pub id: String,
    /// What is still to be paid, in the currency's minor unit.
    pub amount: i64,
    /// ISO code in lower case.
    pub currency: String,
    pub due_at: Timestamp,
}

/// Keeps the invoice that the subscription waits for, in place of the one before; `None`: it waits for none.
pub fn put(tx: &mut dyn Tx, subscription: &str, invoice: Option<&OpenInvoice>) -> Result<()> {
    const PUT: &str = "INSERT INTO open_invoices (subscription, invoice, amount, currency, due_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (subscription) DO UPDATE SET invoice = $2, amount = $3, currency = $4, due_at = $5";
    const REMOVE: &str = "DELETE FROM open_invoices WHERE subscription = $1";
    match invoice {
        Some(OpenInvoice { id, amount, currency, due_at }) => {
            tx.execute(PUT, &[&subscription, id, amount, currency, due_at])?;
        }
        None => {
            tx.execute(REMOVE, &[&subscription])?;
        }
    }
    Ok(())
}

/// The invoice that the subscription waits for, as far as Stripe has said.
pub fn find(tx: &mut dyn Tx, subscription: &str) -> Result<Option<OpenInvoice>> {
    const FIND: &str = "SELECT invoice, amount, currency, due_at FROM open_invoices WHERE subscription = $1";
    tx.one(FIND, &[&subscription], |row| {
        Ok(OpenInvoice {
            id: row.text("invoice")?,
            amount: row.int("amount")?,
            currency: row.text("currency")?,
            due_at: row.time("due_at")?,
        })
    })
}
