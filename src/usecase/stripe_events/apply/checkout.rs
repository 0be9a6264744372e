//! A checkout session that the buyer finished, paid, or abandoned. A paid one for a pack is credited once
//! (`docs/rules.md`, rule 5). One for a plan waits for its invoice.

use crate::catalog::{Expiry, Offer};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::ledger::{self, Credit, Kind, Refusal, Units};
use crate::store::orders::{self, Fact, OfferKind, Order};
use crate::store::payments::{self, Payment};
use crate::store::{Tx, users};
use crate::stripe::{CheckoutSession, CheckoutStep};
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::known_payment;
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome, low_balances};
use crate::usecase::stripe_events::apply::owner::{Clues, buyer_of};
use crate::usecase::stripe_events::apply::plan_checkout::subscribed;
use crate::usecase::stripe_events::apply::reassess::{Cause, reassess};
use crate::usecase::stripe_events::apply::signs::is_foreign_session;
use crate::usecase::units::posting;

/// Applies a checkout session. A paid one is credited once, under the payment intent's id or, if Stripe has none, under
/// the session's ("Fulfill orders").
pub fn checkout(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    session: &CheckoutSession,
    step: CheckoutStep,
) -> Result<EventOutcome> {
    let now = context.now;
    if !session.is_payment() && !session.is_subscription() {
        return Ok(EventOutcome::ignored(format!("a checkout in {} mode sells nothing", session.mode)));
    }
    let order = order_of(tx, session, now)?;
    if session.is_bought() {
        return match session.is_payment() {
            true => paid_once(tx, context, session, order),
            false => subscribed(tx, context, session, order.as_ref()),
        };
    }
    let Some(order) = order else {
        return Ok(EventOutcome::ignored("an unpaid checkout that did not begin here"));
    };
    let (fact, detail) = match step {
        CheckoutStep::AsyncPaymentFailed => (Fact::Failed, "the payment did not arrive"),
        CheckoutStep::AsDescribed if session.is_expired() => (Fact::Expired, "the checkout ended without a payment"),
        CheckoutStep::AsDescribed if session.is_open() => {
            return Ok(EventOutcome::ignored("the checkout is still open"));
        }
        CheckoutStep::AsDescribed => (Fact::Pending, "a slow payment is on its way"),
    };
    orders::set(tx, &order.id, fact, now)?;
    Ok(EventOutcome::applied(detail))
}

/// The order that a session belongs to: by the session's id or, if the event overtakes Stripe's answer to our own
/// request, by the order's id in its metadata.
fn order_of(tx: &mut dyn Tx, session: &CheckoutSession, now: Timestamp) -> Result<Option<Order>> {
    if let Some(order) = orders::by_session(tx, &session.id)? {
        return Ok(Some(order));
    }
    let Some(id) = session.metadata.get("order_id") else { return Ok(None) };
    let Some(order) = orders::by_id(tx, id)?.filter(|order| order.session.is_none()) else { return Ok(None) };
    orders::opened(tx, &order.id, &session.id, session.url.as_deref(), None, now)?;
    Ok(Some(Order { session: Some(session.id.clone()), ..order }))
}

/// A pack that was paid for. What is in the books was credited before, for any user and by any event; this
/// session may know further ids of it.
fn paid_once(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    session: &CheckoutSession,
    order: Option<Order>,
) -> Result<EventOutcome> {
    if let Some(known) = known_payment::learn(tx, known_payment::ids_of_session(session))? {
        if let Some(order) = &order {
            orders::set(tx, &order.id, Fact::Paid, context.now)?;
        }
        return Ok(known_payment::applied(&known, "credited before"));
    }
    let outcome = paid(tx, context, session, order)?;
    let known = known_payment::learn(tx, known_payment::ids_of_session(session))?;
    Ok(EventOutcome { known_ids: known.map(|payment| payment.ids()).unwrap_or_default(), ..outcome })
}

/// What a paid session bought, and for which account.
struct Purchase {
    account: i64,
    offer: String,
    units: i64,
    expires_in_days: Option<i64>,
}

fn paid(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    session: &CheckoutSession,
    order: Option<Order>,
) -> Result<EventOutcome> {
    let purchase = match &order {
        Some(order) => Ok(Purchase {
            account: order.account,
            offer: order.offer.clone(),
            units: order.units.saturating_mul(quantity(session, order)),
            expires_in_days: order.expires_in_days,
        }),
        None => purchase_without_order(tx, context, session)?,
    };
    let purchase = match purchase {
        Ok(purchase) => purchase,
        Err(why) if !context.stripe_answered => return Ok(EventOutcome::waiting_for_stripe(why)),
        Err(_) if is_foreign_session(tx, context.catalog, session)? => {
            return Ok(EventOutcome::foreign(&session.id, "a checkout of something that is not sold here"));
        }
        Err(why) => return Ok(EventOutcome::unmatched(&session.id, why)),
    };
    if Units::new(purchase.units).is_none() {
        let why = format!("{} units cannot be credited at once", purchase.units);
        return Ok(EventOutcome::unmatched(&session.id, why));
    }
    if let Some(order) = &order {
        orders::set(tx, &order.id, Fact::Paid, context.now)?;
    }
    credit_pack(tx, context, &payment_of(context, session, &purchase), purchase.expires_in_days)
}

