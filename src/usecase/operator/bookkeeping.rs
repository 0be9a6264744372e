//! All that moved money in one month: payments, refunds, disputes and credit notes, each with what Stripe took for it. What
//! Stripe moved is read from its balance transactions, a page at a time, the newest first; whose it was and what was bought
//! is looked up in the books. Where they may not be read, the books tell it alone, without fees. Months are UTC. Amounts of
//! different currencies are never added, and what was charged is not added to what was settled.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::App;
use crate::clock::{Deadline, Timestamp};
use crate::error::{Refused, Result};
use crate::store::money_records::{self, MoneyReturn, ReturnKind};
use crate::store::payment_records::{self, PaymentRecord};
use crate::store::{Tx, payments};
use crate::stripe::{BalanceSource, BalanceTransaction, List, ListQuery, StripeError, StripeErrorKind};
use crate::usecase::operator::figures::month_bounds;

/// Rows of the books that are read at once.
const PAGE: i64 = 500;
/// Stripe has so long for a page.
const PATIENCE: Duration = Duration::from_secs(20);

/// What moved, or should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveKind {
    Payment,
    Refund,
    /// A refund that failed came back.
    RefundFailed,
    DisputeWithdrawn,
    DisputeReinstated,
    /// What a credit note returned without a refund. Stripe moved nothing.
    CreditNote,
    CreditNoteVoided,
    /// Marked as paid at Stripe, which moved nothing.
    OutOfBand,
}

impl MoveKind {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            MoveKind::Payment => "payment",
            MoveKind::Refund => "refund",
            MoveKind::RefundFailed => "refund_failed",
            MoveKind::DisputeWithdrawn => "dispute_withdrawn",
            MoveKind::DisputeReinstated => "dispute_reinstated",
            MoveKind::CreditNote => "credit_note",
            MoveKind::CreditNoteVoided => "credit_note_voided",
            MoveKind::OutOfBand => "out_of_band",
        }
    }

    /// Whether Stripe moved money. Only this is summed.
    fn is_at_stripe(self) -> bool {
        !matches!(self, MoveKind::CreditNote | MoveKind::CreditNoteVoided | MoveKind::OutOfBand)
    }

    /// From Stripe's reporting category. What is about no payment, such as a payout, is `None`.
    fn of_category(category: &str) -> Option<MoveKind> {
        match category {
            "charge" => Some(MoveKind::Payment),
            "refund" | "charge_failure" => Some(MoveKind::Refund),
            "refund_failure" => Some(MoveKind::RefundFailed),
            "dispute" => Some(MoveKind::DisputeWithdrawn),
            "dispute_reversal" => Some(MoveKind::DisputeReinstated),
            _ => None,
        }
    }
}

/// One movement of money. Amounts are in minor units, below zero where money left.
#[derive(Clone, Debug)]
pub struct MoneyMove {
    pub at: Timestamp,
    pub kind: MoveKind,
    pub user: String,
    /// The plan's or pack's key.
    pub offer: String,
    /// In which it was charged.
    pub currency: String,
    /// `None` where Stripe tells only what was settled.
    pub gross: Option<i64>,
    /// `None` where Stripe moved nothing, or its balance transactions could not be read.
    pub settled: Option<Settlement>,
    /// The payment's reference.
    pub payment: String,
    /// Stripe's id of the charge, the refund, the dispute or the credit note.
    pub object: Option<String>,
    pub invoice: Option<String>,
    /// Of the invoice.
    pub number: Option<String>,
}

/// What Stripe booked, in the currency in which the account is settled.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// `txn_…`
    pub transaction: String,
    pub currency: String,
    pub amount: i64,
    pub fee: i64,
    pub net: i64,
    pub exchange_rate: Option<String>,
}

/// Sums of one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MoneySum {
    pub count: i64,
    /// Of what was charged in it.
    pub gross: i64,
    /// Of what was settled in it.
    pub settled: i64,
    pub fee: i64,
    pub net: i64,
}

/// What stands below the rows.
#[derive(Clone, Debug, Default)]
pub struct Closing {
    /// By currency.
    pub sums: BTreeMap<String, MoneySum>,
    /// What Stripe moved for payments that are not in the books, such as those of another product.
    pub not_in_books: BTreeMap<String, MoneySum>,
    /// Why the fees are not known.
    pub without_fees: Option<String>,
}

