//! What an event does not say itself is asked of Stripe, before the transaction begins. Where Stripe cannot answer, the
//! event is stored all the same and waits for the timer.

use crate::app::App;
use crate::clock::Deadline;
use crate::error::Result;
use crate::store::{orders, payments};
use crate::stripe::{
    Charge, CheckoutSession, CreditNote, Dispute, Event, Invoice, InvoicePayment, Refund, Stripe, StripeError,
};

use crate::usecase::stripe_events::apply::{Facts, is_bought};

/// The facts that settling `event` needs beside the event. Most need none, and Stripe is not asked.
pub(crate) fn facts(app: &App, event: &Event, deadline: Deadline) -> Result<Facts> {
    let answered = match needed(app, event)? {
        Needed::Nothing => return Ok(Facts::default()),
        needed => match app.stripe() {
            Ok(stripe) => ask(stripe, needed, deadline),
            Err(_) => return Ok(Facts { unanswered: true, ..Facts::default() }),
        },
    };
    Ok(answered.unwrap_or_else(|error| {
        if error.is_missing() {
            // That is an answer: there is nothing of it at Stripe.
            return Facts::default();
        }
        tracing::warn!(event = "stripe_not_answered", id = event.id, kind = event.kind, error = %error);
        Facts { unanswered: true, ..Facts::default() }
    }))
}

/// What is to be asked.
enum Needed {
    Nothing,
    /// All lines of an invoice; for a pack's, also whether a checkout made it.
    Invoice(Box<Invoice>),
    /// The invoice that a payment paid.
    InvoiceById(String),
    /// Which invoice a payment intent paid.
    InvoiceOf(String),
    /// All refunds of a payment intent.
    Refunds(String),
    /// All line items of a session.
    LineItems(String),
    /// How a credit note is divided, which older shapes do not say.
    CreditNote(String),
}

/// Decides from the event and from what is known. An object that cannot be read needs nothing: settling it says so.
fn needed(app: &App, event: &Event) -> Result<Needed> {
    let object = &event.object;
    match event.kind.as_str() {
        "invoice.paid" | "invoice.payment_succeeded" => match Invoice::read(object) {
            Ok(invoice) if invoice.is_paid() => of_invoice(app, invoice),
            _ => Ok(Needed::Nothing),
        },
        "invoice_payment.paid" => match InvoicePayment::read(object).map(|payment| payment.invoice) {
            Ok(Some(invoice)) if !is_known(app, &invoice)? => Ok(Needed::InvoiceById(invoice)),
            _ => Ok(Needed::Nothing),
        },
        "charge.refunded" => match Charge::read(object) {
            Ok(charge) => of_reversal(app, charge.payment_intent, &charge.id, charge.refunds.is_none()),
            Err(_) => Ok(Needed::Nothing),
        },
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => match Refund::read(object) {
            Ok(refund) => of_reversal(app, refund.payment_intent, refund.charge.as_deref().unwrap_or("-"), false),
            Err(_) => Ok(Needed::Nothing),
        },
        kind if kind.starts_with("charge.dispute.") => match Dispute::read(object) {
            Ok(dispute) => of_reversal(app, dispute.payment_intent, dispute.charge.as_deref().unwrap_or("-"), false),
            Err(_) => Ok(Needed::Nothing),
        },
        kind if kind.starts_with("credit_note.") => match CreditNote::read(object) {
            Ok(note) if note.returned.is_none() => Ok(Needed::CreditNote(note.id)),
            _ => Ok(Needed::Nothing),
        },
        kind if kind.starts_with("checkout.session.") => match CheckoutSession::read(object) {
            Ok(session) if is_bought(&session) && session.is_payment() => of_session(app, session),
            _ => Ok(Needed::Nothing),
        },
        _ => Ok(Needed::Nothing),
    }
}

fn of_invoice(app: &App, invoice: Invoice) -> Result<Needed> {
    let sells_pack = invoice.lines.rows.iter().any(|line| {
        let offer = line.price.as_deref().and_then(|price| app.catalog.by_price(price));
        matches!(offer, Some(crate::catalog::Offer::Pack(_)))
    });
    let is_said = !invoice.lines.has_more && !sells_pack;
    Ok(if is_said || is_known(app, &invoice.id)? { Needed::Nothing } else { Needed::Invoice(Box::new(invoice)) })
}

fn of_reversal(app: &App, payment_intent: Option<String>, charge: &str, wants_refunds: bool) -> Result<Needed> {
    let Some(intent) = payment_intent else { return Ok(Needed::Nothing) };
    let (is_known, invoice) = app.store.read(|tx| {
        let invoice = payments::invoice_of(tx, &intent)?;
        let known = payments::find(tx, &intent)?.is_some() || payments::find(tx, charge)?.is_some();
        Ok((known, invoice))
    })?;
    Ok(match (is_known || invoice.is_some(), wants_refunds) {
        (true, true) => Needed::Refunds(intent),
        (true, false) => Needed::Nothing,
        (false, _) => Needed::InvoiceOf(intent),
    })
}

fn of_session(app: &App, session: CheckoutSession) -> Result<Needed> {
    let names_offer = session.metadata.contains_key("plan") || session.line_items.is_some();
    let is_ours = app.store.read(|tx| {
        let by_id = session.metadata.get("order_id").map(|id| orders::by_id(tx, id)).transpose()?.flatten();
        Ok(by_id.is_some() || orders::by_session(tx, &session.id)?.is_some())
    })?;
    Ok(if names_offer || is_ours { Needed::Nothing } else { Needed::LineItems(session.id) })
}

fn is_known(app: &App, id: &str) -> Result<bool> {
    app.store.read(|tx| Ok(payments::find(tx, id)?.is_some()))
}

fn ask(stripe: &Stripe, needed: Needed, deadline: Deadline) -> std::result::Result<Facts, StripeError> {
    let mut facts = Facts::default();
    match needed {
        Needed::Nothing => {}
        Needed::Invoice(invoice) => about_invoice(stripe, &invoice, &mut facts, deadline)?,
        Needed::InvoiceById(id) => {
            let invoice = stripe.invoice(&id, deadline)?;
            about_invoice(stripe, &invoice, &mut facts, deadline)?;
            facts.invoice = Some(invoice);
        }
        Needed::InvoiceOf(intent) => {
            let paid = stripe.invoice_payments_of(&intent, deadline)?;
            facts.invoice_of_payment = paid.into_iter().find_map(|payment| payment.invoice);
        }
        Needed::Refunds(intent) => facts.refunds = Some(stripe.refunds_of(&intent, deadline)?),
        Needed::CreditNote(id) => facts.credit_note = Some(stripe.credit_note(&id, deadline)?),
        Needed::LineItems(session) => facts.line_items = Some(stripe.list_line_items(&session, deadline)?),
    }
    Ok(facts)
}

fn about_invoice(
    stripe: &Stripe,
    invoice: &Invoice,
    facts: &mut Facts,
    deadline: Deadline,
) -> std::result::Result<(), StripeError> {
    if invoice.lines.has_more {
        facts.lines = Some(stripe.list_invoice_lines(&invoice.id, deadline)?);
    }
    if invoice.subscription.is_none() {
        let intent = match &invoice.payment_intent {
            Some(intent) => Some(intent.clone()),
            None => stripe.invoice(&invoice.id, deadline)?.payment_intent,
        };
        if let Some(intent) = &intent {
            facts.session = stripe.session_of_payment(intent, deadline)?;
        }
        facts.payment_intent = intent;
    }
    Ok(())
}
