//! Orders: what was on sale when a button was pressed, and what became of it. Facts are set once and stay.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// The columns of an order.
macro_rules! columns {
    () => {
        "id, account, offer, kind, units, amount, currency, price, expires_in_days, return_url, request_body, session,
        subtotal, created_at, pending_at, paid_at, failed_at, expired_at"
    };
}

/// What is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferKind {
    Pack,
    Plan,
}

impl OfferKind {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            OfferKind::Pack => "pack",
            OfferKind::Plan => "plan",
        }
    }

    /// Reads the stored word.
    pub fn parse(text: &str) -> Option<OfferKind> {
        [OfferKind::Pack, OfferKind::Plan].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What was on sale, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// `ord_…`: also the idempotency key of the request that makes the session.
    pub id: String,
    pub account: i64,
    /// The pack's or plan's key.
    pub offer: String,
    pub kind: OfferKind,
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
    pub created_at: Timestamp,
    /// Since when a slow payment is on its way.
    pub pending_at: Option<Timestamp>,
    pub paid_at: Option<Timestamp>,
    /// A slow payment did not arrive.
    pub failed_at: Option<Timestamp>,
    /// The session ended without a payment.
    pub expired_at: Option<Timestamp>,
}

/// Stores a new order, before the request to Stripe. Returns false, and stores nothing, for a plan if the account has an
/// open order for one.
pub fn add(tx: &mut dyn Tx, order: &Order) -> Result<bool> {
    const ADD: &str = "INSERT INTO orders (id, account, offer, kind, units, amount, currency, price, expires_in_days,
        return_url, request_body, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT DO NOTHING";
    let added = tx.execute(
        ADD,
        &[
            &order.id,
            &order.account,
            &order.offer,
            &order.kind.as_str(),
            &order.units,
            &order.amount,
            &order.currency,
            &order.price,
            &order.expires_in_days,
            &order.return_url,
            &order.request_body,
            &order.created_at,
        ],
    )?;
    Ok(added == 1)
}

/// The account's order for a plan whose checkout is not finished, as far as the books know.
pub fn open_plan(tx: &mut dyn Tx, account: i64) -> Result<Option<Order>> {
    const OPEN: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM orders
        WHERE account = $1 AND kind = 'plan' AND pending_at IS NULL AND paid_at IS NULL AND failed_at IS NULL
            AND expired_at IS NULL AND refused_at IS NULL"
    );
    tx.one(OPEN, &[&account], order)
}

/// The newest order for a plan that was paid at this time or later, and whose subscription Stripe has not described yet.
pub fn plan_without_subscription(tx: &mut dyn Tx, account: i64, since: Timestamp) -> Result<Option<Order>> {
    const PAID: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM orders o
        WHERE account = $1 AND kind = 'plan' AND paid_at >= $2 AND subscription IS NOT NULL
            AND NOT EXISTS (SELECT s.id FROM subscriptions s WHERE s.id = o.subscription)
        ORDER BY created_at DESC, id LIMIT 1"
    );
    tx.one(PAID, &[&account, &since], order)
}

/// Records the subscription that a plan's order began.
pub fn subscribed(tx: &mut dyn Tx, id: &str, subscription: &str) -> Result<()> {
    const SUBSCRIBED: &str = "UPDATE orders SET subscription = COALESCE(subscription, $2) WHERE id = $1";
    tx.execute(SUBSCRIBED, &[&id, &subscription])?;
    Ok(())
}

/// Records the session that Stripe made. The webhook may have reported it before Stripe's own answer came.
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
    match tx.execute(OPENED, &[&id, &session, &url, &subtotal, &now])? {
        1 => Ok(()),
        _ => Err(Fault::bare(format!("order {id} has another session than {session}")).into()),
    }
}

/// Records that Stripe did not make the session.
pub fn refused(tx: &mut dyn Tx, id: &str, now: Timestamp) -> Result<()> {
    const REFUSED: &str = "UPDATE orders SET refused_at = COALESCE(refused_at, $2) WHERE id = $1";
    tx.execute(REFUSED, &[&id, &now])?;
    Ok(())
}

/// What Stripe reports about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A slow payment is on its way.
    Pending,
    Paid,
    /// The slow payment did not arrive.
    Failed,
    /// The session ended without a payment.
    Expired,
}

