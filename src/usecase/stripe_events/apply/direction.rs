//! Which way a line of a plan's invoice goes: it gives time, or gives time back. Its amount says so, unless nothing is billed
//! (a coupon of 100 %, `docs/rules.md`, rule 6): then what Stripe names or writes of the line does, or what ran before.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::Tx;
use crate::store::allotments::{self, PlanPeriod};
use crate::stripe::{Invoice, InvoiceLine};

/// Whether a line gives time back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Gives,
    GivesBack,
    /// It is one half of a change of this subscription, and what ran before the change is not known yet.
    Unknown(String),
}

/// Decides the direction of a line of this invoice.
pub(super) fn direction(tx: &mut dyn Tx, account: i64, invoice: &Invoice, line: &InvoiceLine) -> Result<Direction> {
    if !line.proration {
        return Ok(Direction::Gives);
    }
    if line.credited.is_some() || line.amount < 0 {
        return Ok(Direction::GivesBack);
    }
    if line.amount > 0 {
        return Ok(Direction::Gives);
    }
    match line.is_of_unused_time() {
        Some(true) => return Ok(Direction::GivesBack),
        Some(false) => return Ok(Direction::Gives),
        None => {}
    }
    let is_other_half = |other: &&InvoiceLine| {
        other.proration && other.subscription == line.subscription && other.period_start == line.period_start
    };
    let change: Vec<&InvoiceLine> = invoice.lines.rows.iter().filter(is_other_half).collect();
    // Where Stripe names what is given back, or bills it, this is the other half.
    if change.iter().any(|other| other.credited.is_some() || other.amount < 0) {
        return Ok(Direction::Gives);
    }
    let mut last = None;
    for other in change.iter().filter(|other| other.amount == 0) {
        last = last.max(ran_from(tx, account, other)?);
    }
    let own = ran_from(tx, account, line)?;
    let subscription = line.subscription.as_ref().or(invoice.subscription.as_ref());
    Ok(match (own, subscription) {
        (Some(_), _) if own == last => Direction::GivesBack,
        (None, Some(of)) if last.is_none() && change.len() > 1 => Direction::Unknown(of.clone()),
        _ => Direction::Gives,
    })
}

/// Since when the line's price ran for its quantity, as far as the books know.
fn ran_from(tx: &mut dyn Tx, account: i64, line: &InvoiceLine) -> Result<Option<Timestamp>> {
    let Some((from, _)) = line.period() else { return Ok(None) };
    let around = allotments::periods_around(tx, account, from, from)?;
    let is_same = |period: &&PlanPeriod| {
        is_of_subscription(line, period)
            && period.ends_at > from
            && Some(&period.price) == line.price.as_ref()
            && period.quantity == line.quantity.unwrap_or(1)
    };
    Ok(around.iter().filter(is_same).map(|period| period.covers_from).max())
}

/// Whether a line is of the subscription of this period, as far as it says.
pub(super) fn is_of_subscription(line: &InvoiceLine, period: &PlanPeriod) -> bool {
    line.subscription.is_none() || line.subscription == period.subscription
}
