//! Payments as the operator sees them: every fact that is kept of one, with what refunds, credit notes and disputes said of
//! it, and the lots that it bought.

use super::db::{DbResult, Row, Tx};
use super::payments::{Payment, payment};
use super::receipts::PaymentMeans;
use crate::clock::Timestamp;
use crate::error::Result;

/// A payment with what is known besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRecord {
    pub payment: Payment,
    pub user_id: String,
    pub means: PaymentMeans,
    /// The number of its invoice.
    pub number: Option<String>,
    /// When Stripe last confirmed it.
    pub confirmed_at: Option<Timestamp>,
    /// What Stripe said instead.
    pub doubt: Option<String>,
    /// When the operator took back all that it gave.
    pub reversed_at: Option<Timestamp>,
}

/// Payments with their columns, by a condition.
macro_rules! payments_where {
    ($condition:literal) => {
        concat!(
            "SELECT p.reference, p.account, p.kind, p.units_granted, p.units_reversed, p.amount, p.cost, p.currency, p.offer,
            p.out_of_band, p.session, p.payment_intent, p.charge, p.invoice, p.refunded_total, p.reversals, p.paid_at,
            p.confirmed_at, p.doubt, p.reversed_at, u.id AS user_id, c.brand, c.last4, d.number
            FROM payments p JOIN users u ON u.account = p.account
            LEFT JOIN charges c ON c.id = COALESCE(p.charge, (SELECT MAX(m.id) FROM charges m
                WHERE m.payment_intent = p.payment_intent))
            LEFT JOIN invoice_documents d ON d.invoice = p.invoice
            WHERE ",
            $condition
        )
    };
}

/// Payments before the one with this time and reference, the newest first.
pub fn newest(tx: &mut dyn Tx, before: (Timestamp, &str), limit: i64) -> Result<Vec<PaymentRecord>> {
    const PAGE: &str =
        payments_where!("(p.paid_at, p.reference) < ($1, $2) ORDER BY p.paid_at DESC, p.reference DESC LIMIT $3");
    tx.all(PAGE, &[&before.0, &before.1, &limit], record)
}

/// The account's payments before the one with this time and reference, the newest first.
pub fn of_account(tx: &mut dyn Tx, account: i64, before: (Timestamp, &str), limit: i64) -> Result<Vec<PaymentRecord>> {
    const PAGE: &str = payments_where!(
        "p.account = $4 AND (p.paid_at, p.reference) < ($1, $2) ORDER BY p.paid_at DESC, p.reference DESC LIMIT $3"
    );
    tx.all(PAGE, &[&before.0, &before.1, &limit, &account], record)
}

/// Payments after the one with this time and reference and before a time, the oldest first.
pub fn paid_before(
    tx: &mut dyn Tx,
    after: (Timestamp, &str),
    before: Timestamp,
    limit: i64,
) -> Result<Vec<PaymentRecord>> {
    const PAGE: &str = payments_where!(
        "(p.paid_at, p.reference) > ($1, $2) AND p.paid_at < $3 ORDER BY p.paid_at, p.reference LIMIT $4"
    );
    tx.all(PAGE, &[&after.0, &after.1, &before, &limit], record)
}

/// Payments that Stripe does not confirm and that were not taken back, by reference, after this one.
pub fn in_doubt(tx: &mut dyn Tx, after: &str, limit: i64) -> Result<Vec<PaymentRecord>> {
    const PAGE: &str = payments_where!(
        "p.doubt IS NOT NULL AND p.reversed_at IS NULL AND p.reference > $1 ORDER BY p.reference LIMIT $2"
    );
    tx.all(PAGE, &[&after, &limit], record)
}

/// Payments with a dispute that is not closed, by reference, after this one.
pub fn disputed(tx: &mut dyn Tx, after: &str, limit: i64) -> Result<Vec<PaymentRecord>> {
    const PAGE: &str = payments_where!(
        "p.reference IN (SELECT payment FROM disputes WHERE stage <> 'closed') AND p.reference > $1
        ORDER BY p.reference LIMIT $2"
    );
    tx.all(PAGE, &[&after, &limit], record)
}

/// The payment with this reference.
pub fn find(tx: &mut dyn Tx, reference: &str) -> Result<Option<PaymentRecord>> {
    const FIND: &str = payments_where!("p.reference = $1");
    tx.one(FIND, &[&reference], record)
}

