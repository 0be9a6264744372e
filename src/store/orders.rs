//! Orders: what was on sale when a button was pressed, and what became of it. Facts are set once and stay.

use super::{Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// What was on sale, and to whom it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// `ord_…`: also the idempotency key of the request that makes the session.
    pub id: String,
    /// Who buys.
    pub account: i64,
    /// The pack's or plan's key.
    pub offer: String,
    /// `pack` or `plan`.
    pub kind: String,
    /// Units for one of it.
    pub units: i64,
    /// Its price in the catalogue, in the currency's minor unit.
    pub amount: i64,
    /// ISO code in lower case.
    pub currency: String,
    /// Stripe's price id.
    pub price: String,
    /// The lot's life in days; `None`: it does not expire.
    pub expires_in_days: Option<i64>,
    /// Where the buyer goes afterwards.
    pub return_url: Option<String>,
    /// The exact body of the request for the session.
    pub request_body: String,
    /// Stripe's session, once made.
    pub session: Option<String>,
    /// What Stripe says one of it costs, before discounts and taxes.
    pub subtotal: Option<i64>,
    /// When the button was pressed.
    pub created_at: Timestamp,
    /// A slow payment is on its way since.
    pub pending_at: Option<Timestamp>,
    /// Stripe said it is paid.
    pub paid_at: Option<Timestamp>,
    /// A slow payment did not arrive.
    pub failed_at: Option<Timestamp>,
    /// The session ended without a payment.
    pub expired_at: Option<Timestamp>,
}

/// Stores a new order, before Stripe hears of it.
pub fn add(tx: &mut dyn Tx, order: &Order) -> Result<()> {
    const ADD: &str = "INSERT INTO orders (id, account, offer, kind, units, amount, currency, price, expires_in_days,
        return_url, request_body, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    tx.execute(
        ADD,
        &[
            (&order.id).into(),
            order.account.into(),
            (&order.offer).into(),
            (&order.kind).into(),
            order.units.into(),
            order.amount.into(),
            (&order.currency).into(),
            (&order.price).into(),
            order.expires_in_days.into(),
            order.return_url.as_deref().into(),
            (&order.request_body).into(),
            order.created_at.into(),
        ],
    )?;
    Ok(())
}

/// Stripe made the session. The webhook may have said so before Stripe's own answer came.
pub fn opened(
    tx: &mut dyn Tx,
    id: &str,
    session: &str,
    url: Option<&str>,
    subtotal: Option<i64>,
    now: Timestamp,
) -> Result<()> {
    const OPENED: &str = "UPDATE orders SET session = $2, checkout_url = COALESCE($3, checkout_url),
        subtotal = COALESCE(subtotal, $4), opened_at = COALESCE(opened_at, $5)
        WHERE id = $1 AND (session IS NULL OR session = $2)";
    match tx.execute(OPENED, &[id.into(), session.into(), url.into(), subtotal.into(), now.into()])? {
        1 => Ok(()),
        _ => Err(Fault::bare(format!("order {id} has another session than {session}")).into()),
    }
}

/// Stripe did not make the session.
pub fn refused(tx: &mut dyn Tx, id: &str, now: Timestamp) -> Result<()> {
    const REFUSED: &str = "UPDATE orders SET refused_at = COALESCE(refused_at, $2) WHERE id = $1";
    tx.execute(REFUSED, &[id.into(), now.into()])?;
    Ok(())
}

/// A fact about an order that Stripe tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A slow payment is on its way.
    Pending,
    /// It is paid.
    Paid,
    /// The slow payment did not arrive.
    Failed,
    /// The session ended without a payment.
    Expired,
}

/// Sets a fact; one that is set already stays as it is. Answers whether it is new.
pub fn set(tx: &mut dyn Tx, id: &str, fact: Fact, now: Timestamp) -> Result<bool> {
    const PENDING: &str = "UPDATE orders SET pending_at = $2 WHERE id = $1 AND pending_at IS NULL";
    const PAID: &str = "UPDATE orders SET paid_at = $2 WHERE id = $1 AND paid_at IS NULL";
    const FAILED: &str = "UPDATE orders SET failed_at = $2 WHERE id = $1 AND failed_at IS NULL";
    const EXPIRED: &str = "UPDATE orders SET expired_at = $2 WHERE id = $1 AND expired_at IS NULL";
    let sql = match fact {
        Fact::Pending => PENDING,
        Fact::Paid => PAID,
        Fact::Failed => FAILED,
        Fact::Expired => EXPIRED,
    };
    Ok(tx.execute(sql, &[id.into(), now.into()])? == 1)
}

/// The order that a session belongs to.
pub fn by_session(tx: &mut dyn Tx, session: &str) -> Result<Option<Order>> {
    const FIND: &str = "SELECT id, account, offer, kind, units, amount, currency, price, expires_in_days, return_url,
        request_body, session, subtotal, created_at, pending_at, paid_at, failed_at, expired_at
        FROM orders WHERE session = $1";
    Ok(tx.query_one(FIND, &[session.into()])?.as_ref().map(order).transpose()?)
}

/// The order with this id.
pub fn by_id(tx: &mut dyn Tx, id: &str) -> Result<Option<Order>> {
    const FIND: &str = "SELECT id, account, offer, kind, units, amount, currency, price, expires_in_days, return_url,
        request_body, session, subtotal, created_at, pending_at, paid_at, failed_at, expired_at
        FROM orders WHERE id = $1";
    Ok(tx.query_one(FIND, &[id.into()])?.as_ref().map(order).transpose()?)
}

/// Orders of an account whose money is on its way, newest first.
pub fn pending(tx: &mut dyn Tx, account: i64) -> Result<Vec<Order>> {
    const PENDING: &str =
        "SELECT id, account, offer, kind, units, amount, currency, price, expires_in_days, return_url,
        request_body, session, subtotal, created_at, pending_at, paid_at, failed_at, expired_at
        FROM orders WHERE account = $1 AND pending_at IS NOT NULL AND paid_at IS NULL AND failed_at IS NULL
        ORDER BY created_at DESC, id LIMIT 20";
    let rows = tx.query(PENDING, &[account.into()])?;
    Ok(rows.iter().map(order).collect::<std::result::Result<_, Fault>>()?)
}

fn order(row: &Row) -> std::result::Result<Order, Fault> {
    Ok(Order {
        id: row.text(0)?,
        account: row.int(1)?,
        offer: row.text(2)?,
        kind: row.text(3)?,
        units: row.int(4)?,
        amount: row.int(5)?,
        currency: row.text(6)?,
        price: row.text(7)?,
        expires_in_days: row.int_or_null(8)?,
        return_url: row.text_or_null(9)?,
        request_body: row.text(10)?,
        session: row.text_or_null(11)?,
        subtotal: row.int_or_null(12)?,
        created_at: row.time(13)?,
        pending_at: row.time_or_null(14)?,
        paid_at: row.time_or_null(15)?,
        failed_at: row.time_or_null(16)?,
        expired_at: row.time_or_null(17)?,
    })
}
