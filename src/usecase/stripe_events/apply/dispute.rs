//! A dispute, at any stage (`docs/rules.md`, rule 7). The listed withdrawals and reinstatements of funds decide;
//! without them, the status does.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::payments::{self, DisputeStage, DisputeState, Payment};
use crate::store::{Tx, users};
use crate::stripe::{Dispute, DisputeStep};
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome};
use crate::usecase::stripe_events::apply::reassess::{Cause, Lookup, find_payment, reassess_for};

pub(super) fn dispute(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    dispute: &Dispute,
    step: DisputeStep,
) -> Result<EventOutcome> {
    let ids = [dispute.payment_intent.as_deref(), dispute.charge.as_deref()];
    let payment = match find_payment(tx, context, ids, &dispute.origin)? {
        Lookup::Found(payment) => payment,
        Lookup::Undecided(outcome) => return Ok(outcome),
    };
    let state = state_of(step, dispute, &payment, context.happened_at);
    let is_news = payments::put_dispute(tx, &payment.reference, &state, context.now)?;
    let what = format!("the dispute {} is {}", dispute.id, dispute.status);
    let mut outcome = reassess_for(tx, context, &payment, &Cause::dispute(&dispute.id), &what)?;
    if is_news && !dispute.is_inquiry() {
        outcome.log_events.push(LogEvent::Disputed {
            user_id: users::by_account(tx, payment.account)?.id,
            dispute: dispute.id.clone(),
            status: dispute.status.clone(),
            closed: state.stage == DisputeStage::Closed,
        });
    }
    Ok(outcome)
}

/// Whether the funds moved in another currency than the dispute's. Their two rates say nothing about a part that came back.
fn is_converted(dispute: &Dispute) -> bool {
    let mut currencies = dispute.funds.iter().filter_map(|funds| funds.currency.as_deref());
    dispute.currency.as_deref().is_some_and(|own| currencies.any(|currency| currency != own))
}

fn state_of<'a>(
    step: DisputeStep,
    dispute: &'a Dispute,
    payment: &'a Payment,
    happened_at: Timestamp,
) -> DisputeState<'a> {
    let withdrawn: i64 = dispute.funds.iter().map(|funds| funds.amount.min(0).saturating_neg()).sum();
    let reinstated: i64 = dispute.funds.iter().map(|funds| funds.amount.max(0)).sum();
    let amount = dispute.amount.unwrap_or(payment.amount).max(1);
    let disputed = if withdrawn > 0 { withdrawn } else { amount };
    let listed = i64::try_from(dispute.funds.len()).unwrap_or(2).min(2);
    let is_reinstated = step == DisputeStep::FundsReinstated || dispute.is_won();
    let is_harmless = dispute.is_inquiry() || dispute.status == "prevented";
    // The event's type or the status may be ahead of the list. The withdrawal is the first movement, the reinstatement
    // the second.
    let (moves, withheld) = match listed {
        2 if dispute.is_won() || (reinstated > 0 && is_converted(dispute)) => (2, 0),
        2 => (2, (withdrawn - reinstated).max(0)),
        _ if is_reinstated => (2, 0),
        _ if is_harmless => (listed, withdrawn),
        1 => (1, withdrawn),
        _ => (1, disputed),
    };
    let closed = matches!(dispute.status.as_str(), "won" | "lost" | "warning_closed" | "prevented");
    let stage = match dispute.is_inquiry() {
        _ if closed => DisputeStage::Closed,
        true => DisputeStage::Inquiry,
        false => DisputeStage::Open,
    };
    let moved = |is_of: fn(i64) -> bool| dispute.funds.iter().find(|funds| is_of(funds.amount));
    let (out, back) = (moved(|amount| amount < 0), moved(|amount| amount > 0));
    let withdrawn_at = out.and_then(|funds| funds.created).or(dispute.created).unwrap_or(happened_at);
    let reinstated_at = back.and_then(|funds| funds.created).unwrap_or(happened_at);
    DisputeState {
        id: &dispute.id,
        disputed,
        withheld,
        stage,
        moves,
        currency: out
            .and_then(|funds| funds.currency.as_deref())
            .or(dispute.currency.as_deref())
            .unwrap_or(&payment.currency),
        moved_at: [(moves > 0).then_some(withdrawn_at), (moves > 1).then_some(reinstated_at)],
    }
}
