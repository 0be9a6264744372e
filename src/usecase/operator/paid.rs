//! Payments as the operator sees them, with what was computed from them.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Refused, Result};
use crate::store::payment_records::{self, ReturnRecord};
use crate::usecase::operator::people::{PaymentView, view};

/// A payment, what came back of it, and what Stripe said about it.
#[derive(Clone, Debug)]
pub struct PaymentDetail {
    pub view: PaymentView,
    pub returns: Vec<ReturnRecord>,
    /// The ids of the events, newest first.
    pub events: Vec<String>,
}

/// Payments before the one with this time and reference, newest first.
pub fn newest(app: &App, before: Option<(Timestamp, &str)>, limit: i64) -> Result<Vec<PaymentView>> {
    let before = before.unwrap_or((Timestamp::from_millis(i64::MAX), ""));
    app.store.read(|tx| {
        let records = payment_records::newest(tx, before, limit)?;
        records.into_iter().map(|record| view(tx, record)).collect()
    })
}

/// Payments that Stripe does not confirm, by reference, after this one.
pub fn in_doubt(app: &App, after: &str, limit: i64) -> Result<Vec<PaymentView>> {
    app.store.read(|tx| {
        let records = payment_records::in_doubt(tx, after, limit)?;
        records.into_iter().map(|record| view(tx, record)).collect()
    })
}

/// Payments with a dispute that is not closed, by reference, after this one.
pub fn disputed(app: &App, after: &str, limit: i64) -> Result<Vec<PaymentView>> {
    app.store.read(|tx| {
        let records = payment_records::disputed(tx, after, limit)?;
        records.into_iter().map(|record| view(tx, record)).collect()
    })
}

/// The payment with this reference.
pub fn show(app: &App, reference: &str) -> Result<PaymentDetail> {
    let found = app.store.read(|tx| {
        let Some(record) = payment_records::find(tx, reference)? else { return Ok(None) };
        let returns = payment_records::returns_of(tx, reference)?;
        let events = payment_records::events_of(tx, &record.payment)?;
        Ok(Some(PaymentDetail { view: view(tx, record)?, returns, events }))
    })?;
    found.ok_or_else(|| Refused::NotFound(format!("There is no payment {reference:?} in the books.")).into())
}
