//! A paid invoice: its lines say which plans' time was bought, and so how many units (`docs/rules.md`, rule 6). It is
//! applied once, whichever event brings it. Its status and its lines decide, never the amount that was paid.

use crate::catalog::{Expiry, Interval, Offer, Pack, Plan};
use crate::clock::{Timestamp, months_after};
use crate::error::{Fault, Result};
use crate::ledger::{Allotment, Line, Share, Units, allot, less_credited};
use crate::store::orders::OfferKind;
use crate::store::payments::{self, Payment, StripeIds};
use crate::store::{Tx, users};
use crate::stripe::{CheckoutStep, Invoice, InvoiceLine, InvoicePayment};
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::checkout::{checkout, credit_pack};
use crate::usecase::stripe_events::apply::installments;
use crate::usecase::stripe_events::apply::known_payment;
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome, low_balances};
use crate::usecase::stripe_events::apply::owner::{Clues, owner_of};
use crate::usecase::stripe_events::apply::reassess::{Cause, reassess};
use crate::usecase::stripe_events::apply::signs::is_foreign_invoice;

/// The most months of a line that are planned: ten years.
const MONTHS_LIMIT: i64 = 120;

/// A payment that paid an invoice. The books record which invoice, since a later refund names only the payment. This
/// event may also be the first to mention the invoice.
pub(super) fn invoice_payment(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    paid: &InvoicePayment,
) -> Result<EventOutcome> {
    let Some(invoice_id) = &paid.invoice else { return Ok(EventOutcome::ignored("it names no invoice")) };
    let ids = StripeIds {
        session: None,
        payment_intent: paid.payment_intent.as_deref(),
        charge: paid.charge.as_deref(),
        invoice: Some(invoice_id),
    };
    if let Some(known) = known_payment::learn(tx, ids)? {
        return Ok(known_payment::applied(&known, "its invoice is in the books"));
    }
    match &paid.paid_invoice {
        Some(found) => invoice(tx, context, found),
        None if !context.stripe_answered => {
            Ok(EventOutcome::waiting_for_stripe("Stripe could not be asked for its invoice"))
        }
        None => Ok(EventOutcome::waiting(invoice_id, format!("the invoice {invoice_id} is not in the books"))),
    }
}

/// An invoice, paid or not.
pub(super) fn invoice(tx: &mut dyn Tx, context: &ApplyContext<'_>, invoice: &Invoice) -> Result<EventOutcome> {
    if !invoice.is_paid() {
        return Ok(EventOutcome::ignored(format!("the invoice is {}", invoice.status)));
    }
    let ids = StripeIds {
        session: None,
        payment_intent: invoice.payment_intent.as_deref(),
        charge: invoice.charge.as_deref(),
        invoice: Some(&invoice.id),
    };
    if let Some(before) = known_payment::learn(tx, ids)? {
        return Ok(known_payment::applied(&before, "allotted before"));
    }
    if invoice.lines.has_more {
        return Ok(EventOutcome::waiting_for_stripe("not all of its lines are known yet"));
    }
    let lines = SortedLines::sort(context, &invoice.lines.rows);
    if lines.plans.is_empty()
        && lines.pack.is_some()
        && let Some(session) = &invoice.checkout
    {
        // The invoice that a pack's checkout created is the same money again, and only the checkout says who bought.
        let outcome = checkout(tx, context, session, CheckoutStep::AsDescribed)?;
        let known = known_payment::learn(tx, StripeIds { session: Some(&session.id), ..ids })?;
        return Ok(EventOutcome { known_ids: known.map(|known| known.ids()).unwrap_or_default(), ..outcome });
    }
    let Some(account) = account_of(tx, context, invoice)? else {
        return Ok(match is_foreign_invoice(tx, context.catalog, invoice)? {
            true => EventOutcome::foreign(&invoice.id, "an invoice for something that is not sold here"),
            false => EventOutcome::unmatched(&invoice.id, "it is unknown which user it is for"),
        });
    };
    let outcome = match &lines {
        SortedLines { plans, .. } if !plans.is_empty() => plan(tx, context, invoice, account, &lines)?,
        SortedLines { pack: Some((pack, line)), .. } => {
            pack_without_checkout(tx, context, invoice, account, pack, line)?
        }
        SortedLines { unknown: Some(why), .. } => EventOutcome::unmatched(&invoice.id, why.as_str()),
        _ => EventOutcome::ignored("it has no line with a price of ours"),
    };
    let known = known_payment::learn(tx, ids)?;
    Ok(EventOutcome { known_ids: known.map(|known| known.ids()).unwrap_or_default(), ..outcome })
}

