//! A paid invoice: its lines say which plans' time was bought, and so which units (contract, section 5, rule 6). Once
//! for each invoice, whatever event brings it; its status and its lines decide, never the amount that was paid.

use crate::catalog::{Expiry, Interval, Offer, Plan};
use crate::clock::{Timestamp, months_after};
use crate::error::{Fault, Result};
use crate::ledger::{Allotment, Line, Share, allot};
use crate::store::payments::{self, Payment};
use crate::store::{Tx, customers, subscriptions, users};
use crate::stripe::{Invoice, InvoiceLine, InvoicePayment};
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::reversal::{Cause, reassess};
use crate::usecase::stripe_events::apply::{Context, EventOutcome, STRIPE, checkout, installments};

/// Months of a line that are planned at the most: ten years.
const MONTHS_LIMIT: i64 = 120;

/// A payment paid an invoice: that is worth remembering, and it may be the first that we hear of it.
pub(super) fn payment(tx: &mut dyn Tx, context: &Context<'_>, paid: &InvoicePayment) -> Result<EventOutcome> {
    let Some(invoice_id) = &paid.invoice else { return Ok(EventOutcome::ignored("it names no invoice")) };
    if let Some(intent) = &paid.payment_intent {
        payments::link_invoice(tx, intent, invoice_id)?;
    }
    if let Some(known) = payments::find(tx, invoice_id)? {
        payments::learn(tx, &known.reference, paid.payment_intent.as_deref(), paid.charge.as_deref())?;
        let known = [paid.payment_intent.clone(), paid.charge.clone()].into_iter().flatten().collect();
        return Ok(EventOutcome { known, ..EventOutcome::applied("its invoice is in the books") });
    }
    match &context.facts.invoice {
        Some(found) => invoice(tx, context, found),
        None if context.facts.unanswered => {
            Ok(EventOutcome::waiting(STRIPE, "Stripe could not be asked for its invoice"))
        }
        None => Ok(EventOutcome::waiting(invoice_id, format!("the invoice {invoice_id} is not in the books"))),
    }
}

/// An invoice, paid or not.
pub(super) fn invoice(tx: &mut dyn Tx, context: &Context<'_>, invoice: &Invoice) -> Result<EventOutcome> {
    if !invoice.is_paid() {
        return Ok(EventOutcome::ignored(format!("the invoice is {}", invoice.status)));
    }
    let intent = invoice.payment_intent.as_deref().or(context.facts.payment_intent.as_deref());
    let known: Vec<String> = [Some(invoice.id.as_str()), intent, invoice.charge.as_deref()]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect();
    if let Some(before) = payments::find(tx, &invoice.id)? {
        payments::learn(tx, &before.reference, intent, invoice.charge.as_deref())?;
        return Ok(EventOutcome { known, ..EventOutcome::applied("allotted before") });
    }
    let lines = match (&context.facts.lines, invoice.lines.has_more) {
        (Some(all), _) => all.as_slice(),
        (None, false) => invoice.lines.rows.as_slice(),
        (None, true) => return Ok(EventOutcome::waiting(STRIPE, "its lines are not all known yet")),
    };
    let bought = Bought::read(context, lines);
    if bought.plans.is_empty()
        && bought.pack.is_some()
        && let Some(sold) = &context.facts.session
    {
        // A pack's invoice that a checkout made is that checkout's money once more; only the checkout tells whose it is.
        let settled = checkout::session(tx, context, sold, checkout::Moment::Seen)?;
        return Ok(EventOutcome { known: [known, settled.known.clone()].concat(), ..settled });
    }
    let Some(account) = account_of(tx, context, invoice)? else {
        return Ok(EventOutcome::unmatched(&invoice.id, "it cannot be told which user it is for"));
    };
    let settled = match &bought {
        Bought { plans, .. } if !plans.is_empty() => plan(tx, context, invoice, account, &bought)?,
        Bought { pack: Some(line), .. } => pack(tx, context, invoice, account, line)?,
        Bought { unknown: Some(why), .. } => EventOutcome::unmatched(&invoice.id, why.as_str()),
        _ => EventOutcome::ignored("it has no line with a price of ours"),
    };
    Ok(EventOutcome { known, ..settled })
}

