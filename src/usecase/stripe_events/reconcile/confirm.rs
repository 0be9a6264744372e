//! From the books to Stripe (`docs/rules.md`, rule 13): each payment here must exist at Stripe, paid, with that amount and
//! currency, and for that user. Who has the webhook secret can sign events about payments that never were, and only
//! Stripe's own lists tell them apart.
//!
//! While Stripe's lists are compared, each payment that they describe as the books do is marked as confirmed, a page at a
//! time. The walk then asks one by one about those that no list confirmed: few, unless something is wrong. A list never
//! puts a payment in doubt, because the payment may be newer than the page. An answer about the payment itself does.

use std::time::Duration;

use crate::app::App;
use crate::clock::{Deadline, Timestamp};
use crate::error::Result;
use crate::store::confirmations::{self, BookedPayment};
use crate::store::{Tx, orders, users};
use crate::stripe::{CheckoutSession, Described, Event, Invoice, StripeErrorKind, Unreadable, UnreadableRow};
use crate::usecase::stripe_events::apply::{Clues, buyer_of, owner_of};
use crate::usecase::stripe_events::reconcile::report::{ComparisonError, Progress, Report, UnconfirmedPayment};
use crate::usecase::stripe_events::reconcile::scan::Part;

/// How long Stripe may take to describe a payment.
const PATIENCE: Duration = Duration::from_secs(20);
/// Payments that are read at once.
const PAGE: i64 = 500;
/// Payments that Stripe is asked about between two writes.
const BATCH: usize = 50;
/// Questions in one run. The next run asks about the rest.
const QUESTIONS_LIMIT: u64 = 10_000;

/// The payments of the books that are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct PaymentSpan {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// Those confirmed at this time or later are not asked about. `None`: at any time.
    pub(super) confirmed_since: Option<Timestamp>,
}

