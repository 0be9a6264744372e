//! What one line of a plan's invoice gives (`docs/rules.md`, rule 6). Time decides, not money: a line's amount may be net of
//! discounts, of another currency, or at an older price. Only where a proration's period does not tell its share of the
//! billing period, the amount does, by what that very price costs in the invoice's currency.

use crate::catalog::{Expiry, Interval, Plan};
use crate::clock::{Timestamp, months_after};
use crate::error::Result;
use crate::ledger::{Fraction, Share};
use crate::store::allotments::{self, PlanPeriod};
use crate::store::{Tx, prices};
use crate::stripe::{Invoice, InvoiceLine};

/// The most months of a line that are planned: ten years.
const MONTHS_LIMIT: i64 = 120;

/// A line with what it gives.
pub(super) struct PlanLine<'a> {
    pub(super) plan: &'a Plan,
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

/// Says what a line gives. `Err` says why that cannot be told.
pub(super) fn plan_line<'a>(
    tx: &mut dyn Tx,
    invoice: &Invoice,
    account: i64,
    plan: &'a Plan,
    line: &'a InvoiceLine,
    now: Timestamp,
) -> Result<Result<PlanLine<'a>, String>> {
    let quantity = line.quantity.unwrap_or(1).max(0);
    let around = match line.period() {
        Some((from, to)) => allotments::periods_around(tx, account, from, to)?,
        None => vec![],
    };
    let credited = credited_period(tx, line, &around)?;
    let gives_back = line.amount < 0 || line.credited.is_some() || (line.amount == 0 && credited.is_some());
    if !line.proration {
        return Ok(match line.amount {
            amount if amount < 0 => Err(format!("the line {} gives money back and is no proration", line.id)),
            // A trial: the price costs something, and nothing was billed.
            0 => Ok(whole_line(invoice, account, plan, line, quantity, 0, now)),
            _ => Ok(whole_line(invoice, account, plan, line, quantity, units_of(plan, quantity), now)),
        });
    }
    let basis = match credited.filter(|_| gives_back) {
        Some(period) => Basis {
            units: scaled(period.units, quantity, period.quantity),
            period: Some((period.starts_at, period.ends_at)),
        },
        None => Basis { units: units_of(plan, quantity), period: billing_period(plan, line, &around) },
    };
    let part = match part_by_time(line, basis.period) {
        Some(part) => part,
        None => match part_by_money(tx, invoice, line, quantity)? {
            Some(part) => part,
            None => return Ok(Err(format!("the share of the period that the line {} covers cannot be told", line.id))),
        },
    };
    let units = if gives_back { basis.units.saturating_neg() } else { basis.units };
    let period = basis.period.filter(|_| !gives_back);
    Ok(Ok(PlanLine {
        plan,
        line,
        share: Share { units, part, due: due_times(plan, line, now) },
        period: period.and_then(|period| recorded(invoice, account, line, quantity, basis.units, period)),
    }))
}

/// What a whole billing period of a plan gives.
fn units_of(plan: &Plan, quantity: i64) -> i64 {
    plan.units.saturating_mul(months_of(plan)).saturating_mul(quantity)
}

fn months_of(plan: &Plan) -> i64 {
    match plan.interval {
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
        plan,
        line,
        share: Share { units, part: Fraction::WHOLE, due: due_times(plan, line, now) },
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
    if !line.proration || line.amount > 0 {
        return Ok(None);
    }
    if let Some(credited) = &line.credited
        && let Some(invoice) = &credited.invoice
    {
        for id in &credited.lines {
            if let Some(period) = allotments::period_of_line(tx, invoice, id)? {
                return Ok(Some(period));
            }
        }
    }
    let is_of_subscription =
        |period: &&PlanPeriod| line.subscription.is_none() || line.subscription == period.subscription;
    let is_same_price = |period: &&PlanPeriod| Some(&period.price) == line.price.as_ref();
    let mut own = around.iter().filter(is_of_subscription);
    Ok(match line.amount {
        // Without money only what ran last can be given back: the other line of the change begins something.
        0 => own.next().filter(is_same_price).filter(|period| period.quantity == line.quantity.unwrap_or(1)),
        _ => own.find(is_same_price),
    }
    .cloned())
}

/// The billing period that a proration lies in: as an earlier line of the subscription says, or the subscription itself;
/// else the plan's interval up to the proration's end, for a proration runs from the change to the period's end.
fn billing_period(plan: &Plan, line: &InvoiceLine, around: &[PlanPeriod]) -> Option<(Timestamp, Timestamp)> {
    let (start, end) = line.period()?;
    let is_own = |period: &&PlanPeriod| {
        period.ends_at == end && (line.subscription.is_none() || line.subscription == period.subscription)
    };
    if let Some(period) = around.iter().find(is_own) {
        return Some((period.starts_at, period.ends_at));
    }
    if line.billing_period.is_some() {
        return line.billing_period;
    }
    months_after(end, -months_of(plan)).filter(|begins| *begins <= start).map(|begins| (begins, end))
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
    let Some((price, currency)) = line.price.as_deref().zip(line.currency.as_deref().or(invoice.currency.as_deref()))
    else {
        return Ok(None);
    };
    let kept = prices::amount(tx, price, currency)?;
    let whole = line.unit_amount.or(kept).and_then(|amount| amount.checked_mul(quantity));
    Ok(whole.and_then(|whole| Fraction::of(line.amount.saturating_abs(), whole)).filter(|_| line.amount != 0))
}

/// When the units of a line are due: at once, or for a yearly plan month by month from the day on which its time begins.
fn due_times(plan: &Plan, line: &InvoiceLine, now: Timestamp) -> Vec<Timestamp> {
    let Some((start, end)) = line.period().filter(|_| plan.interval == Interval::Year) else { return vec![now] };
    let months = (0..MONTHS_LIMIT).map_while(|month| months_after(start, month));
    let due: Vec<Timestamp> = months.take_while(|due| *due < end).collect();
    if due.is_empty() { vec![now] } else { due }
}

/// When the lot of a part that is credited at `due` expires, by the catalogue's policy.
pub(super) fn expiry(plan: &Plan, line: &InvoiceLine, due: Timestamp) -> Option<Timestamp> {
    match plan.expiry {
        Expiry::Never | Expiry::Days(_) => plan.expiry.end(due),
        Expiry::PeriodEnd if plan.interval == Interval::Year => line
            .period_start
            .and_then(|start| (1..=MONTHS_LIMIT).filter_map(|month| months_after(start, month)).find(|end| *end > due)),
        Expiry::PeriodEnd => line.period_end,
    }
}