/// The lines of an invoice, by what their prices sell.
struct SortedLines<'a> {
    plans: Vec<(&'a Plan, &'a InvoiceLine)>,
    pack: Option<(&'a Pack, &'a InvoiceLine)>,
    /// Why a line with an amount sells nothing that we know.
    unknown: Option<String>,
}

impl<'a> SortedLines<'a> {
    fn sort(context: &ApplyContext<'a>, lines: &'a [InvoiceLine]) -> SortedLines<'a> {
        let mut sorted = SortedLines { plans: vec![], pack: None, unknown: None };
        for line in lines {
            match line.price.as_deref().and_then(|price| context.catalog.by_price(price)) {
                Some(Offer::Plan(plan)) if plan.amount > 0 => sorted.plans.push((plan, line)),
                Some(Offer::Pack(pack)) => sorted.pack = Some((pack, line)),
                _ if line.amount != 0 => {
                    let price = line.price.as_deref().unwrap_or("none");
                    sorted.unknown = Some(format!("a line's price ({price}) is not in the catalogue"));
                }
                _ => {}
            }
        }
        sorted
    }
}

fn account_of(tx: &mut dyn Tx, context: &ApplyContext<'_>, invoice: &Invoice) -> Result<Option<i64>> {
    let user_id = invoice.subscription_metadata.get("user_id").or(invoice.metadata.get("user_id"));
    let clues = Clues {
        assigned: context.assigned.as_ref(),
        subscription: invoice.subscription.as_deref(),
        customer: invoice.customer.as_deref(),
        user_id: user_id.map(String::as_str),
        ..Clues::default()
    };
    owner_of(tx, clues)
}

fn plan(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    invoice: &Invoice,
    account: i64,
    lines: &SortedLines<'_>,
) -> Result<EventOutcome> {
    let now = context.now;
    let shares: Vec<Share> = lines.plans.iter().map(|(plan, line)| share(plan, line, now)).collect();
    let Some(parts) = allot(&shares, now) else {
        return Ok(EventOutcome::unmatched(&invoice.id, "its lines buy more units than can be credited"));
    };
    let parts = less_credited(parts, invoice.total.unwrap_or(0), invoice.credited_before);
    let (due, later): (Vec<Allotment>, Vec<Allotment>) = parts.into_iter().partition(|part| part.due <= now);
    let units: i64 = due.iter().map(|part| part.units).sum();
    let main = lines.plans.iter().max_by_key(|(_, line)| line.amount);
    let (main, line) = main.ok_or_else(|| Fault::bare("an invoice for a plan has no plan"))?;
    let payment = payment_of(context, invoice, account, &main.key, units.max(0));
    if !payments::add(tx, &payment)? {
        return Ok(EventOutcome::applied("allotted before"));
    }
    if let Some(intent) = &payment.payment_intent {
        payments::link_invoice(tx, intent, &invoice.id)?;
    }
    for (month, part) in (1..).zip(&later) {
        payments::plan_allotment(tx, &payment.reference, month, part.due, part.units)?;
    }
    let user_id = users::by_account(tx, account)?.id;
    let mut log_events = vec![];
    if units != 0 {
        let reason = format!("sub_{}", invoice.id);
        let expires_at = expiry(main, line, now);
        let mut posting_context = context.posting();
        let entry = installments::post(tx, &mut posting_context, &payment, units, reason.clone(), expires_at)?;
        log_events.push(LogEvent::Allotted {
            user_id: user_id.clone(),
            plan: main.key.clone(),
            units,
            invoice: invoice.id.clone(),
            reason,
            balance: entry.balance_after,
        });
        log_events.extend(low_balances(posting_context));
    }
    log_events.extend(reassess(tx, context, &payment.reference, &Cause::refund(&payment.reference))?);
    let detail = format!("{units} units for {user_id}");
    let outcome = match &lines.unknown {
        Some(why) => EventOutcome::unmatched(&invoice.id, format!("{detail}, but {why}")),
        None => EventOutcome::applied(detail),
    };
    log_events.extend(outcome.log_events.clone());
    // The payment is in the books, and still the operator must see the rest: no other event closes this one.
    Ok(EventOutcome { log_events, waits_for: None, ..outcome })
}

