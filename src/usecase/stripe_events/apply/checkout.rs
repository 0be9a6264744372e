//! A checkout session that the buyer finished, paid, or abandoned. A paid one for a pack is credited once
//! (`docs/rules.md`, rule 5). One for a plan waits for its invoice.

use crate::catalog::{Catalog, Offer, Pack};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::Tx;
use crate::store::orders::{self, Fact, OfferKind, Order};
use crate::store::payments::Payment;
use crate::stripe::{CheckoutSession, CheckoutStep, LineItem};
use crate::usecase::stripe_events::apply::erased;
use crate::usecase::stripe_events::apply::known_payment;
use crate::usecase::stripe_events::apply::opening;
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome};
use crate::usecase::stripe_events::apply::owner::{Clues, buyer_of};
use crate::usecase::stripe_events::apply::pack::{PackCredit, credit_packs, units_of};
use crate::usecase::stripe_events::apply::plan_checkout::subscribed;
use crate::usecase::stripe_events::apply::signs::is_foreign_session;

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
    let mut outcome = paid(tx, context, session, order)?;
    let known = known_payment::learn(tx, known_payment::ids_of_session(session))?;
    outcome.known_ids.extend(known.map(|payment| payment.ids()).unwrap_or_default());
    Ok(outcome)
}

/// What a paid session bought, and for which account.
struct Purchase {
    account: i64,
    packs: Vec<PackCredit>,
    /// Why an item that was paid for is not among the packs.
    unknown: Option<String>,
}

