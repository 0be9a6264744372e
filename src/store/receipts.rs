//! What pages say of payments beyond what the books need: the card that paid, where its receipt or invoice can be read, and
//! what a subscription's next payment will be. All of it is as Stripe's events last said. No unit depends on it.

use super::db::{DbResult, Row, Tx};
use super::orders::OfferKind;
use crate::clock::Timestamp;
use crate::error::Result;

/// A successful charge of one of our customers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeRecord {
    pub id: String,
    pub payment_intent: Option<String>,
    pub customer: String,
    pub means: PaymentMeans,
    /// Stripe's page with the receipt.
    pub receipt_url: Option<String>,
    pub made_at: Timestamp,
}

/// What paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentMeans {
    /// Stripe's word for the card's brand, or for another kind of means.
    pub brand: Option<String>,
    /// The last digits of its number.
    pub last4: Option<String>,
}

/// A payment as its buyer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The payment's reference.
    pub reference: String,
    pub kind: OfferKind,
    /// The plan's or pack's key.
    pub offer: String,
    /// Units that it gave so far.
    pub units: i64,
    /// As charged, in the currency's minor unit.
    pub amount: i64,
    pub currency: String,
    pub refunded: i64,
    pub paid_at: Timestamp,
    pub means: PaymentMeans,
    /// The number of its invoice.
    pub number: Option<String>,
    /// Stripe's page with the invoice, or else with the receipt.
    pub url: Option<String>,
}

/// A lot with the payment that bought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidLot {
    /// The lot, and the entry that opened it.
    pub seq: i64,
    pub receipt: Receipt,
}

/// The columns of a receipt, of `payments p`, where `c` is its charge and `d` its invoice's document.
macro_rules! receipt_columns {
    () => {
        "p.reference, p.kind, p.offer, p.units_granted, p.amount, p.currency, p.refunded_total, p.paid_at, c.brand,
        c.last4, d.number, COALESCE(d.url, c.receipt_url) AS url"
    };
}

/// A payment has one successful charge; the joins find it by the payment intent, or by its own id.
macro_rules! receipt_joins {
    () => {
        " LEFT JOIN charges c ON c.id = COALESCE(p.charge, (SELECT MAX(m.id) FROM charges m
            WHERE m.payment_intent = p.payment_intent))
        LEFT JOIN invoice_documents d ON d.invoice = p.invoice"
    };
}

/// Keeps a charge as Stripe describes it.
pub fn put_charge(tx: &mut dyn Tx, charge: &ChargeRecord) -> Result<()> {
    const PUT: &str = "INSERT INTO charges (id, payment_intent, customer, brand, last4, receipt_url, made_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET
        payment_intent = COALESCE($2, charges.payment_intent), brand = COALESCE($4, charges.brand),
        last4 = COALESCE($5, charges.last4), receipt_url = COALESCE($6, charges.receipt_url)";
    let PaymentMeans { brand, last4 } = &charge.means;
    let values: [&dyn super::Param; 7] =
        [&charge.id, &charge.payment_intent, &charge.customer, brand, last4, &charge.receipt_url, &charge.made_at];
    tx.execute(PUT, &values)?;
    Ok(())
}

/// Keeps where an invoice can be read.
pub fn put_document(tx: &mut dyn Tx, invoice: &str, number: Option<&str>, url: Option<&str>) -> Result<()> {
    const PUT: &str = "INSERT INTO invoice_documents (invoice, number, url) VALUES ($1, $2, $3)
        ON CONFLICT (invoice) DO UPDATE SET number = COALESCE($2, invoice_documents.number),
        url = COALESCE($3, invoice_documents.url)";
    tx.execute(PUT, &[&invoice, &number, &url])?;
    Ok(())
}

/// Removes what the account paid with, and where its receipts and invoices can be read.
pub fn erase(tx: &mut dyn Tx, account: i64) -> Result<()> {
    const CHARGES: &str = "DELETE FROM charges
        WHERE customer IN (SELECT stripe_id FROM customers WHERE account = $1 AND stripe_id IS NOT NULL)";
    const DOCUMENTS: &str = "DELETE FROM invoice_documents
        WHERE invoice IN (SELECT invoice FROM payments WHERE account = $1 AND invoice IS NOT NULL)";
    tx.execute(CHARGES, &[&account])?;
    tx.execute(DOCUMENTS, &[&account])?;
    Ok(())
}