/// What the invoice cost: what was charged for it, and what a credit balance paid.
fn cost_of(invoice: &Invoice, charged: i64) -> i64 {
    invoice.total.map_or(charged, |total| total.saturating_sub(invoice.credited_before).max(charged))
}

/// A line's units and when they are due. A yearly plan's line is split into months from the day it begins.
fn share(plan: &Plan, line: &InvoiceLine, now: Timestamp) -> Share {
    let bought = Line { units: plan.units, price: plan.amount, amount: line.amount };
    let period = line.period_start.zip(line.period_end).filter(|(start, end)| start < end);
    match (plan.interval, period) {
        (Interval::Year, Some((start, end))) => {
            let months = (0..MONTHS_LIMIT).map_while(|month| months_after(start, month));
            let mut due: Vec<Timestamp> = months.take_while(|due| *due < end).collect();
            if due.is_empty() {
                due.push(now);
            }
            Share { line: bought, due, months: 12 }
        }
        (Interval::Year, None) => Share { line: bought, due: vec![now], months: 12 },
        (Interval::Month, _) => Share { line: bought, due: vec![now], months: 1 },
    }
}

/// When the lot of a plan's units expires, by the catalogue's policy.
fn expiry(plan: &Plan, line: &InvoiceLine, now: Timestamp) -> Option<Timestamp> {
    match plan.expiry {
        Expiry::Never | Expiry::Days(_) => plan.expiry.end(now),
        Expiry::PeriodEnd if plan.interval == Interval::Year => line
            .period_start
            .and_then(|start| (1..=MONTHS_LIMIT).filter_map(|month| months_after(start, month)).find(|end| *end > now)),
        Expiry::PeriodEnd => line.period_end,
    }
}

fn payment_of(context: &ApplyContext<'_>, invoice: &Invoice, account: i64, offer: &str, units: i64) -> Payment {
    let amount = invoice.amount_paid.unwrap_or(0).max(0);
    Payment {
        reference: invoice.id.clone(),
        account,
        kind: OfferKind::Plan,
        units_granted: units,
        units_reversed: 0,
        amount,
        cost: cost_of(invoice, amount),
        currency: invoice.currency.clone().unwrap_or_else(|| "-".to_owned()),
        offer: offer.to_owned(),
        out_of_band: invoice.paid_out_of_band,
        session: None,
        payment_intent: invoice.payment_intent.clone(),
        charge: invoice.charge.clone(),
        invoice: Some(invoice.id.clone()),
        refunded_total: 0,
        reversals: 0,
        paid_at: context.now,
    }
}

/// An invoice for a pack that no checkout created. It is credited under its payment intent, or under the invoice if
/// Stripe took no payment.
fn pack_without_checkout(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    invoice: &Invoice,
    account: i64,
    pack: &Pack,
    line: &InvoiceLine,
) -> Result<EventOutcome> {
    if !context.stripe_answered {
        return Ok(EventOutcome::waiting_for_stripe("Stripe could not say whether a checkout made it"));
    }
    let units = pack.units.saturating_mul(line.quantity.unwrap_or(1).max(1));
    if Units::new(units).is_none() {
        return Ok(EventOutcome::unmatched(&invoice.id, format!("{units} units cannot be credited at once")));
    }
    let reference = invoice.payment_intent.clone().unwrap_or_else(|| invoice.id.clone());
    let payment = payment_of(context, invoice, account, &pack.key, units);
    let payment = Payment { kind: OfferKind::Pack, reference, ..payment };
    credit_pack(tx, context, &payment, pack.expiry.days())
}
