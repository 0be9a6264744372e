//! What one line of a plan's invoice gives (`docs/rules.md`, rule 6). Time decides, not money: a line's amount may be net of
//! discounts, of another currency, or at an older price. Only where a proration's period does not tell its share of the
//! billing period, the amount does, by what that very price costs in the invoice's currency.

use crate::catalog::{Expiry, Interval, Plan};
use crate::clock::{DAY_SECONDS, Timestamp, months_after};
use crate::error::Result;
use crate::ledger::{Fraction, Share};
use crate::store::allotments::{self, PlanPeriod};
use crate::store::{Tx, payments, prices};
use crate::stripe::{Invoice, InvoiceLine};
use crate::usecase::stripe_events::apply::direction::{Direction, direction, is_of_subscription};

/// The most months of a line that are planned: ten years.
const MONTHS_LIMIT: i64 = 120;
/// How much shorter than the same time of another month a billing period may be, in seconds: from the 31st of January to the
/// 28th of February. A shorter one is the beginning of a subscription that is billed on a fixed day.
const SHORTEST_MONTH: i64 = 4 * DAY_SECONDS;

/// A line with what it gives.
pub(super) struct PlanLine<'a> {
    /// `None` where the catalogue has it no more: such a line only gives back.
    pub(super) plan: Option<&'a Plan>,
    /// The plan's key.
    pub(super) offer: String,
    pub(super) line: &'a InvoiceLine,
    pub(super) share: Share,
    /// To be recorded: what the line gives its billing period. `None` for a line that gives time back, or names no time.
    pub(super) period: Option<PlanPeriod>,
}

/// The billing period that a line lies in, and what that whole period gives.
struct Basis {
    units: i64,
    period: Option<(Timestamp, Timestamp)>,
}

/// Why it cannot be told what a line gives.
pub(super) enum Doubt {
    /// Nothing says which share of its period it covers.
    Share(String),
    /// What ran before a change of this subscription is not known yet.
    Before(String),
}

/// Says what a line gives.
pub(super) fn plan_line<'a>(
    tx: &mut dyn Tx,
    invoice: &Invoice,
    account: i64,
    plan: &'a Plan,
    line: &'a InvoiceLine,
    now: Timestamp,
) -> Result<Result<PlanLine<'a>, Doubt>> {
    let quantity = line.quantity.unwrap_or(1).max(0);
    let around = match line.period() {
        Some((from, to)) => allotments::periods_around(tx, account, from, to)?,
        None => vec![],
    };
    if !line.proration {
        if line.amount < 0 {
            let why = format!("the line {} gives money back and is no proration", line.id);
            return Ok(Err(Doubt::Share(why)));
        }
        let is_trial = line.amount == 0 && !is_for_nothing(tx, invoice, line)?;
        let units = if is_trial { 0 } else { units_of(plan, quantity) };
        return Ok(Ok(whole_line(invoice, account, plan, line, quantity, units, now)));
    }
    let gives_back = match direction(tx, account, invoice, line)? {
        Direction::GivesBack => true,
        Direction::Gives => false,
        Direction::Unknown(subscription) => return Ok(Err(Doubt::Before(subscription))),
    };
    let credited = if gives_back { credited_period(tx, line, &around)? } else { None };
    let basis = match credited {
        Some(period) => given_back(line, &period),
        None => Basis {
            units: if is_in_trial(line, &around) { 0 } else { units_of(plan, quantity) },
            period: billing_period(plan, line, &around),
        },
    };
    let part = match part_by_time(line, basis.period) {
        Some(part) => part,
        None => match part_by_money(tx, invoice, line, quantity)? {
            Some(part) => part,
            None => {
                let why = format!("the share of the period that the line {} covers cannot be told", line.id);
                return Ok(Err(Doubt::Share(why)));
            }
        },
    };
    let units = if gives_back { basis.units.saturating_neg() } else { basis.units };
    let period = basis.period.filter(|_| !gives_back);
    Ok(Ok(PlanLine {
        plan: Some(plan),
        offer: plan.key.clone(),
        line,
        share: Share { units, part, due: due_times(plan.interval, line, now) },
        period: period.and_then(|period| recorded(invoice, account, line, quantity, basis.units, period)),
    }))
}

