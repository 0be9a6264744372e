//! The read phase before the transaction. It completes an event's object with what Stripe leaves out of events, so that
//! `apply` finds everything in the object. How long Stripe may take, and what becomes of an event without its answer, is said in
//! `prefetcher`.

use crate::app::App;
use crate::catalog::{Interval, Offer};
use crate::clock::{Deadline, Timestamp, months_after};
use crate::error::{Error, Result};
use crate::store::orders::{self, Order};
use crate::store::{allotments, payments, prices, scheduled_changes, subscriptions};
use crate::stripe::{
    Charge, CheckoutSession, CreditNote, Event, Invoice, InvoiceLine, InvoicePayment, List, PaymentOrigin, Schedule,
    ScheduleHint, Stripe, StripeError, Subscription,
};
use crate::usecase::stripe_events::apply::{Clues, is_as_ordered, owner_of};
use crate::usecase::stripe_events::origin;

/// Why an object could not be completed.
pub(super) enum Gap {
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

pub(super) type Completion<T> = std::result::Result<T, Gap>;

/// Reads from Stripe what an event's object lacks. Most objects are complete already, and then Stripe is not asked.
pub(super) fn complete(app: &App, event: Event, deadline: Deadline) -> Completion<Event> {
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
        Event::Subscription { subscription, step, before, as_of } => {
            let subscription = with_open_invoice(app, with_schedule(app, subscription, deadline)?, deadline)?;
            Event::Subscription { subscription, step, before, as_of }
        }
        Event::Schedule { hint, .. } => {
            let subscription = scheduled(app, &hint, deadline)?.map(Box::new);
            Event::Schedule { hint, subscription }
        }
        complete @ (Event::ChargeMade(_)
        | Event::PaymentFailed(_)
        | Event::CustomerDeleted(_)
        | Event::Unhandled { .. }
        | Event::Unreadable { .. }) => complete,
    })
}

/// What is to be paid, and since when, is for the user to read. A subscription of nobody here is of no interest.
fn with_open_invoice(app: &App, mut subscription: Subscription, deadline: Deadline) -> Completion<Subscription> {
    let Some(id) = subscription.latest_invoice.as_deref().filter(|_| subscription.awaits_payment()) else {
        return Ok(subscription);
    };
    let clues = Clues {
        subscription: Some(&subscription.id),
        customer: subscription.customer.as_deref(),
        user_id: subscription.metadata.get("user_id").map(String::as_str),
        ..Clues::default()
    };
    if app.store.read(|tx| owner_of(tx, clues))?.is_some() {
        subscription.open_invoice = Some(Box::new(stripe(app)?.invoice(id, deadline)?));
    }
    Ok(subscription)
}

/// The same, as far as Stripe answers: a subscription's state counts more than what is to be paid.
pub(super) fn with_open_invoice_if_told(app: &App, subscription: Subscription, deadline: Deadline) -> Subscription {
    with_open_invoice(app, subscription.clone(), deadline).unwrap_or(subscription)
}

/// An event names the schedule of a subscription only by its id. And where something is planned in the books, an event
/// without a schedule may be older than the plan. In both cases Stripe says what is planned now.
fn with_schedule(app: &App, mut subscription: Subscription, deadline: Deadline) -> Completion<Subscription> {
    let is_clear = subscription.schedule == Schedule::Absent
        && app.store.read(|tx| Ok(scheduled_changes::of(tx, &subscription.id)?.is_none()))?;
    if subscription.is_over() || is_clear {
        return Ok(subscription);
    }
    subscription.schedule = match stripe(app)?.subscription(&subscription.id, deadline) {
        Ok(found) => found.schedule,
        Err(error) if error.is_missing() => Schedule::Absent,
        Err(error) => return Err(error.into()),
    };
    Ok(subscription)
}

/// The subscription of a schedule, if it is known here.
fn scheduled(app: &App, hint: &ScheduleHint, deadline: Deadline) -> Completion<Option<Subscription>> {
    let Some(id) = &hint.subscription else { return Ok(None) };
    let known = app.store.read(|tx| subscriptions::find(tx, id))?;
    match known.is_some_and(|known| known.ended_at.is_none()) {
        true => Ok(Some(stripe(app)?.subscription(id, deadline)?)),
        false => Ok(None),
    }
}