/// Keeps what a subscription's next payment will be; `None`: that is not known.
pub fn put_next_payment(tx: &mut dyn Tx, subscription: &str, next: Option<(i64, &str)>) -> Result<()> {
    const PUT: &str = "INSERT INTO next_payments (subscription, amount, currency) VALUES ($1, $2, $3)
        ON CONFLICT (subscription) DO UPDATE SET amount = $2, currency = $3";
    const REMOVE: &str = "DELETE FROM next_payments WHERE subscription = $1";
    match next {
        Some((amount, currency)) => tx.execute(PUT, &[&subscription, &amount, &currency])?,
        None => tx.execute(REMOVE, &[&subscription])?,
    };
    Ok(())
}

/// What a subscription's next payment will be, in the currency's minor unit.
pub fn next_payment(tx: &mut dyn Tx, subscription: &str) -> Result<Option<(i64, String)>> {
    const FIND: &str = "SELECT amount, currency FROM next_payments WHERE subscription = $1";
    tx.one(FIND, &[&subscription], |row| Ok((row.int("amount")?, row.text("currency")?)))
}

/// What an account's customers paid with last.
pub fn last_means(tx: &mut dyn Tx, account: i64) -> Result<Option<PaymentMeans>> {
    const LAST: &str = "SELECT c.brand, c.last4 FROM customers u JOIN charges c ON c.customer = u.stripe_id
        WHERE u.account = $1 AND c.last4 IS NOT NULL ORDER BY c.made_at DESC, c.id DESC LIMIT 1";
    tx.one(LAST, &[&account], means)
}

/// An account's payments, newest first.
pub fn newest(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<Receipt>> {
    const NEWEST: &str = concat!(
        "SELECT ",
        receipt_columns!(),
        " FROM payments p",
        receipt_joins!(),
        " WHERE p.account = $1 ORDER BY p.paid_at DESC, p.reference DESC LIMIT $2"
    );
    tx.all(NEWEST, &[&account, &limit], receipt)
}

/// An account's payments of a time, oldest first.
pub fn within(tx: &mut dyn Tx, account: i64, from: Timestamp, to: Timestamp, limit: i64) -> Result<Vec<Receipt>> {
    const WITHIN: &str = concat!(
        "SELECT ",
        receipt_columns!(),
        " FROM payments p",
        receipt_joins!(),
        " WHERE p.account = $1 AND p.paid_at >= $2 AND p.paid_at < $3 ORDER BY p.paid_at, p.reference LIMIT $4"
    );
    tx.all(WITHIN, &[&account, &from, &to, &limit], receipt)
}

/// One payment of an account.
pub fn find(tx: &mut dyn Tx, account: i64, reference: &str) -> Result<Option<Receipt>> {
    const FIND: &str = concat!(
        "SELECT ",
        receipt_columns!(),
        " FROM payments p",
        receipt_joins!(),
        " WHERE p.reference = $2 AND p.account = $1"
    );
    tx.one(FIND, &[&account, &reference], receipt)
}

/// The lots from the first to the last of these numbers that were bought, with what bought them.
pub fn of_lots(tx: &mut dyn Tx, account: i64, numbers: impl Iterator<Item = i64> + Clone) -> Result<Vec<PaidLot>> {
    const LOTS: &str = concat!(
        "SELECT l.seq, ",
        receipt_columns!(),
        " FROM lots l JOIN payments p ON p.reference = l.payment",
        receipt_joins!(),
        " WHERE l.account = $1 AND l.seq >= $2 AND l.seq <= $3 ORDER BY l.seq LIMIT 1000"
    );
    let Some((first, last)) = numbers.clone().min().zip(numbers.max()) else { return Ok(vec![]) };
    tx.all(LOTS, &[&account, &first, &last], |row| Ok(PaidLot { seq: row.int("seq")?, receipt: receipt(row)? }))
}

fn receipt(row: &Row<'_>) -> DbResult<Receipt> {
    Ok(Receipt {
        reference: row.text("reference")?,
        kind: OfferKind::parse(&row.text("kind")?).unwrap_or(OfferKind::Pack),
        offer: row.text("offer")?,
        units: row.int("units_granted")?,
        amount: row.int("amount")?,
        currency: row.text("currency")?,
        refunded: row.int("refunded_total")?,
        paid_at: row.time("paid_at")?,
        means: means(row)?,
        number: row.text_or_null("number")?,
        url: row.text_or_null("url")?,
    })
}

fn means(row: &Row<'_>) -> DbResult<PaymentMeans> {
    Ok(PaymentMeans { brand: row.text_or_null("brand")?, last4: row.text_or_null("last4")? })
}
