//! Money goes back: refunds, credit notes and disputes, whatever tells of them and in whatever order (contract, section 5, rules 7
//! and 8). Each event adds facts that only go forward; what reversals take is then computed from all facts together.

use crate::error::{Fault, Result};
use crate::ledger::{self, Kind, Reversal, units_to_take};
use crate::store::payments::{self, DisputeStage, DisputeState, Payment, RefundState};
use crate::store::{Tx, entries, users};
use crate::stripe::{Charge, CreditNote, Dispute, Refund};
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::{Context, EventOutcome, STRIPE};
use crate::usecase::units::posting;

/// Why a payment is looked at again.
pub(super) struct Cause {
    kind: Kind,
    reason: String,
}

impl Cause {
    /// A refund, by Stripe's id of what tells of it.
    pub(super) fn refund(id: &str) -> Cause {
        Cause { kind: Kind::Refund, reason: format!("refund_{id}") }
    }

    fn dispute(id: &str) -> Cause {
        Cause { kind: Kind::Dispute, reason: format!("dispute_{id}") }
    }
}

/// One refund, at whatever stage.
pub(super) fn refund(tx: &mut dyn Tx, context: &Context<'_>, refund: &Refund) -> Result<EventOutcome> {
    let ids = [refund.payment_intent.as_deref(), refund.charge.as_deref()];
    let payment = match find(tx, context, ids)? {
        Ok(payment) => payment,
        Err(settled) => return Ok(settled),
    };
    put(tx, &payment, refund)?;
    apply(tx, context, &payment, &Cause::refund(&refund.id), &format!("the refund {} is {}", refund.id, refund.status))
}

/// A charge says how much of it is refunded in all, and perhaps by which refunds.
pub(super) fn charge_refunded(tx: &mut dyn Tx, context: &Context<'_>, charge: &Charge) -> Result<EventOutcome> {
    let payment = match find(tx, context, [charge.payment_intent.as_deref(), Some(&charge.id)])? {
        Ok(payment) => payment,
        Err(settled) => return Ok(settled),
    };
    let included = charge.refunds.as_ref().map(|list| list.rows.as_slice());
    for refund in context.facts.refunds.as_deref().or(included).unwrap_or_default() {
        put(tx, &payment, refund)?;
    }
    let stated = charge.amount_refunded.unwrap_or(0);
    payments::raise_refunded_total(tx, &payment.reference, stated)?;
    apply(tx, context, &payment, &Cause::refund(&charge.id), &format!("{stated} of {} refunded in all", charge.id))
}

/// A credit note on an invoice ("Credit notes"). Of what it gave back after the payment, the part that went to the
/// customer's balance or outside Stripe counts as a refund does. The part that a refund of Stripe's gave back is told by
/// that refund, and would count twice here. What it took off an open invoice gave nothing back: the invoice says so
/// itself once it is paid, and buys so much less (see `invoice`).
pub(super) fn credit_note(tx: &mut dyn Tx, context: &Context<'_>, note: &CreditNote) -> Result<EventOutcome> {
    let note = context.facts.credit_note.as_ref().unwrap_or(note);
    let returned = match note.returned {
        Some(0) => return Ok(EventOutcome::ignored("it gave back nothing but what refunds and the invoice tell of")),
        Some(returned) => returned,
        None => return Ok(EventOutcome::waiting(STRIPE, "Stripe could not be asked how it is divided")),
    };
    let Some(invoice) = &note.invoice else { return Ok(EventOutcome::unmatched(&note.id, "it names no invoice")) };
    let Some(payment) = payments::find(tx, invoice)? else {
        return Ok(EventOutcome::waiting(invoice, format!("the invoice {invoice} is not in the books")));
    };
    payments::put_credit_note(tx, &note.id, &payment.reference, returned, note.is_void())?;
    let what = format!("the credit note {} over {returned} is {}", note.id, note.status);
    apply(tx, context, &payment, &Cause::refund(&note.id), &what)
}

