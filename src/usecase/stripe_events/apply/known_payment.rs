//! A payment that is in the books already, found by any of Stripe's ids. What an object adds to them is filled in,
//! whatever brings it and in whatever order: a later refund or credit note may name the payment by that id alone
//! (`docs/rules.md`, rule 4).

use crate::error::Result;
use crate::store::Tx;
use crate::store::orders::OfferKind;
use crate::store::payments::{self, Payment, StripeIds};
use crate::stripe::CheckoutSession;
use crate::usecase::stripe_events::apply::outcome::EventOutcome;

/// The payment that one of these ids names, with all of them filled in.
pub(super) fn learn(tx: &mut dyn Tx, ids: StripeIds<'_>) -> Result<Option<Payment>> {
    if let Some((intent, invoice)) = ids.payment_intent.zip(ids.invoice) {
        payments::link_invoice(tx, intent, invoice)?;
    }
    for id in [ids.session, ids.payment_intent, ids.charge, ids.invoice].into_iter().flatten() {
        if let Some(known) = payments::find(tx, id)? {
            // Only a pack is credited by its session.
            let session = ids.session.filter(|_| known.kind == OfferKind::Pack);
            payments::add_stripe_ids(tx, &known.reference, StripeIds { session, ..ids })?;
            return payments::find(tx, &known.reference);
        }
    }
    Ok(None)
}

/// The ids that a checkout session names.
pub(super) fn ids_of_session(session: &CheckoutSession) -> StripeIds<'_> {
    StripeIds {
        session: Some(&session.id),
        payment_intent: session.payment_intent.as_deref(),
        charge: None,
        invoice: session.invoice.as_deref(),
    }
}

/// The outcome of an event about a payment that is in the books.
pub(super) fn applied(payment: &Payment, detail: &str) -> EventOutcome {
    EventOutcome { known_ids: payment.ids(), ..EventOutcome::applied(detail) }
}
