//! What Stripe was paid and what it bought: one row for each credit, found again by any of Stripe's ids.

use super::Tx;
use crate::clock::Timestamp;
use crate::error::Result;

/// A payment that is about to be credited.
#[derive(Clone, Debug)]
pub struct NewPayment<'a> {
    /// What makes the credit happen once: the payment intent, the session where there is none, or the invoice.
    pub reference: &'a str,
    /// Who bought.
    pub account: i64,
    /// The `seq` of the entry that credits it.
    pub lot: i64,
    /// Units.
    pub gave: i64,
    /// As charged, in the currency's minor unit.
    pub amount: i64,
    /// ISO code in lower case.
    pub currency: &'a str,
    /// The plan's or pack's key when it was sold.
    pub offer: &'a str,
    /// The checkout session.
    pub session: Option<&'a str>,
    /// The payment intent.
    pub payment_intent: Option<&'a str>,
    /// The invoice.
    pub invoice: Option<&'a str>,
    /// When we learned of it.
    pub paid_at: Timestamp,
}

/// Records the payment; `false` when it, or another under one of its ids, was recorded before.
pub fn add(tx: &mut dyn Tx, new: &NewPayment<'_>) -> Result<bool> {
    const ADD: &str = "INSERT INTO payments
        (reference, account, lot, gave, taken, amount, currency, offer, session, payment_intent, invoice, paid_at)
        VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
    let added = tx.execute(
        ADD,
        &[
            new.reference.into(),
            new.account.into(),
            new.lot.into(),
            new.gave.into(),
            new.amount.into(),
            new.currency.into(),
            new.offer.into(),
            new.session.into(),
            new.payment_intent.into(),
            new.invoice.into(),
            new.paid_at.into(),
        ],
    )?;
    Ok(added == 1)
}

/// What a payment gave to whom, found by the session that sold it.
pub fn gave_by_session(tx: &mut dyn Tx, session: &str) -> Result<Option<(i64, i64)>> {
    const FIND: &str = "SELECT account, gave FROM payments WHERE session = $1";
    let row = tx.query_one(FIND, &[session.into()])?;
    Ok(row.map(|row| Ok::<_, crate::error::Fault>((row.int(0)?, row.int(1)?))).transpose()?)
}
