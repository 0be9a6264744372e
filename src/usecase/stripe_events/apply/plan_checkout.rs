//! A plan's checkout is finished. Its units come with its invoice, whose owner is the customer's. So a checkout that
//! began elsewhere (a payment link, a pricing table) and names a user makes its customer that user's.

use crate::catalog::{Catalog, Offer, Plan};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::customers::{self, Link, LinkSource};
use crate::store::orders::{self, Fact, Order};
use crate::store::{Tx, users};
use crate::stripe::CheckoutSession;
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome};
use crate::usecase::stripe_events::apply::owner::{Clues, buyer_of};

pub(super) fn subscribed(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    session: &CheckoutSession,
    order: Option<&Order>,
) -> Result<EventOutcome> {
    let applied = EventOutcome {
        known_ids: session.subscription.iter().chain(&session.invoice).cloned().collect(),
        ..EventOutcome::applied("subscribed; the invoice brings the units")
    };
    if let Some(order) = order {
        orders::set(tx, &order.id, Fact::Paid, context.now)?;
        if let Some(subscription) = &session.subscription {
            orders::subscribed(tx, &order.id, subscription)?;
        }
        return Ok(applied);
    }
    let elsewhere = || Ok(EventOutcome::ignored("a subscription that did not begin here; its invoice decides"));
    let Some(customer) = session.customer.as_deref() else { return elsewhere() };
    let known = customers::account_of(tx, customer)?;
    let Ok(account) = buyer_of(tx, Clues::of_session(session, context.assigned.as_ref()))? else { return elsewhere() };
    // Where Stripe does not know what was sold, its invoice says so, and it is the reference that tells whose that is.
    let is_untold = session.line_items.is_none() && context.stripe_answered;
    let names_plan = context.assigned.is_some() || is_untold || plan_of(context.catalog, session).is_some();
    if !names_plan && known.is_some() {
        return elsewhere();
    }
    if !names_plan && !context.stripe_answered {
        return Ok(EventOutcome::waiting_for_stripe("Stripe could not be asked what it sold"));
    }
    if !names_plan {
        let user_id = users::by_account(tx, account)?.id;
        let why = format!("it names the user {user_id:?}, and no plan of the catalogue");
        return Ok(EventOutcome::unmatched(&session.id, why));
    }
    let source = if context.assigned.is_some() { LinkSource::Operator } else { LinkSource::Checkout };
    match link(tx, account, customer, source, context.now)? {
        Ok(log_events) => {
            let known_ids = [applied.known_ids, vec![customer.to_owned()]].concat();
            Ok(EventOutcome { known_ids, log_events, ..EventOutcome::applied(applied.detail) })
        }
        Err(why) => Ok(EventOutcome::unmatched(&session.id, why)),
    }
}

/// Makes a customer the user's. `Err` says why it stays another's.
pub(crate) fn link(
    tx: &mut dyn Tx,
    account: i64,
    customer: &str,
    source: LinkSource,
    now: Timestamp,
) -> Result<std::result::Result<Vec<LogEvent>, String>> {
    Ok(match customers::tie(tx, account, customer, source, now)? {
        Link::Known => Ok(vec![]),
        Link::New => {
            let user_id = users::by_account(tx, account)?.id;
            Ok(vec![LogEvent::CustomerLinked { user_id, customer: customer.to_owned(), source }])
        }
        Link::OfAnother(owner) => {
            let owner = users::by_account(tx, owner)?.id;
            Err(format!("the customer {customer} belongs to the user {owner:?}, and a customer belongs to one user"))
        }
    })
}

/// The plan of the catalogue that it sold, by our metadata or by its prices.
pub(crate) fn plan_of<'a>(catalog: &'a Catalog, session: &CheckoutSession) -> Option<&'a Plan> {
    let plan = |offer| match offer {
        Some(Offer::Plan(plan)) => Some(plan),
        _ => None,
    };
    let items = session.line_items.as_ref().map(|list| list.rows.as_slice()).unwrap_or_default();
    let named = session.metadata.get("plan").and_then(|key| plan(catalog.offer(key)));
    named.or_else(|| items.iter().find_map(|item| plan(catalog.by_price(item.price.as_deref()?))))
}
