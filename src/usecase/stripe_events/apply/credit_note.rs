//! A credit note on an invoice ("Credit notes"). What it returned after the payment to the customer's balance or
//! outside Stripe counts as a refund. What a refund by Stripe returned has that refund's own event, and would count
//! twice here. What it took off an open invoice returned nothing: the invoice states it once it is paid, and buys less
//! (`ledger::less_credited`).

use crate::error::Result;
use crate::store::Tx;
use crate::store::payments::{self, CreditNoteRecord};
use crate::stripe::{CreditNote, PaymentOrigin};
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome};
use crate::usecase::stripe_events::apply::reassess::{Cause, Lookup, find_payment, reassess_for};

pub(super) fn credit_note(tx: &mut dyn Tx, context: &ApplyContext<'_>, note: &CreditNote) -> Result<EventOutcome> {
    let returned = match note.returned {
        Some(0) => {
            return Ok(EventOutcome::ignored("it returned nothing beyond what refunds and the invoice report"));
        }
        Some(returned) => returned,
        None => return Ok(EventOutcome::waiting_for_stripe("Stripe could not be asked how it is divided")),
    };
    let Some(invoice) = &note.invoice else {
        return Ok(EventOutcome::unmatched(&note.id, "it names no invoice"));
    };
    let origin = PaymentOrigin { invoice: Some(invoice.clone()), ..note.origin.clone() };
    let payment = match find_payment(tx, context, [None, None], &origin)? {
        Lookup::Found(payment) => payment,
        Lookup::Undecided(outcome) => return Ok(outcome),
    };
    let made_at = note.created.unwrap_or(context.happened_at);
    let voided_at = note.is_void().then(|| note.voided_at.unwrap_or(context.happened_at.max(made_at)));
    let record = CreditNoteRecord { id: &note.id, returned, made_at, voided_at };
    payments::put_credit_note(tx, &payment.reference, &record)?;
    let what = format!("the credit note {} over {returned} is {}", note.id, note.status);
    reassess_for(tx, context, &payment, &Cause::refund(&note.id), &what)
}
