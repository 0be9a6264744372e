//! A subscription as Stripe describes it. An older description never overwrites a newer one: see
//! `store::subscriptions`.

use crate::catalog::{Catalog, Offer};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::open_invoices::{self, OpenInvoice};
use crate::store::receipts;
use crate::store::scheduled_changes::{self, ScheduledChange};
use crate::store::subscriptions::{self, PaymentPause, Source, Upsert};
use crate::store::{Tx, users};
use crate::stripe::{Schedule, ScheduleHint, Subscription, SubscriptionStep};
use crate::usecase::log_events::LogEvent;
use crate::usecase::notifications::enqueue;
use crate::usecase::stripe_events::apply::letters::end_of_plan;
use crate::usecase::stripe_events::apply::outcome::{ApplyContext, EventOutcome, low_balances};
use crate::usecase::stripe_events::apply::owner::{Clues, owner_of};
use crate::usecase::stripe_events::apply::signs::is_our_subscription;
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
        ..Clues::default()
    };
    let Some(account) = owner_of(tx, clues)? else {
        return Ok(EventOutcome::ignored("a subscription of a user who is not known here"));
    };
    let before = subscriptions::find(tx, &described.id)?;
    if before.is_none() && context.assigned.is_none() && !is_our_subscription(context.catalog, described) {
        return Ok(EventOutcome::ignored("a subscription to something that is not sold here"));
    }
    let mut new = describe(context.catalog, described, account, as_of);
    if step == SubscriptionStep::Deleted && new.ended_at.is_none() {
        new.ended_at = Some(as_of);
    }
    let replaced = description.before.map(|replaced| describe(context.catalog, replaced, account, as_of));
    let source = match step {
        SubscriptionStep::Created => Source::Creation,
        SubscriptionStep::AsDescribed | SubscriptionStep::Deleted => Source::Change { before: replaced.as_ref() },
    };
    let upsert = enqueue::notify_if_plan_changes(tx, context.catalog, account, context.now, |tx| {
        subscriptions::put(tx, &new, source, context.now)
    })?;
    match context.stripe_answered {
        true => plan_change(tx, context.catalog, described, context.now)?,
        false => ask_later(tx, described, context.now)?,
    }
    let known_ids = vec![new.id.clone()];
    Ok(match upsert {
        Upsert::Older => EventOutcome { known_ids, ..EventOutcome::applied("a newer description is known") },
        Upsert::Unsure => EventOutcome {
            known_ids,
            unsure_subscription: Some(new.id),
            ..EventOutcome::applied("another description of the same second is known: Stripe is asked")
        },
        Upsert::Newer => {
            keep_payments_due(tx, context.catalog, described, as_of)?;
            let user_id = users::by_account(tx, account)?.id;
            let detail = format!("{} is {} for {user_id}", new.offer, new.status);
            let mut log_events = log_events(tx, account, user_id, before.as_ref(), &new)?;
            end_of_plan(tx, context.catalog, (context.now, context.happened_at), before.as_ref(), &new)?;
            // A plan that is kept no longer does not keep the units of a period that has ended.
            let mut posting_context = context.posting();
            posting::end_graces(tx, &mut posting_context, account)?;
            log_events.extend(low_balances(posting_context));
            EventOutcome { known_ids, log_events, ..EventOutcome::applied(detail) }
        }
    })
}

/// An event about a schedule. It says only that something may have changed; `now` is the subscription as Stripe has it.
pub(super) fn schedule(
    tx: &mut dyn Tx,
    context: &ApplyContext<'_>,
    hint: &ScheduleHint,
    now: Option<&Subscription>,
) -> Result<EventOutcome> {
    let known = match &hint.subscription {
        Some(id) => subscriptions::find(tx, id)?,
        None => None,
    };
    let Some(known) = known else {
        return Ok(EventOutcome::ignored("a schedule of a subscription that is not known here"));
    };
    match now {
        Some(described) => plan_change(tx, context.catalog, described, context.now)?,
        // It has ended, or Stripe does not know it.
        None if context.stripe_answered => scheduled_changes::clear(tx, &known.id)?,
        None => {
            subscriptions::mark_unsure(tx, &known.id, context.now)?;
            return Ok(EventOutcome::applied("Stripe is asked what is planned"));
        }
    }
    Ok(EventOutcome::applied(match scheduled_changes::of(tx, &known.id)? {
        Some(change) => format!("{} is planned in place of {}", change.offer, known.offer),
        None => "nothing is planned".to_owned(),
    }))
}