/// Something that took money back, or holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnRecord {
    pub id: String,
    /// `refund`, `credit_note` or `dispute`.
    pub kind: String,
    /// Minor units: of a dispute, what is withheld now.
    pub amount: i64,
    /// Stripe's word.
    pub state: String,
}

/// What refunds, credit notes and disputes say of a payment.
pub fn returns_of(tx: &mut dyn Tx, reference: &str) -> Result<Vec<ReturnRecord>> {
    const LIST: &str = "SELECT id, 'refund' AS kind, amount, state FROM refunds WHERE payment = $1
        UNION ALL SELECT id, 'credit_note' AS kind, returned AS amount, status AS state FROM credit_notes WHERE payment = $1
        UNION ALL SELECT id, 'dispute' AS kind, withheld AS amount, stage AS state FROM disputes WHERE payment = $1
        ORDER BY kind, id LIMIT 200";
    tx.all(LIST, &[&reference], |row| {
        Ok(ReturnRecord {
            id: row.text("id")?,
            kind: row.text("kind")?,
            amount: row.int("amount")?,
            state: row.text("state")?,
        })
    })
}

/// How a dispute of a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeStanding {
    /// The bank only asks, and no money was taken.
    Inquiry,
    Open,
    /// It is closed, and the money did not come back.
    Lost,
}

impl DisputeStanding {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            DisputeStanding::Inquiry => "inquiry",
            DisputeStanding::Open => "open",
            DisputeStanding::Lost => "lost",
        }
    }
}

/// How the dispute of a payment stands that weighs most: an open one, then a lost one, then an inquiry.
pub fn dispute_of(tx: &mut dyn Tx, reference: &str) -> Result<Option<DisputeStanding>> {
    const FIRST: &str = "SELECT stage FROM disputes WHERE payment = $1 AND (stage <> 'closed' OR withheld > 0)
        ORDER BY CASE stage WHEN 'open' THEN 0 WHEN 'closed' THEN 1 ELSE 2 END, id LIMIT 1";
    tx.one(FIRST, &[&reference], |row| {
        row.word("stage", |stage| match stage {
            "inquiry" => Some(DisputeStanding::Inquiry),
            "open" => Some(DisputeStanding::Open),
            "closed" => Some(DisputeStanding::Lost),
            _ => None,
        })
    })
}

/// How many disputes wait for their end, inquiries among them.
pub fn count_disputes(tx: &mut dyn Tx) -> Result<i64> {
    const COUNT: &str = "SELECT COUNT(*) AS count FROM disputes WHERE stage <> 'closed'";
    Ok(tx.one(COUNT, &[], |row| row.int("count"))?.unwrap_or(0))
}

/// A lot that a payment bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoughtLot {
    pub seq: i64,
    pub units: i64,
    /// What is left in it, held or not.
    pub left: i64,
    pub expires_at: Option<Timestamp>,
}

/// The lots that a payment bought, the oldest first.
pub fn lots_of(tx: &mut dyn Tx, reference: &str) -> Result<Vec<BoughtLot>> {
    const LIST: &str = "SELECT l.seq, l.units, l.expires_at,
        l.remaining + CASE WHEN a.front = l.seq THEN a.front_free ELSE 0 END AS \"left\"
        FROM lots l JOIN accounts a ON a.account = l.account WHERE l.payment = $1 ORDER BY l.seq LIMIT 200";
    tx.all(LIST, &[&reference], |row| {
        let (seq, units, left) = (row.int("seq")?, row.int("units")?, row.int("left")?);
        Ok(BoughtLot { seq, units, left, expires_at: row.time_or_null("expires_at")? })
    })
}

/// Events that are about one of a payment's objects, the newest first: their ids.
pub fn events_of(tx: &mut dyn Tx, payment: &Payment) -> Result<Vec<String>> {
    const LIST: &str = "SELECT id FROM events WHERE object = $1 ORDER BY created_at DESC, id LIMIT 50";
    let mut found = vec![];
    for id in payment.ids() {
        found.extend(tx.all(LIST, &[&id], |row| row.text("id"))?);
    }
    Ok(found)
}

fn record(row: &Row<'_>) -> DbResult<PaymentRecord> {
    Ok(PaymentRecord {
        payment: payment(row)?,
        user_id: row.text("user_id")?,
        means: PaymentMeans { brand: row.text_or_null("brand")?, last4: row.text_or_null("last4")? },
        number: row.text_or_null("number")?,
        confirmed_at: row.time_or_null("confirmed_at")?,
        doubt: row.text_or_null("doubt")?,
        reversed_at: row.time_or_null("reversed_at")?,
    })
}
