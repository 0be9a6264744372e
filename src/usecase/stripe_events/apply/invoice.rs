//! A paid invoice: its lines say which plans' time was bought, and so how many units (`docs/rules.md`, rule 6). It is
//! applied once, whichever event brings it. Its status and its lines decide, never the amount that was paid.

use crate::catalog::{Offer, Plan};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::ledger::{Allotment, Share, allot, less_credited, part_left, split_cost};
use crate::store::allotments::{self, DueAllotment, PlanPeriod};
use crate::store::orders::OfferKind;
use crate::store::payments::{self, Payment, StripeIds};
use crate::store::{Tx, prices, users};
use crate::stripe::{CheckoutStep, Invoice, InvoiceLine, InvoicePayment};
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::checkout::checkout;
use crate::usecase::stripe_events::apply::erased;
use crate::usecase::stripe_events::apply::installments;
use crate::usecase::stripe_events::apply::known_payment;
use crate::usecase::stripe_events::apply::opening;
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome, low_balances};
use crate::usecase::stripe_events::apply::owner::{Clues, owner_of};
use crate::usecase::stripe_events::apply::pack::{PackCredit, credit_packs, post_packs, units_of};
use crate::usecase::stripe_events::apply::plan_line::{Doubt, PlanLine, expiry, line_of_former_price, plan_line};
use crate::usecase::stripe_events::apply::reassess::{Cause, reassess};
use crate::usecase::stripe_events::apply::signs::is_foreign_invoice;

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
        let mut outcome = known_payment::applied(&known, "its invoice is in the books");
        // An invoice may be paid by several payments. What waits for this one is applied now.
        outcome.known_ids.extend([&paid.payment_intent, &paid.charge].into_iter().flatten().cloned());
        return Ok(outcome);
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
    let mut lines = SortedLines::sort(context, invoice);
    if lines.buys_packs_alone()
        && let Some(session) = &invoice.checkout
    {
        // The invoice that a pack's checkout created is the same money again, and only the checkout says who bought.
        let outcome = checkout(tx, context, session, CheckoutStep::AsDescribed)?;
        let known = known_payment::learn(tx, StripeIds { session: Some(&session.id), ..ids })?;
        return Ok(EventOutcome { known_ids: known.map(|known| known.ids()).unwrap_or_default(), ..outcome });
    }
    let Some(account) = owner_of(tx, Clues::of_invoice(invoice, context.assigned.as_ref()))? else {
        return Ok(match is_foreign_invoice(tx, context.catalog, invoice)? {
            true => EventOutcome::foreign(&invoice.id, "an invoice for something that is not sold here"),
            false => EventOutcome::unmatched(&invoice.id, "it is unknown which user it is for"),
        });
    };
    if let Some(covered) = opening::of_invoice(tx, context, account, invoice)? {
        return Ok(covered);
    }
    let is_paid_for = invoice.total != Some(0) && !lines.sells_nothing();
    if let Some(too_late) = erased::of_invoice(tx, context, account, invoice)?.filter(|_| is_paid_for) {
        return Ok(too_late);
    }
    lines.settle_former(tx, account, context.now)?;
    let outcome = match &lines {
        SortedLines { unknown: Some(why), .. } if lines.buys_nothing() => {
            EventOutcome::unmatched(&invoice.id, why.as_str())
        }
        _ if lines.buys_nothing() => EventOutcome::ignored("it has no line with a price of ours"),
        _ if !lines.buys_packs_alone() => plans_and_packs(tx, context, invoice, account, &mut lines)?,
        _ if !context.stripe_answered => {
            EventOutcome::waiting_for_stripe("Stripe could not say whether a checkout made it")
        }
        _ if context.assigned.is_none() && may_be_told_again(invoice) => EventOutcome::unmatched(
            &invoice.id,
            "Stripe does not know it, so whether a checkout made it cannot be told",
        ),
        _ => packs_without_checkout(tx, context, invoice, account, &lines)?,
    };
    let mut known_ids = known_payment::learn(tx, ids)?.map(|known| known.ids()).unwrap_or_default();
    if !known_ids.is_empty() {
        // A change of the same subscription may have waited to know what ran before it.
        known_ids.extend(invoice.subscription.clone());
    }
    Ok(EventOutcome { known_ids, ..outcome.with_rest(&invoice.id, lines.unknown) })
}

/// Whether a checkout may tell of a pack's invoice later, by other ids than these, so that it would be credited twice:
/// Stripe does not know the invoice, which does not name its payment. What a credit balance paid, no checkout made.
fn may_be_told_again(invoice: &Invoice) -> bool {
    let is_paid_by_balance = invoice.amount_paid == Some(0) && invoice.total.is_some_and(|total| total > 0);
    invoice.is_unknown_to_stripe && invoice.payment_intent.is_none() && !is_paid_by_balance
}