/// A line that gives back time at a price which the catalogue has no more: what that time was given when it was paid for is
/// in the books. `None` where it is not.
pub(super) fn line_of_former_price<'a>(
    tx: &mut dyn Tx,
    account: i64,
    line: &'a InvoiceLine,
    now: Timestamp,
) -> Result<Option<PlanLine<'a>>> {
    let Some((from, to)) = line.period().filter(|_| line.is_credit()) else { return Ok(None) };
    let around = allotments::periods_around(tx, account, from, to)?;
    let Some(period) = credited_period(tx, line, &around)?.filter(|period| period.account == account) else {
        return Ok(None);
    };
    let basis = given_back(line, &period);
    let Some(part) = part_by_time(line, basis.period) else { return Ok(None) };
    let is_year = months_after(period.starts_at, 2).is_some_and(|end| end < period.ends_at);
    let interval = if is_year { Interval::Year } else { Interval::Month };
    let offer = payments::find(tx, &period.invoice)?.map_or_else(|| "-".to_owned(), |payment| payment.offer);
    let share = Share { units: basis.units.saturating_neg(), part, due: due_times(interval, line, now) };
    Ok(Some(PlanLine { plan: None, offer, line, share, period: None }))
}

/// What a line that gives back takes its share of.
fn given_back(line: &InvoiceLine, period: &PlanPeriod) -> Basis {
    Basis {
        units: scaled(period.units, line.quantity.unwrap_or(1).max(0), period.quantity),
        period: Some((period.starts_at, period.ends_at)),
    }
}

/// Whether the price itself costs nothing. The catalogue's plan has an amount, so the price is another one, or was made so at
/// Stripe.
fn is_for_nothing(tx: &mut dyn Tx, invoice: &Invoice, line: &InvoiceLine) -> Result<bool> {
    Ok(amount_of_price(tx, invoice, line)? == Some(0))
}

/// Whether a change for nothing lies in a period that was given nothing: a trial.
fn is_in_trial(line: &InvoiceLine, around: &[PlanPeriod]) -> bool {
    let is_trial = |period: &&PlanPeriod| is_of_subscription(line, period) && Some(period.ends_at) == line.period_end;
    line.amount == 0 && around.iter().find(is_trial).is_some_and(|period| period.units == 0)
}

/// What a whole billing period of a plan gives.
fn units_of(plan: &Plan, quantity: i64) -> i64 {
    plan.units.saturating_mul(months_of(plan.interval)).saturating_mul(quantity)
}

fn months_of(interval: Interval) -> i64 {
    match interval {
        Interval::Month => 1,
        Interval::Year => 12,
    }
}

fn scaled(units: i64, quantity: i64, of: i64) -> i64 {
    Fraction::of(quantity, of).and_then(|part| part.share_of(units)).unwrap_or(units)
}

fn whole_line<'a>(
    invoice: &Invoice,
    account: i64,
    plan: &'a Plan,
    line: &'a InvoiceLine,
    quantity: i64,
    units: i64,
    now: Timestamp,
) -> PlanLine<'a> {
    PlanLine {
        plan: Some(plan),
        offer: plan.key.clone(),
        line,
        share: Share { units, part: Fraction::WHOLE, due: due_times(plan.interval, line, now) },
        period: line.period().and_then(|period| recorded(invoice, account, line, quantity, units, period)),
    }
}

fn recorded(
    invoice: &Invoice,
    account: i64,
    line: &InvoiceLine,
    quantity: i64,
    units: i64,
    (starts_at, ends_at): (Timestamp, Timestamp),
) -> Option<PlanPeriod> {
    (quantity > 0).then(|| PlanPeriod {
        invoice: invoice.id.clone(),
        line: line.id.clone(),
        account,
        subscription: line.subscription.clone().or(invoice.subscription.clone()),
        price: line.price.clone().unwrap_or_default(),
        quantity,
        units,
        starts_at,
        ends_at,
        covers_from: line.period_start.unwrap_or(starts_at),
    })
}

/// What a proration gives back: the line that Stripe names, else the last one that covered this time at this price.
fn credited_period(tx: &mut dyn Tx, line: &InvoiceLine, around: &[PlanPeriod]) -> Result<Option<PlanPeriod>> {
    if let Some(credited) = &line.credited
        && let Some(invoice) = &credited.invoice
    {
        for id in &credited.lines {
            if let Some(period) = allotments::period_of_line(tx, invoice, id)? {
                return Ok(Some(period));
            }
        }
    }
    let is_same = |period: &&PlanPeriod| is_of_subscription(line, period) && Some(&period.price) == line.price.as_ref();
    Ok(around.iter().find(is_same).cloned())
}