/// An object of Stripe's that a payment of the books stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum PaidObject<'a> {
    Session(&'a CheckoutSession),
    Invoice(&'a Invoice),
}

impl<'a> PaidObject<'a> {
    pub(super) fn of_event(event: &'a Event) -> Option<PaidObject<'a>> {
        match event {
            Event::Checkout(session, _) => Some(PaidObject::Session(session)),
            Event::Invoice(invoice) => Some(PaidObject::Invoice(invoice)),
            _ => None,
        }
    }

    pub(super) fn of_row(described: &'a Described) -> Option<PaidObject<'a>> {
        match described {
            // What a plan's checkout was paid is in its invoice.
            Described::Session(session) => session.is_payment().then_some(PaidObject::Session(session)),
            Described::Invoice(invoice) => Some(PaidObject::Invoice(invoice)),
            Described::Subscription(_) | Described::Reversal => None,
        }
    }

    pub(super) fn id(self) -> &'a str {
        match self {
            PaidObject::Session(session) => &session.id,
            PaidObject::Invoice(invoice) => &invoice.id,
        }
    }

    pub(super) fn is_invoice(self) -> bool {
        matches!(self, PaidObject::Invoice(_))
    }

    fn is_paid(self) -> bool {
        match self {
            PaidObject::Session(session) => session.is_bought(),
            PaidObject::Invoice(invoice) => invoice.is_paid(),
        }
    }

    /// Minor units that were paid, and their currency.
    pub(super) fn total(self) -> Option<(i64, String)> {
        match self {
            PaidObject::Session(session) => session.amount_total.zip(session.currency.clone()),
            PaidObject::Invoice(invoice) => invoice.amount_paid.zip(invoice.currency.clone()),
        }
    }

    /// Whether this is the total in any currency that Stripe states it in.
    pub(super) fn has_total(self, amount: i64, currency: &str) -> bool {
        let others = match self {
            PaidObject::Session(session) => session.other_totals.as_slice(),
            PaidObject::Invoice(_) => &[],
        };
        let total = self.total().unwrap_or_else(|| (0, "-".to_owned()));
        others.iter().chain([&total]).any(|(total, stated)| (*total).max(0) == amount && stated == currency)
    }

    fn payment_intent(self) -> Option<&'a str> {
        match self {
            PaidObject::Session(session) => session.payment_intent.as_deref(),
            PaidObject::Invoice(invoice) => invoice.payment_intent.as_deref(),
        }
    }

    /// Whether the payment stands for this object. An invoice that a checkout made is the money of the checkout again.
    fn is_of(self, payment: &BookedPayment) -> bool {
        match self {
            PaidObject::Session(session) => payment.session.as_ref() == Some(&session.id),
            PaidObject::Invoice(invoice) => payment.session.is_none() && payment.invoice.as_ref() == Some(&invoice.id),
        }
    }

    /// Whose it is, by the order that it began with and by what Stripe says.
    fn owner(self, tx: &mut dyn Tx) -> Result<Option<i64>> {
        let clues = match self {
            PaidObject::Session(session) => {
                return Ok(match orders::by_session(tx, &session.id)? {
                    Some(order) => Some(order.account),
                    None => buyer_of(tx, Clues::of_session(session, None))?.ok(),
                });
            }
            PaidObject::Invoice(invoice) => {
                let user_id = invoice.subscription_metadata.get("user_id").or(invoice.metadata.get("user_id"));
                Clues {
                    subscription: invoice.subscription.as_deref(),
                    customer: invoice.customer.as_deref(),
                    user_id: user_id.map(String::as_str),
                    ..Clues::default()
                }
            }
        };
        owner_of(tx, clues)
    }
}

/// How Stripe's object differs from the payment that stands for it; `None` if it confirms the payment.
fn difference(tx: &mut dyn Tx, payment: &BookedPayment, object: PaidObject<'_>) -> Result<Option<String>> {
    let id = object.id();
    if !object.is_paid() {
        return Ok(Some(format!("Stripe says that {id} is not paid")));
    }
    if !object.has_total(payment.amount, &payment.currency) {
        let (amount, currency) = object.total().unwrap_or_else(|| (0, "-".to_owned()));
        let BookedPayment { amount: booked, currency: booked_in, .. } = payment;
        let words = format!("Stripe says that {id} paid {amount} {currency}, the books say {booked} {booked_in}");
        return Ok(Some(format!("{words} (minor units)")));
    }
    if let Some((theirs, ours)) = object.payment_intent().zip(payment.payment_intent.as_deref())
        && theirs != ours
    {
        return Ok(Some(format!("Stripe says that {id} was paid by {theirs}, the books say {ours}")));
    }
    let owner = object.owner(tx)?;
    if owner == Some(payment.account) || confirmations::is_assigned(tx, payment)? {
        return Ok(None);
    }
    Ok(Some(match owner {
        Some(account) => format!("by what Stripe says, {id} is for {}", users::by_account(tx, account)?.id),
        None => format!("Stripe names no customer or user of ours for {id}"),
    }))
}

/// Marks the payments as confirmed that these objects describe as the books do.
pub(super) fn mark_confirmed(app: &App, objects: &[PaidObject<'_>], since: Option<Timestamp>) -> Result<()> {
    let confirmed = app.store.read(|tx| {
        let mut confirmed = vec![];
        for object in objects.iter().filter(|object| object.is_paid()) {
            if let Some(payment) = confirmations::find(tx, object.id())?
                && object.is_of(&payment)
                && (payment.doubt.is_some() || is_unconfirmed(&payment, since))
                && difference(tx, &payment, *object)?.is_none()
            {
                confirmed.push(payment.reference);
            }
        }
        Ok(confirmed)
    })?;
    if confirmed.is_empty() {
        return Ok(());
    }
    let now = app.clock.now();
    app.store.write(move |tx| confirmed.iter().try_for_each(|reference| confirmations::confirm(tx, reference, now)))
}

fn is_unconfirmed(payment: &BookedPayment, since: Option<Timestamp>) -> bool {
    payment.confirmed_at.is_none_or(|at| since.is_some_and(|since| at < since))
}

/// Asks Stripe about the payments that no list has confirmed: those in doubt, and those of `span`. Records the answers,
/// and reports the payments that Stripe does not confirm.
pub(super) fn walk(
    app: &App,
    span: Option<PaymentSpan>,
    report: &mut Report,
    goes_on: &mut impl FnMut(Progress, &Report) -> bool,
) -> std::result::Result<(), ComparisonError> {
    let mut asked = 0;
    let mut ask = |payments: Vec<BookedPayment>, report: &mut Report| {
        for batch in payments.chunks(BATCH) {
            if asked >= QUESTIONS_LIMIT {
                return Err(ComparisonError::TooMany(QUESTIONS_LIMIT));
            }
            asked += u64::try_from(batch.len()).unwrap_or(u64::MAX);
            ask_about(app, batch, report)?;
            let progress = Progress { part: Part::Payments, rows: asked, percent: None, is_done: false };
            if !goes_on(progress, report) {
                return Err(ComparisonError::Stopped);
            }
        }
        Ok(())
    };
    let mut after = String::new();
    loop {
        let page = app.store.read(|tx| confirmations::in_doubt(tx, &after, PAGE))?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.reference);
        ask(page, report)?;
    }
    if let Some(PaymentSpan { from, to, confirmed_since }) = span {
        let mut after = (from, String::new());
        loop {
            let page = app.store.read(|tx| confirmations::page(tx, (after.0, &after.1), to, PAGE))?;
            let Some(last) = page.last() else { break };
            after = (last.paid_at, last.reference.clone());
            let is_open = |payment: &BookedPayment| {
                payment.doubt.is_none() && payment.reversed_at.is_none() && is_unconfirmed(payment, confirmed_since)
            };
            ask(page.into_iter().filter(is_open).collect(), report)?;
        }
    }
    goes_on(Progress { part: Part::Payments, rows: asked, percent: Some(100), is_done: true }, report);
    Ok(())
}

/// Asks Stripe about each of these payments. If it stops answering, the answers until then are recorded.
fn ask_about(app: &App, payments: &[BookedPayment], report: &mut Report) -> std::result::Result<(), ComparisonError> {
    let mut answers = vec![];
    let mut failure = None;
    for payment in payments {
        match doubt_about(app, payment) {
            Ok(doubt) => answers.push((payment.clone(), doubt)),
            Err(ComparisonError::Stripe(error)) if error.kind == StripeErrorKind::Unreadable => {
                let cause = Unreadable::new(error.message);
                let row = UnreadableRow { id: payment.reference.clone(), created: None, cause };
                report.add_unreadable(Part::Payments, &row);
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    for (payment, doubt) in &answers {
        if let Some(detail) = doubt {
            report.add_unconfirmed(unconfirmed(app, payment, detail)?);
        }
    }
    let now = app.clock.now();
    app.store.write(move |tx| {
        answers.iter().try_for_each(|(payment, doubt)| match doubt {
            Some(why) => confirmations::put_in_doubt(tx, &payment.reference, why),
            None => confirmations::confirm(tx, &payment.reference, now),
        })
    })?;
    failure.map_or(Ok(()), Err)
}

/// Asks Stripe about a payment: what it says instead of what the books say; `None` if it confirms the payment.
pub(in crate::usecase::stripe_events) fn doubt_about(
    app: &App,
    payment: &BookedPayment,
) -> std::result::Result<Option<String>, ComparisonError> {
    let deadline = Deadline::after(PATIENCE);
    let stripe = app.stripe()?;
    let (id, described) = match (&payment.session, &payment.invoice) {
        (Some(id), _) => {
            (id, stripe.checkout_session(id, deadline).map(|session| Described::Session(Box::new(session))))
        }
        (None, Some(id)) => (id, stripe.invoice(id, deadline).map(|invoice| Described::Invoice(Box::new(invoice)))),
        (None, None) => return Ok(Some("it names neither a checkout nor an invoice of Stripe's".to_owned())),
    };
    let described = match described {
        Ok(described) => described,
        Err(error) if error.is_missing() => return Ok(Some(format!("Stripe does not know {id}"))),
        Err(error) => return Err(error.into()),
    };
    let Some(object) = PaidObject::of_row(&described) else { return Ok(None) };
    Ok(app.store.read(|tx| difference(tx, payment, object))?)
}

/// A payment in doubt, for people.
pub(in crate::usecase::stripe_events) fn unconfirmed(
    app: &App,
    payment: &BookedPayment,
    detail: &str,
) -> Result<UnconfirmedPayment> {
    let user_id = app.store.read(|tx| users::by_account(tx, payment.account))?.id;
    Ok(UnconfirmedPayment {
        reference: payment.reference.clone(),
        user_id,
        offer: payment.offer.clone(),
        units: payment.units,
        amount: payment.amount,
        currency: payment.currency.clone(),
        detail: detail.to_owned(),
    })
}