/// A session without an order of ours, or one that sold something else than was ordered: its line items say what was bought, and
/// how many, and whether it is ours at all.
pub(super) fn with_line_items(
    app: &App,
    mut session: CheckoutSession,
    deadline: Deadline,
) -> Completion<CheckoutSession> {
    if !session.is_bought() || session.line_items.as_ref().is_some_and(|items| !items.has_more) {
        return Ok(session);
    }
    let order = app.store.read(|tx| {
        let by_id = session.metadata.get("order_id").map(|id| orders::by_id(tx, id)).transpose()?.flatten();
        by_id.map_or_else(|| orders::by_session(tx, &session.id), |order| Ok(Some(order)))
    })?;
    let is_told = |order: &Order| !session.is_payment() || is_as_ordered(&session, order);
    if !order.is_some_and(|order| is_told(&order)) {
        session.line_items = match stripe(app)?.list_line_items(&session.id, deadline) {
            Ok(items) => Some(List::whole(items)),
            Err(error) if error.is_missing() => None,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(session)
}

/// Events include only the first ten lines. A pack's invoice may come from a checkout, and only the checkout says who
/// bought.
fn with_lines_and_checkout(app: &App, invoice: Invoice, deadline: Deadline) -> Completion<Invoice> {
    let sells_pack = invoice.lines.rows.iter().any(|line| {
        let offer = line.price.as_deref().and_then(|price| app.catalog.by_price(price));
        matches!(offer, Some(Offer::Pack(_)))
    });
    let mut is_complete = !invoice.lines.has_more && !sells_pack;
    for line in &invoice.lines.rows {
        is_complete &= !wants_price(app, line) && !wants_billing_period(app, line)?;
    }
    if !invoice.is_paid() || is_complete || is_known(app, &invoice.id)? {
        return Ok(invoice);
    }
    match complete_invoice(app, stripe(app)?, invoice.clone(), deadline) {
        // Whose checkout it belongs to, Stripe cannot say then.
        Err(Gap::Stripe(error)) if error.is_missing() => Ok(Invoice { is_unknown_to_stripe: true, ..invoice }),
        completed => completed,
    }
}

fn complete_invoice(app: &App, stripe: &Stripe, mut invoice: Invoice, deadline: Deadline) -> Completion<Invoice> {
    if invoice.lines.has_more {
        invoice.lines = List::whole(stripe.list_invoice_lines(&invoice.id, deadline)?);
    }
    if invoice.subscription.is_none() {
        if invoice.payment_intent.is_none() {
            invoice.payment_intent = stripe.invoice(&invoice.id, deadline)?.payment_intent;
        }
        if let Some(session) = checkout_of(app, stripe, &invoice, deadline)? {
            invoice.checkout = Some(Box::new(with_line_items(app, session, deadline)?));
        }
    }
    let currency = invoice.currency.clone();
    for line in invoice.lines.rows.iter_mut().filter(|line| wants_price(app, line)) {
        line.unit_amount = unit_amount(app, stripe, line, currency.as_deref(), deadline)?;
    }
    for line in &mut invoice.lines.rows {
        if wants_billing_period(app, line)? {
            line.billing_period = billing_period(stripe, line, deadline)?;
        }
    }
    Ok(invoice)
}

/// Whether what the price costs is wanted: where the time of a plan's proration does not tell its share, and where a whole line
/// of nothing is at a price that the catalogue does not state an amount of, which may cost nothing.
fn wants_price(app: &App, line: &InvoiceLine) -> bool {
    let Some(Offer::Plan(plan)) = line.price.as_deref().and_then(|price| app.catalog.by_price(price)) else {
        return false;
    };
    let months = if plan.interval == Interval::Year { 12 } else { 1 };
    let is_within = |(from, to)| months_after(to, -months).is_some_and(|begins| begins <= from);
    let is_open = match line.proration {
        true => !line.period().is_some_and(is_within),
        false => line.amount == 0 && plan.price_id != line.price,
    };
    is_open && line.unit_amount.is_none()
}

/// Whether nothing that the books know says which billing period a plan's proration lies in.
fn wants_billing_period(app: &App, line: &InvoiceLine) -> Completion<bool> {
    let offer = line.price.as_deref().and_then(|price| app.catalog.by_price(price));
    let (Some(Offer::Plan(_)), Some((_, end)), Some(subscription)) = (offer, line.period(), &line.subscription) else {
        return Ok(false);
    };
    if !line.proration || line.billing_period.is_some() {
        return Ok(false);
    }
    Ok(!app.store.read(|tx| allotments::has_period(tx, subscription, end))?)
}

/// The subscription's running period, if it ends with the line's time.
fn billing_period(
    stripe: &Stripe,
    line: &InvoiceLine,
    deadline: Deadline,
) -> Completion<Option<(Timestamp, Timestamp)>> {
    let Some(subscription) = &line.subscription else { return Ok(None) };
    let described = match stripe.subscription(subscription, deadline) {
        Ok(described) => described,
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let item = described.items.rows.iter().find(|item| item.period_end == line.period_end);
    Ok(item.and_then(|item| item.period_start.zip(item.period_end)))
}

/// What one of a line's price costs in the invoice's currency: as it is kept, else as Stripe says.
fn unit_amount(
    app: &App,
    stripe: &Stripe,
    line: &InvoiceLine,
    currency: Option<&str>,
    deadline: Deadline,
) -> Completion<Option<i64>> {
    let Some((price, currency)) = line.price.as_deref().zip(line.currency.as_deref().or(currency)) else {
        return Ok(None);
    };
    if let Some(kept) = app.store.read(|tx| prices::amount(tx, price, currency))? {
        return Ok(Some(kept));
    }
    match stripe.price(price, deadline) {
        Ok(price) => Ok(price.amount_in(currency)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The checkout that made an invoice: by the payment that both have. An order that cost nothing has no payment; then our
/// order's id in the invoice's metadata names the checkout, or the customer's newest checkouts do.
fn checkout_of(
    app: &App,
    stripe: &Stripe,
    invoice: &Invoice,
    deadline: Deadline,
) -> Completion<Option<CheckoutSession>> {
    if let Some(intent) = &invoice.payment_intent {
        return Ok(stripe.session_of_payment(intent, deadline)?);
    }
    let order = match invoice.metadata.get("order_id") {
        Some(id) => app.store.read(|tx| orders::by_id(tx, id))?,
        None => None,
    };
    if let Some(session) = order.and_then(|order| order.session) {
        return Ok(Some(stripe.checkout_session(&session, deadline)?));
    }
    match &invoice.customer {
        Some(customer) => Ok(stripe.session_of_invoice(customer, &invoice.id, deadline)?),
        None => Ok(None),
    }
}

/// An invoice payment may be the first event that mentions its invoice.
fn with_invoice(app: &App, mut payment: InvoicePayment, deadline: Deadline) -> Completion<InvoicePayment> {
    let Some(id) = &payment.invoice else { return Ok(payment) };
    if !is_known(app, id)? {
        let stripe = stripe(app)?;
        let invoice = complete_invoice(app, stripe, stripe.invoice(id, deadline)?, deadline)?;
        payment.paid_invoice = Some(Box::new(invoice));
    }
    Ok(payment)
}

fn with_invoice_or_refunds(app: &App, mut charge: Charge, deadline: Deadline) -> Completion<Charge> {
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
fn with_division(app: &App, note: CreditNote, deadline: Deadline) -> Completion<CreditNote> {
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
) -> Completion<PaymentOrigin> {
    match payment_intent {
        Some(intent) if !is_payment_known(app, intent, charge)? => {
            Ok(origin::of_payment(app, stripe(app)?, intent, deadline)??)
        }
        _ => Ok(PaymentOrigin::default()),
    }
}

/// Where the payment of an invoice came from. Stripe is asked only if the invoice is not in the books.
fn origin_of_invoice(app: &App, invoice: Option<&str>, deadline: Deadline) -> Completion<PaymentOrigin> {
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

fn stripe(app: &App) -> Completion<&Stripe> {
    app.stripe().map_err(|_| Gap::NoKey)
}