/// The lines of an invoice, by what their prices sell.
struct SortedLines<'a> {
    plans: Vec<(&'a Plan, &'a InvoiceLine)>,
    /// Lines that give back time at prices which the catalogue has no more.
    former: Vec<&'a InvoiceLine>,
    /// Those of them of which the books know what they give back.
    given_back: Vec<PlanLine<'a>>,
    packs: Vec<PackCredit>,
    /// Why a line with an amount sells nothing that we know.
    unknown: Option<String>,
}

impl<'a> SortedLines<'a> {
    fn sort(context: &ApplyContext<'a>, invoice: &'a Invoice) -> SortedLines<'a> {
        let mut sorted =
            SortedLines { plans: vec![], former: vec![], given_back: vec![], packs: vec![], unknown: None };
        for line in &invoice.lines.rows {
            match line.price.as_deref().and_then(|price| context.catalog.by_price(price)) {
                Some(Offer::Plan(plan)) if plan.amount > 0 => sorted.plans.push((plan, line)),
                Some(Offer::Pack(_)) if line.amount < 0 => {
                    sorted.unknown = Some(format!("the line {} gives back a pack, which a refund does", line.id));
                }
                Some(Offer::Pack(pack)) => sorted.packs.push(PackCredit {
                    offer: pack.key.clone(),
                    units: pack.units.saturating_mul(line.quantity.unwrap_or(1).max(0)),
                    expires_in_days: pack.expiry.days(),
                }),
                _ if line.is_credit() => sorted.former.push(line),
                _ => sorted.pass_by(line),
            }
        }
        sorted.packs.retain(|pack| pack.units > 0);
        sorted
    }

    /// A line with an unknown price buys something that we do not sell, unless nothing is billed.
    fn pass_by(&mut self, line: &InvoiceLine) {
        if line.amount != 0 {
            let price = line.price.as_deref().unwrap_or("none");
            self.unknown = Some(format!("a line's price ({price}) is not in the catalogue"));
        }
    }

    /// Says what the lines at former prices give back; one of which the books know nothing is passed by.
    fn settle_former(&mut self, tx: &mut dyn Tx, account: i64, now: Timestamp) -> Result<()> {
        for line in std::mem::take(&mut self.former) {
            match line_of_former_price(tx, account, line, now)? {
                Some(line) => self.given_back.push(line),
                None => self.pass_by(line),
            }
        }
        Ok(())
    }

    fn has_plans(&self) -> bool {
        !(self.plans.is_empty() && self.former.is_empty() && self.given_back.is_empty())
    }

    fn buys_nothing(&self) -> bool {
        !self.has_plans() && self.packs.is_empty()
    }

    /// Whether nothing in it is ours, as far as its prices tell.
    fn sells_nothing(&self) -> bool {
        self.buys_nothing() && self.unknown.is_none()
    }

    fn buys_packs_alone(&self) -> bool {
        !self.has_plans() && !self.packs.is_empty()
    }
}

/// Packs of an invoice, less what credit notes took from it while it was open.
fn less_written_off(packs: &[PackCredit], invoice: &Invoice) -> Vec<PackCredit> {
    let units: Vec<i64> = packs.iter().map(|pack| pack.units).collect();
    let left = part_left(&units, invoice.total.unwrap_or(0), invoice.credited_before);
    let packs = packs.iter().zip(left).map(|(pack, units)| PackCredit { units, ..pack.clone() });
    packs.filter(|pack| pack.units > 0).collect()
}