/// Stores what Stripe plans for the end of the period. What it names by an id alone is asked for later.
pub(crate) fn plan_change(tx: &mut dyn Tx, catalog: &Catalog, described: &Subscription, now: Timestamp) -> Result<()> {
    if subscriptions::find(tx, &described.id)?.is_none() {
        return Ok(());
    }
    match &described.schedule {
        _ if described.is_over() => scheduled_changes::clear(tx, &described.id),
        Schedule::Named(_) => subscriptions::mark_unsure(tx, &described.id, now),
        Schedule::Absent | Schedule::Read(None) => scheduled_changes::clear(tx, &described.id),
        Schedule::Read(Some(next)) => {
            let offer = best_plan(catalog, next.prices.iter().map(String::as_str));
            let current = best_plan(catalog, prices_of(described));
            if offer == current {
                return scheduled_changes::clear(tx, &described.id);
            }
            let change = ScheduledChange { subscription: described.id.clone(), offer, starts_at: next.starts_at };
            scheduled_changes::put(tx, &change)
        }
    }
}

/// Stripe did not say what is planned. Where something may be, it is asked again.
fn ask_later(tx: &mut dyn Tx, described: &Subscription, now: Timestamp) -> Result<()> {
    let may_plan = described.schedule != Schedule::Absent || scheduled_changes::of(tx, &described.id)?.is_some();
    if may_plan { subscriptions::mark_unsure(tx, &described.id, now) } else { Ok(()) }
}

fn prices_of(described: &Subscription) -> impl Iterator<Item = &str> {
    described.items.rows.iter().filter_map(|item| item.price.as_deref())
}

/// The key of the dearest plan among these prices; `-` where none is in the catalogue.
fn best_plan<'a>(catalog: &Catalog, prices: impl Iterator<Item = &'a str>) -> String {
    let offers = prices.filter_map(|price| catalog.by_price(price));
    let best = offers.filter(|offer| matches!(offer, Offer::Plan(_))).max_by_key(|offer| offer.amount());
    best.map_or("-", |offer| offer.key()).to_owned()
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

/// Keeps what is to be paid: the next payment, and the invoice that it waits for. While Stripe does not say how that
/// stands, what it last said of it stays.
pub(crate) fn keep_payments_due(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    described: &Subscription,
    as_of: Timestamp,
) -> Result<()> {
    receipts::put_next_payment(tx, &described.id, described.next_payment())?;
    if described.awaits_payment()
        && described.open_invoice.is_none()
        && let Some(known) = open_invoices::find(tx, &described.id)?
        && described.latest_invoice.as_ref() == Some(&known.id)
    {
        return Ok(());
    }
    open_invoices::put(tx, &described.id, open_invoice(catalog, described, as_of).as_ref())
}

/// The invoice that it waits for, as a row of ours; `None` if it waits for none. Where Stripe did not show the invoice, the
/// payment is due since the period began, as with a renewal.
fn open_invoice(catalog: &Catalog, described: &Subscription, as_of: Timestamp) -> Option<OpenInvoice> {
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
    subscriptions::Subscription {
        id: described.id.clone(),
        account,
        customer: described.customer.clone(),
        status: described.status.clone(),
        offer: best_plan(catalog, prices_of(described)),
        period_end: described.period_end(is_plan),
        ends_at: described.ends_at(is_plan),
        ended_at: described.is_over().then(|| described.ended_at.unwrap_or(as_of)),
        as_of,
        created_at: described.created.unwrap_or(as_of),
        billed: billed(described, is_plan),
        pause: described.collection_paused.then_some(PaymentPause { until: described.collection_resumes_at }),
    }
}

/// What a period of the plans costs before discounts and taxes. `None` where Stripe does not say it in one currency.
fn billed(described: &Subscription, is_plan: impl Fn(&str) -> bool) -> Option<(i64, String)> {
    let mut sum: Option<(i64, String)> = None;
    for item in described.items.rows.iter().filter(|item| item.price.as_deref().is_some_and(&is_plan)) {
        let amount = item.unit_amount?.checked_mul(item.quantity.unwrap_or(1))?;
        let currency = item.currency.clone()?;
        sum = match sum {
            None => Some((amount, currency)),
            Some((before, same)) if same == currency => Some((before.checked_add(amount)?, same)),
            Some(_) => return None,
        };
    }
    sum
}
