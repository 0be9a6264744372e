//! The read phase before the transaction. It completes an event's object with what Stripe leaves out of events, so that
//! `apply` finds everything in the object. If Stripe cannot answer, the event is stored anyway and waits.

use std::time::Duration;

use crate::app::App;
use crate::catalog::Offer;
use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::store::{orders, payments};
use crate::stripe::{
    Charge, CheckoutSession, CreditNote, Event, EventEnvelope, Invoice, InvoicePayment, List, PaymentOrigin, Stripe,
    StripeError,
};
use crate::usecase::stripe_events::origin;

/// How long Stripe may take to answer. Meanwhile Stripe itself waits for our answer to its webhook.
const PATIENCE: Duration = Duration::from_secs(4);

/// An event that is ready to be applied.
#[derive(Clone)]
pub(super) struct PrefetchedEvent {
    pub(super) event: Event,
    /// False if Stripe was asked but did not answer. What cannot be decided without the answer waits.
    pub(super) stripe_answered: bool,
}

impl PrefetchedEvent {
    /// As Stripe sent it, where Stripe has nothing to add.
    pub(super) fn as_sent(envelope: &EventEnvelope) -> PrefetchedEvent {
        PrefetchedEvent { event: envelope.event(), stripe_answered: true }
    }

    /// For use inside a transaction, where Stripe cannot be asked: what needs an answer waits for the timer.
    pub(super) fn unasked(envelope: &EventEnvelope) -> PrefetchedEvent {
        PrefetchedEvent { event: envelope.event(), stripe_answered: false }
    }
}

/// Reads the object of an event and completes it. Most objects are complete already, and then Stripe is not asked.
/// Fails only if the database does.
pub(super) fn prefetch(app: &App, envelope: &EventEnvelope) -> Result<PrefetchedEvent> {
    match complete(app, envelope.event(), Deadline::after(PATIENCE)) {
        Ok(event) => Ok(PrefetchedEvent { event, stripe_answered: true }),
        // This is an answer: Stripe has no such object.
        Err(Gap::Stripe(error)) if error.is_missing() => Ok(PrefetchedEvent::as_sent(envelope)),
        Err(Gap::Stripe(error)) => {
            tracing::warn!(event = "stripe_not_answered", id = envelope.id, kind = envelope.kind, error = %error);
            Ok(PrefetchedEvent { event: envelope.event(), stripe_answered: false })
        }
        Err(Gap::NoKey) => Ok(PrefetchedEvent { event: envelope.event(), stripe_answered: false }),
        Err(Gap::Failed(error)) => Err(error),
    }
}

/// Why an object could not be completed.
enum Gap {
    NoKey,
    Stripe(StripeError),
    Failed(Error),
}

impl From<StripeError> for Gap {
    fn from(error: StripeError) -> Gap {
        Gap::Stripe(error)
    }
}

impl From<Error> for Gap {
    fn from(error: Error) -> Gap {
        Gap::Failed(error)
    }
}

type Completed<T> = std::result::Result<T, Gap>;

fn complete(app: &App, event: Event, deadline: Deadline) -> Completed<Event> {
    Ok(match event {
        Event::Checkout(session, step) => Event::Checkout(with_line_items(app, session, deadline)?, step),
        Event::Invoice(invoice) => Event::Invoice(with_lines_and_checkout(app, invoice, deadline)?),
        Event::InvoicePayment(payment) => Event::InvoicePayment(with_invoice(app, payment, deadline)?),
        Event::Charge(charge) => Event::Charge(with_invoice_or_refunds(app, charge, deadline)?),
        Event::Refund(mut refund) => {
            let ids = [refund.payment_intent.as_deref(), refund.charge.as_deref()];
            refund.origin = origin_of_payment(app, ids, deadline)?;
            Event::Refund(refund)
        }
        Event::Dispute(mut dispute, step) => {
            let ids = [dispute.payment_intent.as_deref(), dispute.charge.as_deref()];
            dispute.origin = origin_of_payment(app, ids, deadline)?;
            Event::Dispute(dispute, step)
        }
        Event::CreditNote(note) => {
            let mut note = with_division(app, note, deadline)?;
            note.origin = origin_of_invoice(app, note.invoice.as_deref(), deadline)?;
            Event::CreditNote(note)
        }
        complete @ (Event::Subscription { .. }
        | Event::CustomerDeleted(_)
        | Event::Unhandled { .. }
        | Event::Unreadable { .. }) => complete,
    })
}

/// A session without an order of ours is recognized by its line items, and so is one that is not ours.
fn with_line_items(app: &App, mut session: CheckoutSession, deadline: Deadline) -> Completed<CheckoutSession> {
    let names_offer = session.metadata.get("plan").is_some_and(|key| app.catalog.offer(key).is_some());
    if !session.is_bought() || names_offer || session.line_items.is_some() {
        return Ok(session);
    }
    let is_ours = app.store.read(|tx| {
        let by_id = session.metadata.get("order_id").map(|id| orders::by_id(tx, id)).transpose()?.flatten();
        Ok(by_id.is_some() || orders::by_session(tx, &session.id)?.is_some())
    })?;
    if !is_ours {
        session.line_items = Some(List::whole(stripe(app)?.list_line_items(&session.id, deadline)?));
    }
    Ok(session)
}

