//! A checkout session: what a buyer finished, paid, or let go. A paid one for a pack is credited once; one for a plan
//! waits for its invoice.

use crate::catalog::{Expiry, Offer};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::ledger::{self, Credit, Kind, Refusal, Units};
use crate::store::orders::{self, Fact, Order};
use crate::store::payments::{self, Payment};
use crate::store::{Tx, customers, users};
use crate::stripe::CheckoutSession;
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::reversal::{self, Cause};
use crate::usecase::stripe_events::apply::{Context, EventOutcome, STRIPE};
use crate::usecase::units::posting;

/// Why a session is looked at: its own fields do not tell a slow payment that failed from one that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The buyer finished the checkout, or Stripe was asked how it stands.
    Seen,
    /// The slow payment did not arrive.
    AsyncFailed,
}

/// Applies what a checkout session says, whoever brings it. A paid one is credited once, under the payment intent's id
/// or, where Stripe has none, under the session's ("Fulfill orders", contract section 5, rule 5).
pub fn session(
    tx: &mut dyn Tx,
    context: &Context<'_>,
    session: &CheckoutSession,
    moment: Moment,
) -> Result<EventOutcome> {
    let now = context.now;
    if !session.is_payment() && !session.is_subscription() {
        return Ok(EventOutcome::ignored(format!("a checkout in {} mode sells nothing", session.mode)));
    }
    let order = order_of(tx, session, now)?;
    if is_bought(session) {
        return match session.is_payment() {
            true => paid(tx, context, session, order),
            false => subscribed(tx, session, order, now),
        };
    }
    let Some(order) = order else {
        return Ok(EventOutcome::ignored("an unpaid checkout that did not begin here"));
    };
    let (fact, detail) = match moment {
        Moment::AsyncFailed => (Fact::Failed, "the payment did not arrive"),
        Moment::Seen if session.is_expired() => (Fact::Expired, "the checkout ended without a payment"),
        Moment::Seen if session.is_open() => return Ok(EventOutcome::ignored("the checkout is still open")),
        Moment::Seen => (Fact::Pending, "a slow payment is on its way"),
    };
    orders::set(tx, &order.id, fact, now)?;
    Ok(EventOutcome::applied(detail))
}

/// Whether the money is there, or none was owed. Money counts however the session ended; owing nothing counts only once
/// the buyer has finished it, for an open or abandoned session may owe nothing too.
pub fn is_bought(session: &CheckoutSession) -> bool {
    let is_finished = !session.is_open() && !session.is_expired();
    (session.is_payment() || session.is_subscription())
        && (session.payment_status == "paid" || (session.is_paid() && is_finished))
}

/// The order that a session belongs to: by the session's id, or, when the event overtakes Stripe's answer to our own
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

/// What a paid session bought, for whom.
struct Bought {
    account: i64,
    offer: String,
    units: i64,
    expires_in_days: Option<i64>,
}

/// A plan's checkout is finished: its units come with its invoice.
fn subscribed(
    tx: &mut dyn Tx,
    session: &CheckoutSession,
    order: Option<Order>,
    now: Timestamp,
) -> Result<EventOutcome> {
    let Some(order) = order else {
        return Ok(EventOutcome::ignored("a subscription that did not begin here; its invoice tells"));
    };
    orders::set(tx, &order.id, Fact::Paid, now)?;
    let known = session.subscription.iter().chain(&session.invoice).cloned().collect();
    Ok(EventOutcome { known, ..EventOutcome::applied("subscribed; the invoice brings the units") })
}

fn paid(
    tx: &mut dyn Tx,
    context: &Context<'_>,
    session: &CheckoutSession,
    order: Option<Order>,
) -> Result<EventOutcome> {
    let (bought, order_id) = match &order {
        Some(order) => {
            let units = order.units.saturating_mul(quantity(session, order));
            let (account, offer) = (order.account, order.offer.clone());
            (Ok(Bought { account, offer, units, expires_in_days: order.expires_in_days }), Some(order.id.clone()))
        }
        None => (bought_elsewhere(tx, context, session)?, None),
    };
    let bought = match bought {
        Ok(bought) => bought,
        Err(why) if context.facts.unanswered => return Ok(EventOutcome::waiting(STRIPE, why)),
        Err(why) => return Ok(EventOutcome::unmatched(&session.id, why)),
    };
    let Some(units) = Units::new(bought.units) else {
        return Ok(EventOutcome::unmatched(&session.id, format!("{} units cannot be credited at once", bought.units)));
    };
    if let Some(id) = &order_id {
        orders::set(tx, id, Fact::Paid, context.now)?;
    }
    credit(tx, context, session, &bought, units)
}

fn credit(
    tx: &mut dyn Tx,
    context: &Context<'_>,
    session: &CheckoutSession,
    bought: &Bought,
    units: Units,
) -> Result<EventOutcome> {
    let payment = Payment {
        reference: session.payment_intent.clone().unwrap_or_else(|| session.id.clone()),
        account: bought.account,
        kind: "pack".to_owned(),
        gave: units.count(),
        taken: 0,
        amount: session.amount_total.unwrap_or(0).max(0),
        currency: session.currency.clone().unwrap_or_else(|| "-".to_owned()),
        offer: bought.offer.clone(),
        out_of_band: false,
        session: Some(session.id.clone()),
        payment_intent: session.payment_intent.clone(),
        charge: None,
        invoice: session.invoice.clone(),
        refund_stated: 0,
        reversals: 0,
        paid_at: context.now,
    };
    credit_pack(tx, context, &payment, bought.expires_in_days)
}