/// The lines of an invoice, told apart.
struct Bought<'a> {
    plans: Vec<(&'a Plan, &'a InvoiceLine)>,
    pack: Option<&'a InvoiceLine>,
    unknown: Option<String>,
}

impl<'a> Bought<'a> {
    fn read(context: &Context<'a>, lines: &'a [InvoiceLine]) -> Bought<'a> {
        let mut bought = Bought { plans: vec![], pack: None, unknown: None };
        for line in lines {
            match line.price.as_deref().and_then(|price| context.catalog.by_price(price)) {
                Some(Offer::Plan(plan)) if plan.amount > 0 => bought.plans.push((plan, line)),
                Some(Offer::Pack(_)) => bought.pack = Some(line),
                _ if line.amount != 0 => {
                    let price = line.price.as_deref().unwrap_or("none");
                    bought.unknown = Some(format!("a line's price ({price}) is not in the catalogue"));
                }
                _ => {}
            }
        }
        bought
    }
}

/// Whose invoice it is: by its subscription, its customer, the metadata that we set on the subscription; never by e-mail.
fn account_of(tx: &mut dyn Tx, context: &Context<'_>, invoice: &Invoice) -> Result<Option<i64>> {
    if let Some(assigned) = &context.assigned {
        return Ok(Some(assigned.account));
    }
    if let Some(id) = &invoice.subscription
        && let Some(subscription) = subscriptions::find(tx, id)?
    {
        return Ok(Some(subscription.account));
    }
    if let Some(customer) = &invoice.customer
        && let Some(account) = customers::account_of(tx, customer)?
    {
        return Ok(Some(account));
    }
    match invoice.subscription_metadata.get("user_id").or(invoice.metadata.get("user_id")) {
        Some(id) => Ok(users::find(tx, id)?.map(|user| user.account)),
        None => Ok(None),
    }
}

fn plan(
    tx: &mut dyn Tx,
    context: &Context<'_>,
    invoice: &Invoice,
    account: i64,
    bought: &Bought<'_>,
) -> Result<EventOutcome> {
    let now = context.now;
    let shares: Vec<Share> = bought.plans.iter().map(|(plan, line)| share(plan, line, now)).collect();
    let Some(parts) = allot(&shares, now).map(|parts| less_credited(parts, invoice)) else {
        return Ok(EventOutcome::unmatched(&invoice.id, "its lines buy more units than can be credited"));
    };
    let (due, later): (Vec<Allotment>, Vec<Allotment>) = parts.into_iter().partition(|part| part.due <= now);
    let units: i64 = due.iter().map(|part| part.units).sum();
    let main = bought.plans.iter().max_by_key(|(_, line)| line.amount).map(|(plan, line)| (*plan, *line));
    let (main, line) = main.ok_or_else(|| Fault::bare("an invoice for a plan has no plan"))?;
    let payment = payment_of(context, invoice, account, &main.key, units.max(0));
    if !payments::add(tx, &payment)? {
        return Ok(EventOutcome::applied("allotted before"));
    }
    keep_cost(tx, invoice, &payment)?;
    if let Some(intent) = &payment.payment_intent {
        payments::link_invoice(tx, intent, &invoice.id)?;
    }
    for (month, part) in later.iter().enumerate() {
        payments::plan_allotment(tx, &payment.reference, i64::try_from(month).unwrap_or(0) + 1, part.due, part.units)?;
    }
    let user_id = users::by_account(tx, account)?.id;
    let mut told = vec![];
    if units != 0 {
        let reason = format!("sub_{}", invoice.id);
        let entry = installments::post(tx, &payment, units, reason.clone(), expiry(main, line, now), context.rules())?;
        let (plan, invoice, balance) = (main.key.clone(), invoice.id.clone(), entry.balance_after);
        told.push(LogEvent::Allotted { user_id: user_id.clone(), plan, units, invoice, reason, balance });
    }
    told.extend(reassess(tx, context, &payment.reference, &Cause::refund(&payment.reference))?);
    let detail = format!("{units} units for {user_id}");
    if let Some(why) = &bought.unknown {
        let settled = EventOutcome::unmatched(&invoice.id, format!("{detail}, but {why}"));
        told.extend(settled.told.clone());
        return Ok(EventOutcome { told, ..settled });
    }
    Ok(EventOutcome { told, ..EventOutcome::applied(detail) })
}

