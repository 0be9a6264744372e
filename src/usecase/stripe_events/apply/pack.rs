//! Packs are credited: each once, under the reference of their payment. A payment that bought several packs gives each a
//! lot and an entry of its own; the reasons after the first end in `_2`, `_3` and so on.

use crate::catalog::Expiry;
use crate::error::{Fault, Result};
use crate::ledger::{self, BALANCE_LIMIT, Credit, Kind, Units, split_cost};
use crate::store::payments::{self, Payment};
use crate::store::{Tx, users};
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::letters;
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome, low_balances};
use crate::usecase::stripe_events::apply::reassess::{Cause, reassess};
use crate::usecase::units::posting::{self, PostingContext};

/// One pack of a purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PackCredit {
    /// The pack's key.
    pub(super) offer: String,
    pub(super) units: i64,
    pub(super) expires_in_days: Option<i64>,
}

/// All units of these packs; `None` where one of them, or all, cannot be credited at once.
pub(super) fn units_of(packs: &[PackCredit]) -> Option<i64> {
    packs.iter().try_fold(0_i64, |sum, pack| sum.checked_add(Units::new(pack.units)?.count()))
}

/// Credits the packs of a payment, once under its reference.
pub(super) fn credit_packs(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    payment: &Payment,
    packs: &[PackCredit],
) -> Result<EventOutcome> {
    let known_ids: Vec<String> =
        [&payment.session, &payment.payment_intent, &payment.invoice].into_iter().flatten().cloned().collect();
    let mut posting_context = context.posting();
    let account = posting::open(tx, &mut posting_context, payment.account, None)?.account;
    if account.credited.saturating_add(payment.units_granted) > BALANCE_LIMIT {
        let why = "the balance would pass the most that an account may hold";
        let mut outcome = EventOutcome::unmatched(&payment.reference, why);
        outcome.log_events.extend(low_balances(posting_context));
        return Ok(outcome);
    }
    if !payments::add(tx, payment)? {
        let log_events = low_balances(posting_context).collect();
        return Ok(EventOutcome { known_ids, log_events, ..EventOutcome::applied("credited before") });
    }
    let mut log_events = post_packs(tx, &mut posting_context, payment, packs, &costs_of(payment.cost, packs))?;
    let offers: Vec<&str> = packs.iter().map(|pack| pack.offer.as_str()).collect();
    // A bill that was written off bought nothing.
    if !packs.is_empty() {
        letters::receipt(tx, context, payment, &offers)?;
    }
    log_events.extend(low_balances(posting_context));
    log_events.extend(reassess(tx, context, &payment.reference, &Cause::refund(&payment.reference))?);
    let user_id = users::by_account(tx, payment.account)?.id;
    let detail = format!("{} units for {user_id}", payment.units_granted);
    Ok(EventOutcome { known_ids, log_events, ..EventOutcome::applied(detail) })
}

/// What was paid for each of these packs, of what was paid for all of them.
fn costs_of(cost: i64, packs: &[PackCredit]) -> Vec<i64> {
    let units: Vec<i64> = packs.iter().map(|pack| pack.units).collect();
    split_cost(cost, &units)
}

/// Posts an entry for each pack of a payment that was just recorded, with its part of what was paid.
pub(super) fn post_packs(
    tx: &mut dyn Tx,
    context: &mut PostingContext,
    payment: &Payment,
    packs: &[PackCredit],
    costs: &[i64],
) -> Result<Vec<LogEvent>> {
    let user_id = users::by_account(tx, payment.account)?.id;
    let mut log_events = vec![];
    for ((number, pack), cost) in (1..).zip(packs).zip(costs) {
        let account = posting::open(tx, context, payment.account, None)?;
        let units = Units::new(pack.units).ok_or_else(|| Fault::bare("a pack's units were not checked"))?;
        let first = format!("topup_{}", payment.reference);
        let reason = if number == 1 { first } else { format!("{first}_{number}") };
        let expires_at = Expiry::of_days(pack.expires_in_days).end(context.now);
        let (reason_kept, cost) = (reason.clone(), payment.part(*cost));
        let credit = Credit { kind: Kind::Topup, units, reason: reason_kept, note: None, expires_at, cost };
        let posting = ledger::credit(&account.account, credit, context.now).map_err(posting::impossible)?;
        let entry = posting::post(tx, context, &account, &posting, Some(&payment.reference))?;
        let entry = entry.ok_or_else(|| Fault::bare(format!("{reason} is in the ledger without its payment")))?;
        log_events.push(LogEvent::ToppedUp {
            user_id: user_id.clone(),
            plan: pack.offer.clone(),
            units: units.count(),
            payment_intent: payment.payment_intent.clone(),
            reason,
            balance: entry.balance_after,
        });
    }
    Ok(log_events)
}