/// Events include only the first ten lines. A pack's invoice may come from a checkout, and only the checkout says who
/// bought.
fn with_lines_and_checkout(app: &App, invoice: Invoice, deadline: Deadline) -> Completed<Invoice> {
    let sells_pack = invoice.lines.rows.iter().any(|line| {
        let offer = line.price.as_deref().and_then(|price| app.catalog.by_price(price));
        matches!(offer, Some(Offer::Pack(_)))
    });
    let is_complete = !invoice.lines.has_more && !sells_pack;
    if !invoice.is_paid() || is_complete || is_known(app, &invoice.id)? {
        return Ok(invoice);
    }
    complete_invoice(stripe(app)?, invoice, deadline)
}

fn complete_invoice(stripe: &Stripe, mut invoice: Invoice, deadline: Deadline) -> Completed<Invoice> {
    if invoice.lines.has_more {
        invoice.lines = List::whole(stripe.list_invoice_lines(&invoice.id, deadline)?);
    }
    if invoice.subscription.is_none() {
        if invoice.payment_intent.is_none() {
            invoice.payment_intent = stripe.invoice(&invoice.id, deadline)?.payment_intent;
        }
        if let Some(intent) = &invoice.payment_intent {
            invoice.checkout = stripe.session_of_payment(intent, deadline)?.map(Box::new);
        }
    }
    Ok(invoice)
}

/// An invoice payment may be the first event that mentions its invoice.
fn with_invoice(app: &App, mut payment: InvoicePayment, deadline: Deadline) -> Completed<InvoicePayment> {
    let Some(id) = &payment.invoice else { return Ok(payment) };
    if !is_known(app, id)? {
        let stripe = stripe(app)?;
        let invoice = complete_invoice(stripe, stripe.invoice(id, deadline)?, deadline)?;
        payment.paid_invoice = Some(Box::new(invoice));
    }
    Ok(payment)
}

fn with_invoice_or_refunds(app: &App, mut charge: Charge, deadline: Deadline) -> Completed<Charge> {
    let Some(intent) = charge.payment_intent.clone() else { return Ok(charge) };
    if is_payment_known(app, &intent, Some(&charge.id))? {
        if charge.refunds.is_none() {
            charge.refunds = Some(List::whole(stripe(app)?.refunds_of(&intent, deadline)?));
        }
    } else {
        let asked = origin_of_payment(app, [Some(&intent), Some(&charge.id)], deadline)?;
        let invoice = asked.invoice.or(charge.origin.invoice);
        charge.origin = PaymentOrigin { invoice, ..asked };
    }
    Ok(charge)
}

/// Older shapes of a credit note do not say how its amount is divided.
fn with_division(app: &App, note: CreditNote, deadline: Deadline) -> Completed<CreditNote> {
    match note.returned {
        Some(_) => Ok(note),
        None => Ok(stripe(app)?.credit_note(&note.id, deadline)?),
    }
}

/// Where a payment came from. Stripe is asked only if neither the payment nor its invoice is in the books.
fn origin_of_payment(
    app: &App,
    [payment_intent, charge]: [Option<&str>; 2],
    deadline: Deadline,
) -> Completed<PaymentOrigin> {
    match payment_intent {
        Some(intent) if !is_payment_known(app, intent, charge)? => {
            Ok(origin::of_payment(app, stripe(app)?, intent, deadline)??)
        }
        _ => Ok(PaymentOrigin::default()),
    }
}

/// Where the payment of an invoice came from. Stripe is asked only if the invoice is not in the books.
fn origin_of_invoice(app: &App, invoice: Option<&str>, deadline: Deadline) -> Completed<PaymentOrigin> {
    match invoice {
        Some(id) if !is_known(app, id)? => Ok(origin::of_invoice(app, stripe(app)?, id, deadline)??),
        _ => Ok(PaymentOrigin::default()),
    }
}

fn is_payment_known(app: &App, payment_intent: &str, charge: Option<&str>) -> Result<bool> {
    app.store.read(|tx| {
        let invoice = payments::invoice_of(tx, payment_intent)?;
        for id in [Some(payment_intent), charge, invoice.as_deref()].into_iter().flatten() {
            if payments::find(tx, id)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    })
}

fn is_known(app: &App, id: &str) -> Result<bool> {
    app.store.read(|tx| Ok(payments::find(tx, id)?.is_some()))
}

fn stripe(app: &App) -> Completed<&Stripe> {
    app.stripe().map_err(|_| Gap::NoKey)
}