/// Credits the lines of plans, and those of packs beside them, as one payment under the invoice.
fn plans_and_packs(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    invoice: &Invoice,
    account: i64,
    lines: &mut SortedLines<'_>,
) -> Result<EventOutcome> {
    let now = context.now;
    let mut plans = std::mem::take(&mut lines.given_back);
    for (plan, line) in &lines.plans {
        keep_price(tx, invoice, line)?;
        match plan_line(tx, invoice, account, plan, line, now)? {
            Ok(line) => plans.push(line),
            Err(Doubt::Before(subscription)) => {
                let why = "what ran before this change of the subscription is not known yet";
                return Ok(EventOutcome::waiting(&subscription, why));
            }
            Err(Doubt::Share(why)) if !context.stripe_answered => return Ok(EventOutcome::waiting_for_stripe(why)),
            Err(Doubt::Share(why)) => return Ok(EventOutcome::unmatched(&invoice.id, why)),
        }
    }
    let packs = less_written_off(&lines.packs, invoice);
    let shares: Vec<Share> = plans.iter().map(|line| line.share.clone()).collect();
    let (Some(parts), Some(pack_units)) = (allot(&shares, now), units_of(&packs)) else {
        return Ok(EventOutcome::unmatched(&invoice.id, "its lines buy more units than can be credited"));
    };
    let parts = less_credited(parts, invoice.total.unwrap_or(0), invoice.credited_before);
    let (due, later): (Vec<Allotment>, Vec<Allotment>) = parts.into_iter().partition(|part| part.due <= now);
    let units: i64 = due.iter().map(|part| part.units).sum();
    // The plan that goes on: a renewal may settle a change of the period before.
    let goes_on = |line: &&PlanLine<'_>| {
        (line.plan.is_some(), line.share.units > 0, line.line.period_end, line.share.units, line.line.amount)
    };
    let main = plans.iter().max_by_key(goes_on);
    let main = main.ok_or_else(|| Fault::bare("an invoice for a plan has no plan"))?;
    let payment = payment_of(context, invoice, account, &main.offer, units.max(0).saturating_add(pack_units));
    if !payments::add(tx, &payment)? {
        return Ok(EventOutcome::applied("allotted before"));
    }
    if let Some(intent) = &payment.payment_intent {
        payments::link_invoice(tx, intent, &invoice.id)?;
    }
    // What was paid is spread over all that it buys, at once and month by month.
    let parts = std::iter::once(units).chain(packs.iter().map(|pack| pack.units));
    let parts: Vec<i64> = parts.chain(later.iter().map(|part| part.units)).collect();
    let costs = split_cost(payment.cost, &parts);
    let (at_once, of_months) = costs.split_at_checked(packs.len() + 1).unwrap_or_default();
    let (cost, of_packs) = at_once.split_first().map_or((0, at_once), |(cost, rest)| (*cost, rest));
    record(tx, invoice, &plans, now, (&later, of_months))?;
    let user_id = users::by_account(tx, account)?.id;
    let mut posting_context = context.posting();
    let mut log_events = vec![];
    if units != 0 {
        let reason = format!("sub_{}", invoice.id);
        let expires_at = expiry(&plans, now, now);
        let entry = installments::post(tx, &mut posting_context, &payment, (units, cost), reason.clone(), expires_at)?;
        log_events.push(LogEvent::Allotted {
            user_id: user_id.clone(),
            plan: main.offer.clone(),
            units,
            invoice: invoice.id.clone(),
            reason,
            balance: entry.balance_after,
        });
    }
    log_events.extend(post_packs(tx, &mut posting_context, &payment, &packs, of_packs)?);
    log_events.extend(low_balances(posting_context));
    log_events.extend(reassess(tx, context, &payment.reference, &Cause::refund(&payment.reference))?);
    let detail = format!("{} units for {user_id}", units.saturating_add(pack_units));
    Ok(EventOutcome { log_events, ..EventOutcome::applied(detail) })
}

/// Records what the lines gave their billing periods, and the months that are due later. Credit notes that lowered the open
/// invoice lower what its periods were given as well.
fn record(
    tx: &mut dyn Tx,
    invoice: &Invoice,
    plans: &[PlanLine<'_>],
    now: Timestamp,
    (later, costs): (&[Allotment], &[i64]),
) -> Result<()> {
    for period in plans.iter().filter_map(|line| line.period.as_ref()) {
        let units = part_left(&[period.units], invoice.total.unwrap_or(0), invoice.credited_before).into_iter().sum();
        allotments::add_period(tx, &PlanPeriod { units, ..period.clone() })?;
    }
    for ((month, part), cost) in (1..).zip(later).zip(costs) {
        let expires_at = expiry(plans, part.due, now);
        let reference = invoice.id.clone();
        let (units, cost, due_at) = (part.units, *cost, part.due);
        allotments::plan(tx, &DueAllotment { reference, month, units, cost, due_at, expires_at })?;
    }
    Ok(())
}

/// Keeps what a price costs, where Stripe was asked.
fn keep_price(tx: &mut dyn Tx, invoice: &Invoice, line: &InvoiceLine) -> Result<()> {
    let currency = line.currency.as_deref().or(invoice.currency.as_deref());
    match (&line.price, currency, line.unit_amount) {
        (Some(price), Some(currency), Some(amount)) => prices::put(tx, price, currency, amount),
        _ => Ok(()),
    }
}

/// What the invoice cost: what was charged for it, and what a credit balance paid.
fn cost_of(invoice: &Invoice, charged: i64) -> i64 {
    invoice.total.map_or(charged, |total| total.saturating_sub(invoice.credited_before).max(charged))
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

/// An invoice for packs that no checkout created. They are credited under its payment intent, or under the invoice if
/// Stripe took no payment.
fn packs_without_checkout(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    invoice: &Invoice,
    account: i64,
    lines: &SortedLines<'_>,
) -> Result<EventOutcome> {
    let packs = less_written_off(&lines.packs, invoice);
    let Some(units) = units_of(&packs) else {
        let units: i64 = packs.iter().map(|pack| pack.units).fold(0, i64::saturating_add);
        return Ok(EventOutcome::unmatched(&invoice.id, format!("{units} units cannot be credited at once")));
    };
    let reference = invoice.payment_intent.clone().unwrap_or_else(|| invoice.id.clone());
    let offer = lines.packs.first().map_or("-", |pack| pack.offer.as_str());
    let payment = payment_of(context, invoice, account, offer, units);
    let payment = Payment { kind: OfferKind::Pack, reference, ..payment };
    credit_packs(tx, context, &payment, &packs)
}
