//! Money is returned by refunds, credit notes and disputes, whose events come in any order (`docs/rules.md`, rules 4
//! and 7). Each event adds facts that only move forward. What reversals take is then computed from all facts together.

use crate::error::{Fault, Result};
use crate::ledger::{self, EntryNote, Kind, Refunds, Reversal, units_to_take};
use crate::store::payments::{self, Payment, StripeIds};
use crate::store::{Tx, allotments, confirmations, entries, inbox, users};
use crate::stripe::PaymentOrigin;
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::known_payment;
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome, NO_ID, low_balances};
use crate::usecase::units::posting;

/// Why a payment is reassessed: the kind and the reason of the entry, if one is needed.
pub(super) struct Cause {
    kind: Kind,
    reason: String,
    note: Option<EntryNote>,
}

impl Cause {
    /// A refund, or what counts as one, by Stripe's id.
    pub(super) fn refund(id: &str) -> Cause {
        Cause { kind: Kind::Refund, reason: format!("refund_{id}"), note: None }
    }

    pub(super) fn dispute(id: &str) -> Cause {
        Cause { kind: Kind::Dispute, reason: format!("dispute_{id}"), note: None }
    }

    /// The operator, who says why.
    fn operator(payment: &str, why: EntryNote) -> Cause {
        Cause { note: Some(why), ..Cause::refund(payment) }
    }
}

/// The result of looking up a reversed payment.
pub(super) enum Lookup {
    Found(Payment),
    /// The event cannot be applied without the payment.
    Undecided(EventOutcome),
}

/// The payment that a reversal belongs to. Since 2025-03-31 an invoice's payment is found through the invoice that it
/// paid, and a pack's may be known by its session only: `prefetch` asks for both.
pub(super) fn find_payment(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    [payment_intent, charge]: [Option<&str>; 2],
    origin: &PaymentOrigin,
) -> Result<Lookup> {
    let linked = payment_intent.map(|intent| payments::invoice_of(tx, intent)).transpose()?.flatten();
    let invoice = linked.as_deref().or(origin.invoice.as_deref());
    let payment_intent = payment_intent.or(origin.payment_intent.as_deref());
    let ids = StripeIds { session: origin.session.as_deref(), payment_intent, charge, invoice };
    if let Some(payment) = known_payment::learn(tx, ids)? {
        return Ok(Lookup::Found(payment));
    }
    let awaited = invoice.or(payment_intent).or(charge);
    for id in [origin.session.as_deref(), invoice].into_iter().flatten() {
        if let Some(detail) = inbox::dismissal(tx, id)? {
            return Ok(Lookup::Undecided(EventOutcome::foreign(awaited.unwrap_or(id), "").dismissed(detail)));
        }
    }
    Ok(Lookup::Undecided(match awaited {
        Some(id) if origin.is_foreign => EventOutcome::foreign(id, "its payment was for something not sold here"),
        Some(id) if !context.stripe_answered => {
            EventOutcome::waiting(id, format!("the payment {id} is not in the books, and Stripe could not be asked"))
        }
        Some(id) => EventOutcome::waiting(id, format!("the payment {id} is not in the books")),
        None => EventOutcome::unmatched(NO_ID, "it names no payment"),
    }))
}

/// Reassesses a payment and describes the outcome. `what` is what Stripe said.
pub(super) fn reassess_for(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    payment: &Payment,
    cause: &Cause,
    what: &str,
) -> Result<EventOutcome> {
    let log_events = reassess(tx, context, &payment.reference, cause)?;
    let detail = match log_events.first() {
        Some(LogEvent::Reversed { user_id, units, .. }) => format!("{what}: {units:+} units for {user_id}"),
        _ => format!("{what}: the books agree already"),
    };
    Ok(EventOutcome { log_events, known_ids: payment.ids(), ..EventOutcome::applied(detail) })
}

/// Changes what the reversals of a payment take to what all known facts say.
pub(super) fn reassess(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    reference: &str,
    cause: &Cause,
) -> Result<Vec<LogEvent>> {
    let payment = payments::find(tx, reference)?;
    let payment = payment.ok_or_else(|| Fault::bare(format!("the payment {reference} is gone")))?;
    let take = units_reversed(tx, &payment)?;
    if take == payment.units_reversed {
        return Ok(vec![]);
    }
    let mut posting_context = context.posting();
    let account = posting::open(tx, &mut posting_context, payment.account, Some(reference))?;
    let of = ledger::Payment {
        lots: payments::lots_of(tx, reference)?,
        units_granted: payment.units_granted,
        units_reversed: payment.units_reversed,
    };
    let reversals = payment.reversals + 1;
    let is_used = entries::by_reason(tx, payment.account, &cause.reason)?.is_some();
    let reason = if is_used { format!("{}_{reversals}", cause.reason) } else { cause.reason.clone() };
    let reversal = Reversal { kind: cause.kind, take, reason: reason.clone(), note: cause.note.clone() };
    let posting = ledger::reverse(&account.account, &of, reversal, context.now).map_err(posting::impossible)?;
    let Some(posting) = posting else { return Ok(low_balances(posting_context).collect()) };
    let entry = posting::post(tx, &mut posting_context, &account, &posting, None)?;
    let entry = entry.ok_or_else(|| Fault::bare(format!("{reason} is in the ledger already")))?;
    payments::set_totals(tx, reference, payment.units_granted, take, reversals)?;
    if take < payment.units_reversed {
        allotments::resume(tx, reference)?;
    }
    let reversed = LogEvent::Reversed {
        user_id: users::by_account(tx, payment.account)?.id,
        kind: cause.kind,
        payment: reference.to_owned(),
        units: entry.delta,
        reason,
        balance: entry.balance_after,
    };
    Ok(std::iter::once(reversed).chain(low_balances(posting_context)).collect())
}

/// Takes back all that a payment gave, because the operator said so. The payment must be marked as reversed before.
pub(crate) fn reverse(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    reference: &str,
    why: EntryNote,
) -> Result<Vec<LogEvent>> {
    reassess(tx, context, reference, &Cause::operator(reference, why))
}

/// Units that all reversals of a payment take together, by all known facts.
pub(super) fn units_reversed(tx: &mut dyn Tx, payment: &Payment) -> Result<i64> {
    if confirmations::is_reversed(tx, &payment.reference)? {
        return Ok(payment.units_granted);
    }
    let refunds = Refunds {
        charged: payment.amount,
        cost: payment.cost,
        refunded: payments::refunded(tx, payment)?,
        credited_back: payments::credited_back(tx, &payment.reference)?,
    };
    Ok(units_to_take(payment.units_granted, refunds, payments::withheld(tx, &payment.reference)?))
}