/// What the invoice cost beyond what was charged for it: a credit balance paid that.
fn keep_cost(tx: &mut dyn Tx, invoice: &Invoice, payment: &Payment) -> Result<()> {
    let Some(total) = invoice.total else { return Ok(()) };
    let cost = total.saturating_sub(invoice.credited_before);
    payments::set_cost(tx, &payment.reference, cost.max(payment.amount))
}

/// What is left of the parts after credit notes that lowered the invoice while it was open. Stripe keeps the lines as they
/// were, and lines are what buys (rule 6); but units follow the money, and a credit note is no discount: it says that so
/// much of what was billed is not to be paid. So it takes the same share of the units whether it was made a minute before
/// the payment or a minute after (rule 7), and an invoice that one wrote off as a whole, which Stripe then calls paid,
/// buys nothing.
fn less_credited(mut parts: Vec<Allotment>, invoice: &Invoice) -> Vec<Allotment> {
    if let Some(total) = invoice.total.filter(|total| *total > 0 && invoice.credited_before > 0) {
        let kept = i128::from(total.saturating_sub(invoice.credited_before).max(0));
        for part in &mut parts {
            let units = i128::from(part.units).saturating_mul(kept).checked_div(i128::from(total)).unwrap_or(0);
            part.units = i64::try_from(units).unwrap_or(part.units);
        }
        parts.retain(|part| part.units != 0);
    }
    parts
}

/// A line's units and the times at which they are due: a yearly plan's line by the month, from the day it begins.
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

/// When the lot of a plan's units ends, by the catalogue's policy.
fn expiry(plan: &Plan, line: &InvoiceLine, now: Timestamp) -> Option<Timestamp> {
    match plan.expiry {
        Expiry::Never | Expiry::Days(_) => plan.expiry.end(now),
        Expiry::PeriodEnd if plan.interval == Interval::Year => line
            .period_start
            .and_then(|start| (1..=MONTHS_LIMIT).filter_map(|month| months_after(start, month)).find(|end| *end > now)),
        Expiry::PeriodEnd => line.period_end,
    }
}

fn payment_of(context: &Context<'_>, invoice: &Invoice, account: i64, offer: &str, gave: i64) -> Payment {
    Payment {
        reference: invoice.id.clone(),
        account,
        kind: "plan".to_owned(),
        gave,
        taken: 0,
        amount: invoice.amount_paid.unwrap_or(0).max(0),
        currency: invoice.currency.clone().unwrap_or_else(|| "-".to_owned()),
        offer: offer.to_owned(),
        out_of_band: invoice.paid_out_of_band,
        session: None,
        payment_intent: invoice.payment_intent.clone().or(context.facts.payment_intent.clone()),
        charge: invoice.charge.clone(),
        invoice: Some(invoice.id.clone()),
        refund_stated: 0,
        reversals: 0,
        paid_at: context.now,
    }
}

/// An invoice for a pack that no checkout made: credited under its payment intent, or under the invoice where Stripe took
/// no payment.
fn pack(
    tx: &mut dyn Tx,
    context: &Context<'_>,
    invoice: &Invoice,
    account: i64,
    line: &InvoiceLine,
) -> Result<EventOutcome> {
    if context.facts.unanswered {
        return Ok(EventOutcome::waiting(STRIPE, "Stripe could not say whether a checkout made it"));
    }
    let offer = line.price.as_deref().and_then(|price| context.catalog.by_price(price));
    let Some(Offer::Pack(pack)) = offer else { return Err(Fault::bare("a pack's line has no pack").into()) };
    let units = pack.units.saturating_mul(line.quantity.unwrap_or(1).max(1));
    if crate::ledger::Units::new(units).is_none() {
        return Ok(EventOutcome::unmatched(&invoice.id, format!("{units} units cannot be credited at once")));
    }
    let mut payment = payment_of(context, invoice, account, &pack.key, units);
    payment.kind = "pack".to_owned();
    payment.reference = payment.payment_intent.clone().unwrap_or_else(|| invoice.id.clone());
    let settled = checkout::credit_pack(tx, context, &payment, pack.expiry.days())?;
    keep_cost(tx, invoice, &payment)?;
    Ok(settled)
}
