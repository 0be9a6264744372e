//! Where a payment came from, as Stripe says: an invoice, a checkout, or neither; and whether anything of it is ours.
//! A refund, a dispute or a credit note of a payment that the books do not have is asked about here, before its
//! transaction.

use crate::app::App;
use crate::clock::Deadline;
use crate::error::Result;
use crate::store::payments;
use crate::stripe::{Invoice, List, PaymentOrigin, Stripe, StripeError};
use crate::usecase::stripe_events::apply;

/// What Stripe answered, or why it did not.
type Answer<T> = std::result::Result<T, StripeError>;

/// The origin of the payment with this payment intent. Fails only if the database does.
pub(super) fn of_payment(
    app: &App,
    stripe: &Stripe,
    intent: &str,
    deadline: Deadline,
) -> Result<Answer<PaymentOrigin>> {
    let paid = match stripe.invoice_payments_of(intent, deadline) {
        Ok(paid) => paid.into_iter().find_map(|payment| payment.invoice),
        Err(error) => return Ok(Err(error)),
    };
    let Some(id) = paid else { return of_checkout(app, stripe, intent, deadline).map(Ok) };
    let found = PaymentOrigin { invoice: Some(id.clone()), ..PaymentOrigin::default() };
    if app.store.read(|tx| payments::find(tx, &id))?.is_some() {
        return Ok(Ok(found));
    }
    // What follows only adds to the answer: without it the event waits.
    let Ok(invoice) = whole_invoice(stripe, &id, deadline) else { return Ok(Ok(found)) };
    let is_foreign = app.store.read(|tx| apply::is_foreign_invoice(tx, &app.catalog, &invoice))?;
    let session = session_of(stripe, &invoice, Some(intent), deadline);
    Ok(Ok(PaymentOrigin { session, is_foreign, ..found }))
}

/// The origin of the payment of an invoice. Fails only if the database does.
pub(super) fn of_invoice(app: &App, stripe: &Stripe, id: &str, deadline: Deadline) -> Result<Answer<PaymentOrigin>> {
    let invoice = match whole_invoice(stripe, id, deadline) {
        Ok(invoice) => invoice,
        Err(error) if error.is_missing() => return Ok(Ok(PaymentOrigin::default())),
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(PaymentOrigin {
        invoice: Some(id.to_owned()),
        session: session_of(stripe, &invoice, invoice.payment_intent.as_deref(), deadline),
        is_foreign: app.store.read(|tx| apply::is_foreign_invoice(tx, &app.catalog, &invoice))?,
        payment_intent: invoice.payment_intent,
    }))
}

/// The origin of a payment that paid no invoice.
fn of_checkout(app: &App, stripe: &Stripe, intent: &str, deadline: Deadline) -> Result<PaymentOrigin> {
    let origin = match stripe.session_of_payment(intent, deadline) {
        Ok(Some(mut session)) => {
            session.line_items = stripe.list_line_items(&session.id, deadline).ok().map(List::whole);
            let is_foreign = app.store.read(|tx| apply::is_foreign_session(tx, &app.catalog, &session))?;
            PaymentOrigin { session: Some(session.id), is_foreign, ..PaymentOrigin::default() }
        }
        Ok(None) => {
            let is_foreign = match stripe.payment_intent(intent, deadline) {
                Ok(found) => app.store.read(|tx| apply::is_foreign_payment(tx, &app.catalog, &found))?,
                // A payment that Stripe does not show may be anybody's.
                Err(_) => false,
            };
            PaymentOrigin { is_foreign, ..PaymentOrigin::default() }
        }
        Err(_) => PaymentOrigin::default(),
    };
    Ok(origin)
}

/// An invoice with all its lines.
fn whole_invoice(stripe: &Stripe, id: &str, deadline: Deadline) -> Answer<Invoice> {
    let mut invoice = stripe.invoice(id, deadline)?;
    if invoice.lines.has_more {
        invoice.lines = List::whole(stripe.list_invoice_lines(id, deadline)?);
    }
    Ok(invoice)
}

/// The checkout of a pack that made the invoice.
fn session_of(stripe: &Stripe, invoice: &Invoice, intent: Option<&str>, deadline: Deadline) -> Option<String> {
    let intent = intent.filter(|_| invoice.subscription.is_none())?;
    stripe.session_of_payment(intent, deadline).ok().flatten().map(|session| session.id)
}
