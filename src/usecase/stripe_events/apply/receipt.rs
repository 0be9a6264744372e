//! What pages show of payments: the card, the receipt, the invoice. Kept for our own customers alone, and no unit depends on it.

use crate::error::Result;
use crate::store::receipts::{self, ChargeRecord, PaymentMeans};
use crate::store::{Tx, customers, erasure, payments};
use crate::stripe::{Charge, Invoice};
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome};

/// A charge that succeeded. What Stripe sells to others than our customers is left to them.
pub(super) fn charge_made(tx: &mut dyn Tx, context: &ApplyContext<'_>, charge: &Charge) -> Result<EventOutcome> {
    // It moves nothing in the books, so it does not count as applied.
    Ok(EventOutcome::ignored(match keep_charge(tx, context, charge)? {
        true => "it changes no books; its card and receipt are kept",
        false => "not a charge of a customer of ours",
    }))
}

/// Keeps what a charge says of the card and the receipt; whether it is of a customer of ours.
pub(super) fn keep_charge(tx: &mut dyn Tx, context: &ApplyContext<'_>, charge: &Charge) -> Result<bool> {
    let Some(customer) = charge.customer.clone() else { return Ok(false) };
    match customers::account_of(tx, &customer)? {
        Some(account) if !erasure::is_erased(tx, account)? => {}
        _ => return Ok(false),
    }
    let record = ChargeRecord {
        id: charge.id.clone(),
        payment_intent: charge.payment_intent.clone(),
        customer,
        means: PaymentMeans { brand: charge.brand.clone(), last4: charge.last4.clone() },
        receipt_url: charge.receipt_url.clone(),
        made_at: charge.created.unwrap_or(context.now),
    };
    receipts::put_charge(tx, &record)?;
    Ok(true)
}

/// Keeps where an invoice can be read, if it is in the books.
pub(super) fn keep_document(tx: &mut dyn Tx, invoice: &Invoice) -> Result<()> {
    if invoice.number.is_none() && invoice.hosted_url.is_none() {
        return Ok(());
    }
    match payments::find(tx, &invoice.id)? {
        Some(payment) if !erasure::is_erased(tx, payment.account)? => {}
        _ => return Ok(()),
    }
    receipts::put_document(tx, &invoice.id, invoice.number.as_deref(), invoice.hosted_url.as_deref())
}