/// The billing period that a proration lies in: as an earlier line of the subscription says, or the subscription itself;
/// else the plan's interval up to the proration's end, for a proration runs from the change to the period's end.
fn billing_period(plan: &Plan, line: &InvoiceLine, around: &[PlanPeriod]) -> Option<(Timestamp, Timestamp)> {
    let (start, end) = line.period()?;
    let whole = months_after(end, -months_of(plan.interval));
    let is_own = |period: &&PlanPeriod| period.ends_at == end && is_of_subscription(line, period);
    let known = around.iter().find(is_own).map(|period| (period.starts_at, period.ends_at)).or(line.billing_period);
    let is_whole = |(starts_at, ends_at): &(Timestamp, Timestamp)| {
        *ends_at != end || whole.is_none_or(|begins| *starts_at <= begins.plus_seconds(SHORTEST_MONTH))
    };
    known.filter(is_whole).or_else(|| whole.filter(|begins| *begins <= start).map(|begins| (begins, end)))
}

fn part_by_time(line: &InvoiceLine, billing: Option<(Timestamp, Timestamp)>) -> Option<Fraction> {
    let (from, to) = line.period()?;
    let (starts_at, ends_at) = billing?;
    if from < starts_at || to > ends_at {
        return None;
    }
    Fraction::of(to.seconds() - from.seconds(), ends_at.seconds() - starts_at.seconds())
}

/// The amount by what the price costs for the quantity, in the invoice's currency: never another currency, never the
/// catalogue's amount.
fn part_by_money(tx: &mut dyn Tx, invoice: &Invoice, line: &InvoiceLine, quantity: i64) -> Result<Option<Fraction>> {
    let whole = amount_of_price(tx, invoice, line)?.and_then(|amount| amount.checked_mul(quantity));
    Ok(whole.and_then(|whole| Fraction::of(line.amount.saturating_abs(), whole)).filter(|_| line.amount != 0))
}

/// What one of the line's price costs in the invoice's currency, as Stripe said.
fn amount_of_price(tx: &mut dyn Tx, invoice: &Invoice, line: &InvoiceLine) -> Result<Option<i64>> {
    let Some((price, currency)) = line.price.as_deref().zip(line.currency.as_deref().or(invoice.currency.as_deref()))
    else {
        return Ok(None);
    };
    Ok(line.unit_amount.or(prices::amount(tx, price, currency)?))
}

/// When the units of a line are due: at once, or for a yearly plan month by month from the day on which its time begins.
fn due_times(interval: Interval, line: &InvoiceLine, now: Timestamp) -> Vec<Timestamp> {
    let Some((start, end)) = line.period().filter(|_| interval == Interval::Year) else { return vec![now] };
    let months = (0..MONTHS_LIMIT).map_while(|month| months_after(start, month));
    let due: Vec<Timestamp> = months.take_while(|due| *due < end).collect();
    if due.is_empty() { vec![now] } else { due }
}

/// When the lot of the part expires that these lines give at `due`: with the last of them that give something then, so that
/// nothing ends before the time for which it was paid.
pub(super) fn expiry(lines: &[PlanLine<'_>], due: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let gives = |line: &&PlanLine<'_>| line.share.units > 0 && line.share.due.iter().any(|at| (*at).max(now) == due);
    let ends = lines.iter().filter(gives).filter_map(|line| Some(expiry_of_line(line.plan?, line.line, due)));
    ends.reduce(|one, other| one.zip(other).map(|(one, other)| one.max(other))).flatten()
}

/// The same of one line, by the catalogue's policy.
fn expiry_of_line(plan: &Plan, line: &InvoiceLine, due: Timestamp) -> Option<Timestamp> {
    match plan.expiry {
        Expiry::Never | Expiry::Days(_) => plan.expiry.end(due),
        Expiry::PeriodEnd if plan.interval == Interval::Year => line
            .period_start
            .and_then(|start| (1..=MONTHS_LIMIT).filter_map(|month| months_after(start, month)).find(|end| *end > due)),
        Expiry::PeriodEnd => line.period_end,
    }
}