/// Hands each movement of a month, such as `2026-11`, to `each`; what is to stand below them. With `most`, refuses a month in
/// which Stripe has more than so many pages.
pub fn of_month(
    app: &App,
    month: &str,
    most: Option<usize>,
    each: &mut dyn FnMut(&MoneyMove) -> Result<()>,
) -> Result<Closing> {
    let bounds = month_bounds(month)?;
    let mut closing = Closing::default();
    match first_page(app, bounds)? {
        Ok(first) => {
            settled_moves(app, bounds, first, most, &mut closing, each)?;
            moves_of_the_books(app, bounds, false, &mut closing, each)?;
        }
        Err(reason) => {
            closing.without_fees = Some(reason);
            moves_of_the_books(app, bounds, true, &mut closing, each)?;
        }
    }
    Ok(closing)
}

/// The newest balance transactions, or why they may not be read.
fn first_page(app: &App, bounds: [Timestamp; 2]) -> Result<std::result::Result<List<BalanceTransaction>, String>> {
    if app.config.stripe.mode().is_none() {
        return Ok(Err("there is no key for Stripe".to_owned()));
    }
    match page(app, bounds, None)? {
        Ok(page) => Ok(Ok(page)),
        Err(error) if matches!(error.kind, StripeErrorKind::Forbidden { .. }) => Ok(Err(error.to_operator())),
        Err(error) => Err(error.for_operator()),
    }
}

fn page(
    app: &App,
    [from, to]: [Timestamp; 2],
    after: Option<String>,
) -> Result<std::result::Result<List<BalanceTransaction>, StripeError>> {
    let query = ListQuery { created_from: Some(from), created_to: Some(to.plus_seconds(-1)), after };
    Ok(app.stripe()?.balance_transactions(&query, Deadline::after(PATIENCE)))
}

/// What Stripe moved, the newest first.
fn settled_moves(
    app: &App,
    bounds: [Timestamp; 2],
    first: List<BalanceTransaction>,
    most: Option<usize>,
    closing: &mut Closing,
    each: &mut dyn FnMut(&MoneyMove) -> Result<()>,
) -> Result<()> {
    let (mut list, mut pages) = (first, 1);
    loop {
        let found = app
            .store
            .read(|tx| list.rows.iter().map(|transaction| settled_move(tx, transaction)).collect::<Result<Vec<_>>>())?;
        for (transaction, found) in list.rows.iter().zip(found) {
            match (found, MoveKind::of_category(&transaction.category)) {
                (Some(moved), _) => hand_on(&moved, closing, each)?,
                (None, Some(_)) => {
                    closing.not_in_books.entry(transaction.currency.clone()).or_default().settle(transaction)
                }
                (None, None) => {}
            }
        }
        if !list.has_more {
            return Ok(());
        }
        if most.is_some_and(|most| pages >= most) {
            let detail = "The month has more than fits on a page: run till revenue export --month on the server.";
            return Err(Refused::InvalidRequest(detail.into()).into());
        }
        list = page(app, bounds, list.last_id)?.map_err(StripeError::for_operator)?;
        pages += 1;
    }
}

fn settled_move(tx: &mut dyn Tx, transaction: &BalanceTransaction) -> Result<Option<MoneyMove>> {
    let kind = MoveKind::of_category(&transaction.category);
    let Some((kind, source)) = kind.zip(transaction.source.as_ref()) else { return Ok(None) };
    let Some(record) = record_of(tx, source)? else { return Ok(None) };
    let charged_in = source.currency.clone().unwrap_or_else(|| record.payment.currency.clone());
    Ok(Some(MoneyMove {
        gross: charged(transaction, source, &charged_in),
        currency: charged_in,
        settled: Some(Settlement {
            transaction: transaction.id.clone(),
            currency: transaction.currency.clone(),
            amount: transaction.amount,
            fee: transaction.fee,
            net: transaction.net,
            exchange_rate: transaction.exchange_rate.clone(),
        }),
        object: Some(source.id.clone()),
        ..of_record(kind, transaction.created, record)
    }))
}

/// What a transaction moved in the currency of the charge. Of what was converted, Stripe tells it only of the whole.
fn charged(transaction: &BalanceTransaction, source: &BalanceSource, charged_in: &str) -> Option<i64> {
    if transaction.currency == charged_in {
        return Some(transaction.amount);
    }
    let is_whole = source.moves.is_empty()
        || source.moves.iter().all(|moved| moved.saturating_abs() == transaction.amount.saturating_abs());
    source.amount.filter(|_| is_whole).map(|amount| amount.saturating_mul(transaction.amount.signum()))
}

/// The payment that something is about, found by any id of it.
fn record_of(tx: &mut dyn Tx, source: &BalanceSource) -> Result<Option<PaymentRecord>> {
    for id in [&source.payment_intent, &source.charge].into_iter().flatten() {
        let invoice = payments::invoice_of(tx, id)?;
        for id in std::iter::once(id).chain(&invoice) {
            if let Some(payment) = payments::find(tx, id)? {
                return payment_records::find(tx, &payment.reference);
            }
        }
    }
    Ok(None)
}