fn payment_of(context: &ApplyContext<'_>, session: &CheckoutSession, purchase: &Purchase) -> Payment {
    let amount = session.amount_total.unwrap_or(0).max(0);
    Payment {
        reference: session.payment_intent.clone().unwrap_or_else(|| session.id.clone()),
        account: purchase.account,
        kind: OfferKind::Pack,
        units_granted: purchase.units,
        units_reversed: 0,
        amount,
        cost: amount,
        currency: session.currency.clone().unwrap_or_else(|| "-".to_owned()),
        offer: purchase.offer.clone(),
        out_of_band: false,
        session: Some(session.id.clone()),
        payment_intent: session.payment_intent.clone(),
        charge: None,
        invoice: session.invoice.clone(),
        refunded_total: 0,
        reversals: 0,
        paid_at: context.now,
    }
}

/// Credits a pack's payment, once under its reference.
pub(super) fn credit_pack(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    payment: &Payment,
    expires_in_days: Option<i64>,
) -> Result<EventOutcome> {
    let known_ids: Vec<String> =
        [&payment.session, &payment.payment_intent, &payment.invoice].into_iter().flatten().cloned().collect();
    let mut posting_context = context.posting();
    let account = posting::open(tx, &mut posting_context, payment.account, None)?;
    let units = Units::new(payment.units_granted).ok_or_else(|| Fault::bare("a pack's units were not checked"))?;
    let reason = format!("topup_{}", payment.reference);
    let expires_at = Expiry::of_days(expires_in_days).end(context.now);
    let credit = Credit { kind: Kind::Topup, units, reason: reason.clone(), note: None, expires_at };
    let posting = match ledger::credit(&account.account, credit, context.now) {
        Ok(posting) => posting,
        Err(Refusal::BalanceLimit) => {
            let why = "the balance would pass the most that an account may hold";
            let mut outcome = EventOutcome::unmatched(&payment.reference, why);
            outcome.log_events.extend(low_balances(posting_context));
            return Ok(outcome);
        }
        Err(other) => return Err(posting::impossible(other).into()),
    };
    if !payments::add(tx, payment)? {
        let log_events = low_balances(posting_context).collect();
        return Ok(EventOutcome { known_ids, log_events, ..EventOutcome::applied("credited before") });
    }
    let entry = posting::post(tx, &mut posting_context, &account, &posting, Some(&payment.reference))?;
    let entry = entry.ok_or_else(|| Fault::bare(format!("{reason} is in the ledger without its payment")))?;
    let user_id = users::by_account(tx, payment.account)?.id;
    let detail = format!("{} units for {user_id}", units.count());
    let mut log_events = vec![LogEvent::ToppedUp {
        user_id,
        plan: payment.offer.clone(),
        units: units.count(),
        payment_intent: payment.payment_intent.clone(),
        reason,
        balance: entry.balance_after,
    }];
    log_events.extend(low_balances(posting_context));
    log_events.extend(reassess(tx, context, &payment.reference, &Cause::refund(&payment.reference))?);
    Ok(EventOutcome { known_ids, log_events, ..EventOutcome::applied(detail) })
}

/// How many packs were bought: the buyer may have changed the quantity in the checkout. Stripe said what one costs when
/// the session was created, and now says what all cost, both before discounts and taxes. Amounts in two currencies say
/// nothing about a quantity: 150 yen to the dollar are not 150 packs.
fn quantity(session: &CheckoutSession, order: &Order) -> i64 {
    match (session.subtotal_in(&order.currency), order.subtotal) {
        (Some(all), Some(one)) if one > 0 && all > 0 && all % one == 0 => all / one,
        _ => 1,
    }
}

/// A paid session that did not begin with an order of ours, or whose order is lost. Our metadata says what it bought,
/// else the price does. `Err` says why this is unknown.
fn purchase_without_order(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    session: &CheckoutSession,
) -> Result<std::result::Result<Purchase, String>> {
    let assigned = context.assigned.as_ref();
    let account = match buyer_of(tx, Clues::of_session(session, assigned))? {
        Ok(account) => account,
        Err(why) => return Ok(Err(why)),
    };
    let catalog = context.catalog;
    let items = session.line_items.as_ref().map(|list| list.rows.as_slice()).unwrap_or_default();
    let key = assigned.and_then(|assigned| assigned.offer.as_ref()).or(session.metadata.get("plan"));
    let (offer, count) = match (key, items) {
        (Some(key), [item]) => (catalog.offer(key), item.quantity.unwrap_or(1)),
        (Some(key), _) => (catalog.offer(key), 1),
        (None, [item]) => (item.price.as_deref().and_then(|price| catalog.by_price(price)), item.quantity.unwrap_or(1)),
        (None, _) => (None, 1),
    };
    Ok(match offer {
        Some(Offer::Pack(pack)) => Ok(Purchase {
            account,
            offer: pack.key.clone(),
            units: pack.units.saturating_mul(count.max(1)),
            expires_in_days: pack.expiry.days(),
        }),
        _ => Err("it names no pack of the catalogue".to_owned()),
    })
}