/// Sets a fact; one that is set already stays as it is. Returns whether it is new.
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
    Ok(tx.execute(sql, &[&id, &now])? == 1)
}

/// Gives an order to another account, to which the operator assigned its payment.
pub fn assign(tx: &mut dyn Tx, id: &str, account: i64) -> Result<()> {
    const ASSIGN: &str = "UPDATE orders SET account = $2 WHERE id = $1";
    tx.execute(ASSIGN, &[&id, &account])?;
    Ok(())
}

/// The order that a session belongs to.
pub fn by_session(tx: &mut dyn Tx, session: &str) -> Result<Option<Order>> {
    const FIND: &str = concat!("SELECT ", columns!(), " FROM orders WHERE session = $1");
    tx.one(FIND, &[&session], order)
}

/// The order with this id.
pub fn by_id(tx: &mut dyn Tx, id: &str) -> Result<Option<Order>> {
    const FIND: &str = concat!("SELECT ", columns!(), " FROM orders WHERE id = $1");
    tx.one(FIND, &[&id], order)
}

/// Orders of an account, newest first.
pub fn of_account(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<Order>> {
    const LIST: &str =
        concat!("SELECT ", columns!(), " FROM orders WHERE account = $1 ORDER BY created_at DESC, id LIMIT $2");
    tx.all(LIST, &[&account, &limit], order)
}

/// Orders of an account whose money is on its way since this time or later, newest first.
pub fn pending(tx: &mut dyn Tx, account: i64, since: Timestamp) -> Result<Vec<Order>> {
    const PENDING: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM orders
        WHERE account = $1 AND pending_at >= $2 AND paid_at IS NULL AND failed_at IS NULL
        ORDER BY created_at DESC, id LIMIT 20"
    );
    tx.all(PENDING, &[&account, &since], order)
}

/// Orders, with their sessions, of people who were erased since, as far as they may still be paid. The oldest first.
pub fn open_of_erased(tx: &mut dyn Tx, since: Timestamp, limit: i64) -> Result<Vec<(String, String)>> {
    const OPEN: &str = "SELECT o.id, o.session FROM users u JOIN orders o ON o.account = u.account
        WHERE u.erased_at >= $1 AND o.created_at >= $1 AND o.session IS NOT NULL AND o.pending_at IS NULL
            AND o.paid_at IS NULL AND o.failed_at IS NULL AND o.expired_at IS NULL AND o.refused_at IS NULL
        ORDER BY o.created_at, o.id LIMIT $2";
    tx.all(OPEN, &[&since, &limit], |row| Ok((row.text("id")?, row.text("session")?)))
}

/// Orders of an account whose slow payment failed at this time or later, newest first. An order that is paid, or pending,
/// since then for something of the same kind takes the place of one that failed.
pub fn failed(tx: &mut dyn Tx, account: i64, since: Timestamp) -> Result<Vec<Order>> {
    const FAILED: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM orders f
        WHERE account = $1 AND failed_at >= $2 AND paid_at IS NULL
            AND NOT EXISTS (SELECT n.id FROM orders n WHERE n.account = f.account AND n.kind = f.kind
                AND n.id <> f.id AND n.failed_at IS NULL AND (n.paid_at >= f.failed_at OR n.pending_at >= f.failed_at))
        ORDER BY failed_at DESC, id LIMIT 20"
    );
    tx.all(FAILED, &[&account, &since], order)
}

fn order(row: &Row<'_>) -> DbResult<Order> {
    Ok(Order {
        id: row.text("id")?,
        account: row.int("account")?,
        offer: row.text("offer")?,
        kind: row.word("kind", OfferKind::parse)?,
        units: row.int("units")?,
        amount: row.int("amount")?,
        currency: row.text("currency")?,
        price: row.text("price")?,
        expires_in_days: row.int_or_null("expires_in_days")?,
        return_url: row.text_or_null("return_url")?,
        request_body: row.text("request_body")?,
        session: row.text_or_null("session")?,
        subtotal: row.int_or_null("subtotal")?,
        created_at: row.time("created_at")?,
        pending_at: row.time_or_null("pending_at")?,
        paid_at: row.time_or_null("paid_at")?,
        failed_at: row.time_or_null("failed_at")?,
        expired_at: row.time_or_null("expired_at")?,
    })
}