/// What the books tell: what Stripe did not move, and with `all`, what it moved too.
fn moves_of_the_books(
    app: &App,
    bounds: [Timestamp; 2],
    all: bool,
    closing: &mut Closing,
    each: &mut dyn FnMut(&MoneyMove) -> Result<()>,
) -> Result<()> {
    let mut after = (bounds[0], String::new());
    loop {
        let page = app.store.read(|tx| payment_records::paid_before(tx, (after.0, &after.1), bounds[1], PAGE))?;
        let Some(last) = page.last() else { break };
        after = (last.payment.paid_at, last.payment.reference.clone());
        for record in page.into_iter().filter(|record| record.reversed_at.is_none() && record.payment.amount > 0) {
            let kind = if record.payment.out_of_band { MoveKind::OutOfBand } else { MoveKind::Payment };
            if all || !kind.is_at_stripe() {
                let (at, gross, object) =
                    (record.payment.paid_at, record.payment.amount, record.payment.charge.clone());
                hand_on(&MoneyMove { gross: Some(gross), object, ..of_record(kind, at, record) }, closing, each)?;
            }
        }
    }
    for kind in ReturnKind::ALL {
        if all || kind == ReturnKind::CreditNote {
            returns(app, kind, bounds, closing, each)?;
        }
    }
    Ok(())
}

fn returns(
    app: &App,
    kind: ReturnKind,
    bounds: [Timestamp; 2],
    closing: &mut Closing,
    each: &mut dyn FnMut(&MoneyMove) -> Result<()>,
) -> Result<()> {
    let (taken, given) = match kind {
        ReturnKind::Refund => (MoveKind::Refund, MoveKind::RefundFailed),
        ReturnKind::CreditNote => (MoveKind::CreditNote, MoveKind::CreditNoteVoided),
        ReturnKind::Dispute => (MoveKind::DisputeWithdrawn, MoveKind::DisputeReinstated),
    };
    let mut after = String::new();
    loop {
        let page = app.store.read(|tx| {
            let found = money_records::returns(tx, kind, &after, bounds, PAGE)?;
            found
                .into_iter()
                .map(|found| Ok((payment_records::find(tx, &found.payment)?, found)))
                .collect::<Result<Vec<_>>>()
        })?;
        let Some((_, last)) = page.last() else { return Ok(()) };
        after = last.id.clone();
        for (record, found) in page {
            let MoneyReturn { id, currency, amount, taken_at, undone, undone_at, .. } = found;
            let Some(record) = record else { continue };
            for (kind, at, amount) in [(taken, taken_at, -amount), (given, undone_at, undone)] {
                let Some(at) = at.filter(|at| (bounds[0]..bounds[1]).contains(at)) else { continue };
                let (object, currency) = (Some(id.clone()), currency.clone());
                let moved = MoneyMove { object, currency, gross: Some(amount), ..of_record(kind, at, record.clone()) };
                hand_on(&moved, closing, each)?;
            }
        }
    }
}

fn of_record(kind: MoveKind, at: Timestamp, record: PaymentRecord) -> MoneyMove {
    let PaymentRecord { payment, user_id, number, .. } = record;
    MoneyMove {
        at,
        kind,
        user: user_id,
        offer: payment.offer,
        currency: payment.currency,
        gross: None,
        settled: None,
        payment: payment.reference,
        object: None,
        invoice: payment.invoice,
        number,
    }
}

fn hand_on(moved: &MoneyMove, closing: &mut Closing, each: &mut dyn FnMut(&MoneyMove) -> Result<()>) -> Result<()> {
    if moved.kind.is_at_stripe() {
        let sum = closing.sums.entry(moved.currency.clone()).or_default();
        sum.count = sum.count.saturating_add(1);
        sum.gross = sum.gross.saturating_add(moved.gross.unwrap_or_default());
        if let Some(settled) = &moved.settled {
            closing.sums.entry(settled.currency.clone()).or_default().add(settled.amount, settled.fee, settled.net);
        }
    }
    each(moved)
}

impl MoneySum {
    fn add(&mut self, amount: i64, fee: i64, net: i64) {
        self.settled = self.settled.saturating_add(amount);
        self.fee = self.fee.saturating_add(fee);
        self.net = self.net.saturating_add(net);
    }

    fn settle(&mut self, transaction: &BalanceTransaction) {
        self.count = self.count.saturating_add(1);
        self.add(transaction.amount, transaction.fee, transaction.net);
    }
}
