//! Which payments of the books Stripe confirms (`docs/rules.md`, rule 13), and which of them the operator took back. A
//! comparison writes here; what a payment bought and what was returned of it is in `payments`.

use super::db::{DbResult, Row, Tx};
use super::money_moves;
use crate::clock::Timestamp;
use crate::error::Result;

/// A payment as the books have it: what Stripe has to confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookedPayment {
    pub reference: String,
    pub account: i64,
    /// The plan's or pack's key when it was sold.
    pub offer: String,
    /// Units that it gave, less those that reversals took.
    pub units: i64,
    /// Minor units, as charged.
    pub amount: i64,
    /// ISO code in lower case.
    pub currency: String,
    pub session: Option<String>,
    pub payment_intent: Option<String>,
    pub invoice: Option<String>,
    pub paid_at: Timestamp,
    /// When Stripe last confirmed it.
    pub confirmed_at: Option<Timestamp>,
    /// What Stripe said instead.
    pub doubt: Option<String>,
    pub reversed_at: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "reference, account, offer, units_granted - units_reversed AS units, amount, currency, session, payment_intent,
        invoice, paid_at, confirmed_at, doubt, reversed_at"
    };
}

/// The payment that any of these ids names: its own reference, a session, a payment intent, an invoice, a charge.
pub fn find(tx: &mut dyn Tx, id: &str) -> Result<Option<BookedPayment>> {
    const FIND: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM payments
        WHERE reference = $1 OR session = $1 OR payment_intent = $1 OR invoice = $1 OR charge = $1
        ORDER BY reference LIMIT 1"
    );
    tx.one(FIND, &[&id], booked_payment)
}

/// Payments until `to`, the earliest first, after the one with this time and reference.
pub fn page(tx: &mut dyn Tx, after: (Timestamp, &str), to: Timestamp, limit: i64) -> Result<Vec<BookedPayment>> {
    const PAGE: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM payments
        WHERE (paid_at, reference) > ($1, $2) AND paid_at <= $3 ORDER BY paid_at, reference LIMIT $4"
    );
    tx.all(PAGE, &[&after.0, &after.1, &to, &limit], booked_payment)
}

/// Payments that Stripe did not confirm and the operator has not taken back, by reference, after this one.
pub fn in_doubt(tx: &mut dyn Tx, after: &str, limit: i64) -> Result<Vec<BookedPayment>> {
    const IN_DOUBT: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM payments
        WHERE doubt IS NOT NULL AND reversed_at IS NULL AND reference > $1 ORDER BY reference LIMIT $2"
    );
    tx.all(IN_DOUBT, &[&after, &limit], booked_payment)
}

/// How many those are.
pub fn count_in_doubt(tx: &mut dyn Tx) -> Result<i64> {
    const COUNT: &str = "SELECT COUNT(*) AS payments FROM payments WHERE doubt IS NOT NULL AND reversed_at IS NULL";
    Ok(tx.one(COUNT, &[], |row| row.int("payments"))?.unwrap_or(0))
}

/// Stripe describes the payment as the books do.
pub fn confirm(tx: &mut dyn Tx, reference: &str, now: Timestamp) -> Result<()> {
    const CONFIRM: &str = "UPDATE payments SET confirmed_at = $2, doubt = NULL WHERE reference = $1";
    tx.execute(CONFIRM, &[&reference, &now])?;
    Ok(())
}

/// Stripe does not describe the payment as the books do.
pub fn put_in_doubt(tx: &mut dyn Tx, reference: &str, why: &str) -> Result<()> {
    const DOUBT: &str = "UPDATE payments SET confirmed_at = NULL, doubt = $2 WHERE reference = $1";
    tx.execute(DOUBT, &[&reference, &why])?;
    Ok(())
}

/// Marks the payment as taken back by the operator; `false` when it was before. It counts as received no longer.
pub fn mark_reversed(tx: &mut dyn Tx, reference: &str, now: Timestamp) -> Result<bool> {
    const MARK: &str = "UPDATE payments SET reversed_at = $2 WHERE reference = $1 AND reversed_at IS NULL";
    money_moves::keep(tx, reference, |tx| Ok(tx.execute(MARK, &[&reference, &now])? == 1))
}

/// Whether the operator took back all that the payment gave.
pub fn is_reversed(tx: &mut dyn Tx, reference: &str) -> Result<bool> {
    const FIND: &str = "SELECT reversed_at FROM payments WHERE reference = $1";
    let reversed_at = tx.one(FIND, &[&reference], |row| row.time_or_null("reversed_at"))?;
    Ok(reversed_at.flatten().is_some())
}

/// Whether the operator assigned the payment to its account, because Stripe does not say whose it is.
pub fn is_assigned(tx: &mut dyn Tx, payment: &BookedPayment) -> Result<bool> {
    const FIND: &str = "SELECT id FROM events WHERE assigned_to = $1
        AND (object = $2 OR object = $3 OR object = $4 OR object = $5 OR invoice = $5)
        ORDER BY id LIMIT 1";
    let BookedPayment { account, reference, session, payment_intent, invoice, .. } = payment;
    let found = tx.one(FIND, &[account, reference, session, payment_intent, invoice], |row| row.text("id"))?;
    Ok(found.is_some())
}

fn booked_payment(row: &Row<'_>) -> DbResult<BookedPayment> {
    Ok(BookedPayment {
        reference: row.text("reference")?,
        account: row.int("account")?,
        offer: row.text("offer")?,
        units: row.int("units")?,
        amount: row.int("amount")?,
        currency: row.text("currency")?,
        session: row.text_or_null("session")?,
        payment_intent: row.text_or_null("payment_intent")?,
        invoice: row.text_or_null("invoice")?,
        paid_at: row.time("paid_at")?,
        confirmed_at: row.time_or_null("confirmed_at")?,
        doubt: row.text_or_null("doubt")?,
        reversed_at: row.time_or_null("reversed_at")?,
    })
}