/// Credits a pack's payment, once under its reference.
pub(super) fn credit_pack(
    tx: &mut dyn Tx,
    context: &Context<'_>,
    payment: &Payment,
    expires_in_days: Option<i64>,
) -> Result<EventOutcome> {
    let now = context.now;
    let known = [&payment.session, &payment.payment_intent, &payment.invoice].into_iter().flatten().cloned().collect();
    let account = posting::open(tx, context.rules(), payment.account, None)?;
    let units = Units::new(payment.gave).ok_or_else(|| Fault::bare("a pack's units were not checked"))?;
    let reason = format!("topup_{}", payment.reference);
    let expires_at = Expiry::of_days(expires_in_days).end(now);
    let credit = Credit { kind: Kind::Topup, units, reason: reason.clone(), note: None, expires_at };
    let posting = match ledger::credit(&account, credit, now) {
        Ok(posting) => posting,
        Err(Refusal::BalanceLimit) => {
            let why = "the balance would pass the most that an account may hold";
            return Ok(EventOutcome::unmatched(&payment.reference, why));
        }
        Err(other) => return Err(posting::impossible(other).into()),
    };
    if !payments::add(tx, payment)? {
        return Ok(EventOutcome { known, ..EventOutcome::applied("credited before") });
    }
    let entry = posting::post(tx, context.rules(), &account, &posting, Some(&payment.reference))?;
    let entry = entry.ok_or_else(|| Fault::bare(format!("{reason} is in the ledger without its payment")))?;
    let user = users::by_account(tx, payment.account)?;
    let mut told = vec![LogEvent::ToppedUp {
        user_id: user.id.clone(),
        plan: payment.offer.clone(),
        units: units.count(),
        payment_intent: payment.payment_intent.clone(),
        reason,
        balance: entry.balance_after,
    }];
    told.extend(reversal::reassess(tx, context, &payment.reference, &Cause::refund(&payment.reference))?);
    let detail = format!("{} units for {}", units.count(), user.id);
    Ok(EventOutcome { known, told, ..EventOutcome::applied(detail) })
}

/// How many of it were bought: the buyer may have changed the quantity in the checkout. Stripe said what one costs when
/// the session was made, and says now what all cost, both before discounts and taxes. Amounts of two currencies say
/// nothing of a quantity: 150 yen to the dollar are not 150 packs.
fn quantity(session: &CheckoutSession, order: &Order) -> i64 {
    match (session.subtotal_in(&order.currency), order.subtotal) {
        (Some(all), Some(one)) if one > 0 && all > 0 && all % one == 0 => all / one,
        _ => 1,
    }
}

/// A paid session that did not begin with an order of ours (or whose order is lost): told by our metadata, else by the
/// customer and the price. Whatever cannot be told is kept for the operator. E-mail addresses decide nothing.
fn bought_elsewhere(
    tx: &mut dyn Tx,
    context: &Context<'_>,
    session: &CheckoutSession,
) -> Result<std::result::Result<Bought, String>> {
    let assigned = context.assigned.as_ref();
    let account = match (session.metadata.get("user_id"), &session.customer) {
        _ if assigned.is_some() => assigned.map_or(0, |assigned| assigned.account),
        (Some(id), _) => match users::find(tx, id)? {
            Some(user) => user.account,
            None => return Ok(Err(format!("its metadata names the user {id:?}, who is not known here"))),
        },
        (None, Some(customer)) => match customers::account_of(tx, customer)? {
            Some(account) => account,
            None => return Ok(Err(format!("the customer {customer} is not known here"))),
        },
        (None, None) => return Ok(Err("it names neither a user nor a customer of ours".to_owned())),
    };
    let catalog = context.catalog;
    let included = session.line_items.as_ref().map(|list| list.rows.as_slice());
    let items = included.or(context.facts.line_items.as_deref()).unwrap_or_default();
    let key = assigned.and_then(|assigned| assigned.offer.as_ref()).or(session.metadata.get("plan"));
    let (offer, count) = match (key, items) {
        (Some(key), [item]) => (catalog.offer(key), item.quantity.unwrap_or(1)),
        (Some(key), _) => (catalog.offer(key), 1),
        (None, [item]) => (item.price.as_deref().and_then(|price| catalog.by_price(price)), item.quantity.unwrap_or(1)),
        (None, _) => (None, 1),
    };
    Ok(match offer {
        Some(Offer::Pack(pack)) => Ok(Bought {
            account,
            offer: pack.key.clone(),
            units: pack.units.saturating_mul(count.max(1)),
            expires_in_days: pack.expiry.days(),
        }),
        _ => Err("it names no pack of the catalogue".to_owned()),
    })
}