fn paid(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    session: &CheckoutSession,
    order: Option<Order>,
) -> Result<EventOutcome> {
    let purchase = match &order {
        Some(order) => purchase_of_order(context, session, order),
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
    if order.is_none()
        && let Some(covered) = opening::of_session(tx, context, purchase.account, session)?
    {
        return Ok(covered);
    }
    if let Some(too_late) = erased::of_session(tx, context, purchase.account, session)? {
        if let Some(order) = &order {
            orders::set(tx, &order.id, Fact::Paid, context.now)?;
        }
        return Ok(too_late);
    }
    let Some(units) = units_of(&purchase.packs) else {
        let units: i64 = purchase.packs.iter().map(|pack| pack.units).fold(0, i64::saturating_add);
        return Ok(EventOutcome::unmatched(&session.id, format!("{units} units cannot be credited at once")));
    };
    if let Some(order) = &order {
        orders::set(tx, &order.id, Fact::Paid, context.now)?;
        if order.account != purchase.account {
            orders::assign(tx, &order.id, purchase.account)?;
        }
    }
    let payment = payment_of(context, session, &purchase, units);
    let outcome = credit_packs(tx, context, &payment, &purchase.packs)?;
    Ok(outcome.with_rest(&session.id, purchase.unknown))
}

fn payment_of(context: &ApplyContext<'_>, session: &CheckoutSession, purchase: &Purchase, units: i64) -> Payment {
    let amount = session.amount_total.unwrap_or(0).max(0);
    Payment {
        reference: session.payment_intent.clone().unwrap_or_else(|| session.id.clone()),
        account: purchase.account,
        kind: OfferKind::Pack,
        units_granted: units,
        units_reversed: 0,
        amount,
        cost: amount,
        currency: session.currency.clone().unwrap_or_else(|| "-".to_owned()),
        offer: purchase.packs.first().map_or_else(|| "-".to_owned(), |pack| pack.offer.clone()),
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

/// What one of an order costs before discounts and taxes: as Stripe said when the session was created, else as the catalogue did.
fn cost_of_one(order: &Order) -> i64 {
    order.subtotal.unwrap_or(order.amount)
}

/// Whether a session sold what was ordered, and one of it. In the checkout the buyer may have changed the quantity, added another
/// item or taken another one instead; then the subtotal is another one. Amounts in two currencies say nothing: 150 yen to the dollar
/// are not 150 packs.
pub(crate) fn is_as_ordered(session: &CheckoutSession, order: &Order) -> bool {
    session.subtotal_in(&order.currency).is_none_or(|all| all == cost_of_one(order))
}

/// What a paid session with an order of ours bought: the pack as it was on sale then and, where the subtotal is another one, what
/// Stripe's line items say. `Err` says why this is unknown.
fn purchase_of_order(
    context: &ApplyContext<'_>,
    session: &CheckoutSession,
    order: &Order,
) -> std::result::Result<Purchase, String> {
    let ordered = |quantity: i64| credit_of_order(order, Some(quantity));
    let items = session.line_items.as_ref().filter(|items| !items.has_more).map(|items| items.rows.as_slice());
    let (mut packs, mut unknown) = match (is_as_ordered(session, order), items) {
        (true, _) => (vec![ordered(1)], None),
        (false, None) if !context.stripe_answered => return Err("Stripe could not say what it bought".to_owned()),
        (false, None) => (vec![ordered(multiple(session, order))], None),
        // Items that are older than the session say less than what was paid.
        (false, Some([only])) if only.price.as_deref() == Some(&order.price) => {
            (vec![ordered(only.quantity.unwrap_or(1).max(multiple(session, order)))], None)
        }
        (false, Some(items)) => packs_of(context.catalog, items, Some(order)),
    };
    // Its price may be another one by now, as a currency of Stripe's own choice.
    if let (true, Some([only])) = (packs.is_empty(), items) {
        packs.push(ordered(only.quantity.unwrap_or(1)));
        unknown = None;
    }
    match packs.is_empty() {
        true => Err(unknown.unwrap_or_else(|| "it sold no pack of the catalogue".to_owned())),
        false => {
            let account = context.assigned.as_ref().map_or(order.account, |assigned| assigned.account);
            Ok(Purchase { account, packs, unknown })
        }
    }
}

/// How many times the order's price all cost, where Stripe does not know the items.
fn multiple(session: &CheckoutSession, order: &Order) -> i64 {
    match (session.subtotal_in(&order.currency), cost_of_one(order)) {
        (Some(all), one) if one > 0 && all > 0 && all % one == 0 => all / one,
        _ => 1,
    }
}

/// The packs among a session's items, and why an item that was paid for is none. One at the price of the order gives what was on
/// sale when it was ordered.
fn packs_of(catalog: &Catalog, items: &[LineItem], order: Option<&Order>) -> (Vec<PackCredit>, Option<String>) {
    let (mut packs, mut unknown) = (vec![], None);
    for item in items {
        let offer = item.price.as_deref().and_then(|price| catalog.by_price(price));
        match (order.filter(|order| item.price.as_ref() == Some(&order.price)), offer) {
            _ if item.quantity == Some(0) => {}
            (Some(order), _) => packs.push(credit_of_order(order, item.quantity)),
            (None, Some(Offer::Pack(pack))) => packs.push(credit_of(pack, item.quantity)),
            _ if item.amount_total == Some(0) => {}
            _ => {
                let price = item.price.as_deref().unwrap_or("none");
                unknown = Some(format!("an item's price ({price}) is not a pack of the catalogue"));
            }
        }
    }
    (packs, unknown)
}

fn credit_of_order(order: &Order, quantity: Option<i64>) -> PackCredit {
    PackCredit {
        offer: order.offer.clone(),
        units: order.units.saturating_mul(quantity.unwrap_or(1).max(1)),
        expires_in_days: order.expires_in_days,
    }
}

fn credit_of(pack: &Pack, quantity: Option<i64>) -> PackCredit {
    PackCredit {
        offer: pack.key.clone(),
        units: pack.units.saturating_mul(quantity.unwrap_or(1).max(1)),
        expires_in_days: pack.expiry.days(),
    }
}

/// A paid session that did not begin with an order of ours, or whose order is lost. Stripe's line items say what it bought;
/// where there is one alone, or none, the operator or our metadata may name the pack. `Err` says why this is unknown.
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
    if session.line_items.is_none() && !context.stripe_answered {
        return Ok(Err("Stripe could not say what it bought".to_owned()));
    }
    // Stripe's object contains only the first of them. The event, for which all are asked, credits it whole.
    if session.line_items.as_ref().is_some_and(|items| items.has_more) {
        return Ok(Err("not all of its items are known yet".to_owned()));
    }
    let catalog = context.catalog;
    let items = session.line_items.as_ref().map(|list| list.rows.as_slice()).unwrap_or_default();
    let (mut packs, mut unknown) = packs_of(catalog, items, None);
    let key = assigned.and_then(|assigned| assigned.offer.as_ref()).or(session.metadata.get("plan"));
    let named = key.and_then(|key| catalog.offer(key));
    if let (true, [] | [_], Some(Offer::Pack(pack))) = (packs.is_empty(), items, named) {
        packs.push(credit_of(pack, items.first().and_then(|item| item.quantity)));
        unknown = None;
    }
    Ok(match packs.is_empty() {
        true => Err("it names no pack of the catalogue".to_owned()),
        false => Ok(Purchase { account, packs, unknown }),
    })
}