/// A dispute, at whatever stage. The funds decide: what is listed as withdrawn and reinstated, else the state.
pub(super) fn dispute(tx: &mut dyn Tx, context: &Context<'_>, kind: &str, dispute: &Dispute) -> Result<EventOutcome> {
    let ids = [dispute.payment_intent.as_deref(), dispute.charge.as_deref()];
    let payment = match find(tx, context, ids)? {
        Ok(payment) => payment,
        Err(settled) => return Ok(settled),
    };
    let state = state_of(kind, dispute, &payment);
    let is_new = payments::put_dispute(tx, &payment.reference, &state, context.now)?;
    let what = format!("the dispute {} is {}", dispute.id, dispute.status);
    let mut settled = apply(tx, context, &payment, &Cause::dispute(&dispute.id), &what)?;
    if is_new && !dispute.is_inquiry() {
        let (user_id, dispute_id) = (users::by_account(tx, payment.account)?.id, dispute.id.clone());
        let (status, closed) = (dispute.status.clone(), state.stage == DisputeStage::Closed);
        settled.told.push(LogEvent::Disputed { user_id, dispute: dispute_id, status, closed });
    }
    Ok(settled)
}

fn state_of<'a>(kind: &str, dispute: &'a Dispute, payment: &Payment) -> DisputeState<'a> {
    let withdrawn: i64 = dispute.funds.iter().map(|funds| funds.amount.min(0).saturating_neg()).sum();
    let reinstated: i64 = dispute.funds.iter().map(|funds| funds.amount.max(0)).sum();
    let amount = dispute.amount.unwrap_or(payment.amount).max(1);
    let disputed = if withdrawn > 0 { withdrawn } else { amount };
    let listed = i64::try_from(dispute.funds.len()).unwrap_or(2).min(2);
    let is_reinstated = kind == "charge.dispute.funds_reinstated" || dispute.is_won();
    let is_harmless = dispute.is_inquiry() || dispute.status == "prevented";
    // A word says what the list does not show yet: reinstated is the second movement, withdrawn the first.
    let (moves, withheld) = match listed {
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
    DisputeState { id: &dispute.id, disputed, withheld, stage, moves }
}

/// The payment that a reversal is of, or what becomes of the event without it: since 2025-03-31 an invoice's payment is
/// found by asking which invoice it paid.
fn find(
    tx: &mut dyn Tx,
    context: &Context<'_>,
    [payment_intent, charge]: [Option<&str>; 2],
) -> Result<std::result::Result<Payment, EventOutcome>> {
    if let (Some(intent), Some(invoice)) = (payment_intent, &context.facts.invoice_of_payment) {
        payments::link_invoice(tx, intent, invoice)?;
    }
    let invoice = payment_intent.map(|intent| payments::invoice_of(tx, intent)).transpose()?.flatten();
    for id in [payment_intent, charge, invoice.as_deref()].into_iter().flatten() {
        if let Some(payment) = payments::find(tx, id)? {
            payments::add_stripe_ids(tx, &payment.reference, payment_intent, charge)?;
            return Ok(Ok(payment));
        }
    }
    let awaited = invoice.as_deref().or(payment_intent).or(charge);
    Ok(Err(match awaited {
        Some(id) if context.facts.unanswered => {
            EventOutcome::waiting(id, format!("the payment {id} is not in the books, and Stripe could not be asked"))
        }
        Some(id) => EventOutcome::waiting(id, format!("the payment {id} is not in the books")),
        None => EventOutcome::unmatched("-", "it names no payment"),
    }))
}

fn put(tx: &mut dyn Tx, payment: &Payment, refund: &Refund) -> Result<()> {
    let state = match refund {
        refund if refund.is_undone() => RefundState::Failed,
        refund if refund.is_succeeded() => RefundState::Succeeded,
        _ => RefundState::Pending,
    };
    payments::put_refund(tx, &refund.id, &payment.reference, refund.amount.unwrap_or(0).max(0), state)
}

