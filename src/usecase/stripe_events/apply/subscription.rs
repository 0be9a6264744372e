//! A subscription is described. It never goes back in time: see `store::subscriptions`.

use crate::catalog::{Catalog, Offer};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::subscriptions::{self, Upsert};
use crate::store::{Tx, customers, users};
use crate::stripe::{Event, Subscription};
use crate::usecase::log_events::LogEvent;
use crate::usecase::notifications::enqueue;
use crate::usecase::stripe_events::apply::{Context, EventOutcome};

/// Keeps what an event says of a subscription.
pub(super) fn described(
    tx: &mut dyn Tx,
    context: &Context<'_>,
    described: &Subscription,
    event: &Event,
) -> Result<EventOutcome> {
    let Some(account) = account_of(tx, context, described)? else {
        return Ok(EventOutcome::ignored("a subscription of nobody known here"));
    };
    let mut new = describe(context.catalog, described, account, event.created);
    if event.kind == "customer.subscription.deleted" && new.ended_at.is_none() {
        new.ended_at = Some(event.created);
    }
    let before = subscriptions::find(tx, &new.id)?;
    let kept = enqueue::notify_if_plan_changes(tx, context.catalog, account, context.now, |tx| {
        subscriptions::put(tx, &new, false, context.now)
    })?;
    let known = vec![new.id.clone()];
    Ok(match kept {
        Upsert::Older => EventOutcome { known, ..EventOutcome::applied("a newer description is known") },
        Upsert::Unsure => {
            EventOutcome { known, ..EventOutcome::applied("another of the same second is known: Stripe is asked") }
        }
        Upsert::Newer => {
            let user_id = users::by_account(tx, account)?.id;
            let detail = format!("{} is {} for {user_id}", new.offer, new.status);
            let mut told = vec![];
            if before.is_none_or(|before| (before.status, before.offer) != (new.status.clone(), new.offer.clone())) {
                let (plan, status) = (new.offer.clone(), new.status.clone());
                told.push(LogEvent::PlanChanged {
                    user_id: user_id.clone(),
                    plan,
                    status,
                    subscription: new.id.clone(),
                });
            }
            let others = subscriptions::live_of(tx, account)?.len();
            if others > 1 && new.ended_at.is_none() {
                told.push(LogEvent::SeveralSubscriptions { user_id, count: others });
            }
            EventOutcome { known, told, ..EventOutcome::applied(detail) }
        }
    })
}

/// Our row for a description of Stripe's.
pub(crate) fn describe(
    catalog: &Catalog,
    described: &Subscription,
    account: i64,
    as_of: Timestamp,
) -> subscriptions::Subscription {
    let is_plan = |price: &str| matches!(catalog.by_price(price), Some(Offer::Plan(_)));
    let prices = described.items.rows.iter().filter_map(|item| item.price.as_deref());
    let offers = prices.filter_map(|price| catalog.by_price(price));
    let best = offers.filter(|offer| matches!(offer, Offer::Plan(_))).max_by_key(|offer| offer.amount());
    let over = described.is_over();
    subscriptions::Subscription {
        id: described.id.clone(),
        account,
        status: described.status.clone(),
        offer: best.map_or("-", |offer| offer.key()).to_owned(),
        period_end: described.period_end(is_plan),
        ends_at: described.ends_at(is_plan),
        ended_at: over.then(|| described.ended_at.unwrap_or(as_of)),
        as_of,
        created_at: described.created.unwrap_or(as_of),
    }
}

fn account_of(tx: &mut dyn Tx, context: &Context<'_>, described: &Subscription) -> Result<Option<i64>> {
    if let Some(assigned) = &context.assigned {
        return Ok(Some(assigned.account));
    }
    if let Some(known) = subscriptions::find(tx, &described.id)? {
        return Ok(Some(known.account));
    }
    if let Some(customer) = &described.customer
        && let Some(account) = customers::account_of(tx, customer)?
    {
        return Ok(Some(account));
    }
    match described.metadata.get("user_id") {
        Some(id) => Ok(users::find(tx, id)?.map(|user| user.account)),
        None => Ok(None),
    }
}
