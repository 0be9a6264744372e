//! A subscription as Stripe describes it. An older description never overwrites a newer one: see
//! `store::subscriptions`.

use crate::catalog::{Catalog, Offer};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::open_invoices::{self, OpenInvoice};
use crate::store::subscriptions::{self, Source, Upsert};
use crate::store::{Tx, users};
use crate::stripe::{Subscription, SubscriptionStep};
use crate::usecase::log_events::LogEvent;
use crate::usecase::notifications::enqueue;
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome, low_balances};
use crate::usecase::stripe_events::apply::owner::{Clues, owner_of};
use crate::usecase::units::posting;

/// What an event says about a subscription.
pub(super) struct Description<'a> {
    pub(super) subscription: &'a Subscription,
    pub(super) step: SubscriptionStep,
    /// As it was before the event, if Stripe says so.
    pub(super) before: Option<&'a Subscription>,
    pub(super) as_of: Timestamp,
}

pub(super) fn subscription(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    description: &Description<'_>,
) -> Result<EventOutcome> {
    let Description { subscription: described, step, as_of, .. } = *description;
    let clues = Clues {
        assigned: context.assigned.as_ref(),
        subscription: Some(&described.id),
        customer: described.customer.as_deref(),
        user_id: described.metadata.get("user_id").map(String::as_str),
    };
    let Some(account) = owner_of(tx, clues)? else {
        return Ok(EventOutcome::ignored("a subscription of a user who is not known here"));
    };
    let mut new = describe(context.catalog, described, account, as_of);
    if step == SubscriptionStep::Deleted && new.ended_at.is_none() {
        new.ended_at = Some(as_of);
    }
    let before = subscriptions::find(tx, &new.id)?;
    let replaced = description.before.map(|replaced| describe(context.catalog, replaced, account, as_of));
    let source = match step {
        SubscriptionStep::Created => Source::Creation,
        SubscriptionStep::AsDescribed | SubscriptionStep::Deleted => Source::Change { before: replaced.as_ref() },
    };
    let upsert = enqueue::notify_if_plan_changes(tx, context.catalog, account, context.now, |tx| {
        subscriptions::put(tx, &new, source, context.now)
    })?;
    let known_ids = vec![new.id.clone()];
    Ok(match upsert {
        Upsert::Older => EventOutcome { known_ids, ..EventOutcome::applied("a newer description is known") },
        Upsert::Unsure => EventOutcome {
            known_ids,
            unsure_subscription: Some(new.id),
            ..EventOutcome::applied("another description of the same second is known: Stripe is asked")
        },
        Upsert::Newer => {
            open_invoices::put(tx, &new.id, open_invoice(context.catalog, described, as_of).as_ref())?;
            let user_id = users::by_account(tx, account)?.id;
            let detail = format!("{} is {} for {user_id}", new.offer, new.status);
            let mut log_events = log_events(tx, account, user_id, before.as_ref(), &new)?;
            // A plan that is kept no longer does not keep the units of a period that has ended.
            let mut posting_context = context.posting();
            posting::end_graces(tx, &mut posting_context, account)?;
            log_events.extend(low_balances(posting_context));
            EventOutcome { known_ids, log_events, ..EventOutcome::applied(detail) }
        }
    })
}

fn log_events(
    tx: &mut dyn Tx,
    account: i64,
    user_id: String,
    before: Option<&subscriptions::Subscription>,
    new: &subscriptions::Subscription,
) -> Result<Vec<LogEvent>> {
    let mut log_events = vec![];
    if before.is_none_or(|before| before.status != new.status || before.offer != new.offer) {
        log_events.push(LogEvent::PlanChanged {
            user_id: user_id.clone(),
            plan: new.offer.clone(),
            status: new.status.clone(),
            subscription: new.id.clone(),
        });
    }
    let count = subscriptions::live_of(tx, account)?.len();
    if count > 1 && new.ended_at.is_none() {
        log_events.push(LogEvent::SeveralSubscriptions { user_id, count });
    }
    Ok(log_events)
}

/// The invoice that it waits for, as a row of ours; `None` if it waits for none. Where Stripe did not show the invoice, the
/// payment is due since the period began, as with a renewal.
pub(crate) fn open_invoice(catalog: &Catalog, described: &Subscription, as_of: Timestamp) -> Option<OpenInvoice> {
    let id = described.latest_invoice.clone().filter(|_| described.awaits_payment())?;
    let Some(invoice) = described.open_invoice.as_deref() else {
        let due_at = described.period_start(|price| is_plan(catalog, price)).unwrap_or(as_of);
        return Some(OpenInvoice { id, open: None, due_at });
    };
    let open = invoice.amount_remaining.filter(|amount| *amount > 0 && invoice.status == "open")?;
    Some(OpenInvoice {
        id,
        open: invoice.currency.clone().map(|currency| (open, currency)),
        due_at: invoice.due_date.or(invoice.created).unwrap_or(as_of),
    })
}

fn is_plan(catalog: &Catalog, price: &str) -> bool {
    matches!(catalog.by_price(price), Some(Offer::Plan(_)))
}

/// Stripe's description as a row of ours.
pub(crate) fn describe(
    catalog: &Catalog,
    described: &Subscription,
    account: i64,
    as_of: Timestamp,
) -> subscriptions::Subscription {
    let is_plan = |price: &str| is_plan(catalog, price);
    let prices = described.items.rows.iter().filter_map(|item| item.price.as_deref());
    let offers = prices.filter_map(|price| catalog.by_price(price));
    let best = offers.filter(|offer| matches!(offer, Offer::Plan(_))).max_by_key(|offer| offer.amount());
    subscriptions::Subscription {
        id: described.id.clone(),
        account,
        status: described.status.clone(),
        offer: best.map_or("-", |offer| offer.key()).to_owned(),
        period_end: described.period_end(is_plan),
        ends_at: described.ends_at(is_plan),
        ended_at: described.is_over().then(|| described.ended_at.unwrap_or(as_of)),
        as_of,
        created_at: described.created.unwrap_or(as_of),
    }
}