fn apply(tx: &mut dyn Tx, context: &Context<'_>, payment: &Payment, cause: &Cause, what: &str) -> Result<EventOutcome> {
    let told = reassess(tx, context, &payment.reference, cause)?;
    let detail = match told.first() {
        Some(LogEvent::Reversed { user_id, units, .. }) => format!("{what}: {units:+} units for {user_id}"),
        _ => format!("{what}: the books agree already"),
    };
    Ok(EventOutcome { told, ..EventOutcome::applied(detail) })
}

/// What reversals of a payment take in all, by everything that is known of them. A refund is a part of what was charged;
/// a credit note is a part of what the invoice cost, which a credit balance may have paid. Both are counted as parts of
/// one whole; where a credit balance paid all, that is the cost, for nothing was charged that could be refunded.
pub(super) fn to_take(tx: &mut dyn Tx, payment: &Payment) -> Result<i64> {
    let (refunded, withheld) = (payments::refunded(tx, payment)?, payments::withheld(tx, &payment.reference)?);
    let (noted, cost) = (payments::credited_back(tx, &payment.reference)?, payment.cost);
    let charged = payment.amount;
    let (paid, back) = match noted {
        0 => (charged, refunded),
        _ if charged == cost || cost <= 0 => (charged, refunded.saturating_add(noted)),
        _ if charged == 0 => (cost, noted),
        _ => {
            // The least common whole of both: amounts of any currency stay far from the end of the numbers.
            let common = greatest_common(charged, cost);
            let (per_charged, per_cost) = (cost / common, charged / common);
            let both = refunded.saturating_mul(per_charged).saturating_add(noted.saturating_mul(per_cost));
            (charged.saturating_mul(per_charged), both)
        }
    };
    Ok(units_to_take(payment.units_granted, paid, back, withheld))
}

/// The greatest number that divides both, from 1.
fn greatest_common(one: i64, other: i64) -> i64 {
    if other == 0 { one.max(1) } else { greatest_common(other, one % other) }
}

/// Brings what reversals take of a payment to what all known facts say.
pub(super) fn reassess(
    tx: &mut dyn Tx,
    context: &Context<'_>,
    reference: &str,
    cause: &Cause,
) -> Result<Vec<LogEvent>> {
    let payment = payments::find(tx, reference)?;
    let payment = payment.ok_or_else(|| Fault::bare(format!("the payment {reference} is gone")))?;
    let take = to_take(tx, &payment)?;
    if take == payment.units_reversed {
        return Ok(vec![]);
    }
    let account = posting::open(tx, context.rules(), payment.account, Some(reference))?;
    let of = ledger::Payment {
        lots: payments::lots_of(tx, reference)?,
        gave: payment.units_granted,
        taken: payment.units_reversed,
    };
    let reversals = payment.reversals + 1;
    let is_used = entries::by_reason(tx, payment.account, &cause.reason)?.is_some();
    let reason = if is_used { format!("{}_{reversals}", cause.reason) } else { cause.reason.clone() };
    let reversal = Reversal { kind: cause.kind, take, reason: reason.clone(), note: None };
    let posting = ledger::reverse(&account.account, &of, reversal, context.now).map_err(posting::impossible)?;
    let Some(posting) = posting else { return Ok(vec![]) };
    let entry = posting::post(tx, context.rules(), &account, &posting, None)?;
    let entry = entry.ok_or_else(|| Fault::bare(format!("{reason} is in the ledger already")))?;
    payments::set_totals(tx, reference, payment.units_granted, take, reversals)?;
    Ok(vec![LogEvent::Reversed {
        user_id: users::by_account(tx, payment.account)?.id,
        kind: cause.kind,
        payment: reference.to_owned(),
        units: entry.delta,
        reason,
        balance: entry.balance_after,
    }])
}
