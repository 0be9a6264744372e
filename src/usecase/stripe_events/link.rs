//! The operator says whose a customer of Stripe's is. The customer becomes the user's, and what could not be applied while
//! nobody knew that is applied now: what the inbox has of it, and what Stripe has and no webhook brought.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::app::App;
use crate::catalog::Catalog;
use crate::clock::{DAY_SECONDS, Deadline, Timestamp};
use crate::error::{Refused, Result};
use crate::store::customers::LinkSource;
use crate::store::inbox::{self, InboxRow, IncomingEvent, Status};
use crate::store::{Tx, customers, payments, subscriptions, users};
use crate::stripe::{Event, EventEnvelope, ListedKind, ListedObject, Stripe, StripeError};
use crate::usecase::audit;
use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::{self, ApplyContext, EventOutcome};
use crate::usecase::stripe_events::prefetcher::{PrefetchedEvent, Prefetcher};
use crate::usecase::stripe_events::receive::{foreign, incoming, store};
use crate::usecase::stripe_events::retry::{envelope, outcome_of, reapply};

/// How long Stripe may take for one list.
const PATIENCE: Duration = Duration::from_secs(20);
/// How far back payments are asked for: as in a comparison. `till reconcile --since` goes further.
const PAYMENT_DAYS: i64 = 30;
/// A subscription that no event reported is dated back by this, so that events on their way are newer.
const UNDER_WAY_SECONDS: i64 = 300;
/// Events of the inbox that are applied at once.
const INBOX_LIMIT: i64 = 500;

/// What linking a customer did, or would do.
#[derive(Clone, Debug)]
pub struct LinkReport {
    pub user_id: String,
    pub customer: String,
    /// False if the customer was this user's before.
    pub is_new: bool,
    /// Each event that was applied, or that still cannot be.
    pub events: Vec<LinkedEvent>,
}

/// What became of one event when its customer was linked.
#[derive(Clone, Debug)]
pub struct LinkedEvent {
    pub id: String,
    /// Stripe's type.
    pub kind: String,
    pub outcome: EventOutcome,
}

/// An event of the customer that may be applied once its owner is known.
#[derive(Clone)]
pub(super) struct Candidate {
    /// The inbox's row; `None` for what only Stripe has.
    row: Option<Box<InboxRow>>,
    event: IncomingEvent,
    happened_at: Timestamp,
    prefetched: PrefetchedEvent,
}

/// Makes the customer the user's. With `dry_run` nothing is stored.
pub fn link(app: &App, user: &str, customer: &str, dry_run: bool) -> Result<LinkReport> {
    if !customer.starts_with("cus_") {
        let detail = format!("{customer:?} is no customer of Stripe's: an id that begins with cus_ was expected.");
        return Err(Refused::InvalidRequest(detail).into());
    }
    app.store.read(|tx| refuse_other_owner(tx, user, customer))?;
    let now = app.clock.now();
    // First, so that nobody waits for each event while Stripe is silent.
    let found = match app.stripe()?.customer(customer, Deadline::after(PATIENCE)) {
        Err(error) if !error.is_missing() => return Err(error.for_operator()),
        found => found.ok(),
    };
    let mut prefetcher = Prefetcher::new(app);
    let mut candidates = in_inbox(&mut prefetcher, app, customer)?;
    let is_gone = match found {
        Some(found) => {
            candidates.extend(at_stripe(&mut prefetcher, app, customer, now)?);
            found.deleted
        }
        // What the inbox has of it was signed by Stripe.
        None if !candidates.is_empty() => false,
        None => {
            let detail = format!("Stripe has no customer {customer} for this key. A test key sees no live customers.");
            return Err(Refused::NotFound(detail).into());
        }
    };
    let catalog = app.catalog.clone();
    let (user, id) = (user.to_owned(), customer.to_owned());
    let work = move |tx: &mut dyn Tx| {
        refuse_other_owner(tx, &user, &id)?;
        let account = users::by_id(tx, &user)?.account;
        let linked = apply::link(tx, account, &id, LinkSource::Operator, now)?;
        let mut log_events = linked.map_err(|why| Refused::Forbidden(format!("{why}.")))?;
        let is_new = !log_events.is_empty();
        if is_gone {
            customers::gone(tx, &id, now)?;
        }
        let (events, logged) = apply_all(tx, &catalog, &candidates, now)?;
        log_events.extend(logged);
        Ok((LinkReport { user_id: user.clone(), customer: id.clone(), is_new, events }, log_events))
    };
    if dry_run {
        return app.store.dry_run(work).map(|(report, _)| report);
    }
    let (report, log_events) = audit::write(app, move |tx, trail| {
        let (report, log_events) = work(tx)?;
        trail.add(tx, "customer_linked", &report.customer, format!("to {}", report.user_id))?;
        Ok((report, log_events))
    })?;
    log_events.iter().for_each(|event| event.log(app));
    Ok(report)
}

/// Refuses a customer, or a subscription of it, that is another user's: an id of Stripe's belongs to one user (rule 3).
fn refuse_other_owner(tx: &mut dyn Tx, user: &str, customer: &str) -> Result<()> {
    let account = users::by_id(tx, user)?.account;
    let owner = match customers::account_of(tx, customer)? {
        Some(owner) => Some(owner),
        None => subscriptions::account_of_customer(tx, customer)?,
    };
    match owner.filter(|owner| *owner != account) {
        None => Ok(()),
        Some(owner) => {
            let owner = users::by_account(tx, owner)?.id;
            let detail = format!(
                "The customer {customer} belongs to the user {owner:?}, and a customer belongs to one user only. Its \
                 payments go to {owner:?}."
            );
            Err(Refused::Forbidden(detail).into())
        }
    }
}

/// What the inbox has of a customer and could not apply.
pub(super) fn in_inbox(prefetcher: &mut Prefetcher<'_>, app: &App, customer: &str) -> Result<Vec<Candidate>> {
    let rows = app.store.read(|tx| inbox::unapplied_of_customer(tx, customer, INBOX_LIMIT))?;
    let mut candidates = vec![];
    for row in rows {
        let envelope = envelope(&row)?;
        if foreign(&envelope, app.config.stripe.mode()).is_none() {
            let prefetched = prefetcher.prefetch(&envelope)?;
            candidates.push(Candidate {
                event: row.event.clone(),
                happened_at: row.event.created_at,
                row: Some(Box::new(row)),
                prefetched,
            });
        }
    }
    Ok(candidates)
}

/// What Stripe has of a customer and the inbox does not: every subscription, the payments of the last days, and what was
/// given back of them.
fn at_stripe(prefetcher: &mut Prefetcher<'_>, app: &App, customer: &str, now: Timestamp) -> Result<Vec<Candidate>> {
    let stripe = app.stripe()?;
    let from = now.plus_seconds(-PAYMENT_DAYS * DAY_SECONDS).seconds().to_string();
    let mut candidates = vec![];
    let mut intents = BTreeSet::new();
    let recent = [("customer", customer), ("created[gte]", from.as_str())];
    let paid = [("status", "paid"), ("expand[]", "data.payments")];
    for object in listed(stripe, ListedKind::Subscriptions, &recent[..1])? {
        let as_of = Timestamp::from_seconds(now.plus_seconds(-UNDER_WAY_SECONDS).seconds());
        if app.store.read(|tx| subscriptions::find(tx, &object.id))?.is_none() {
            candidates.push(candidate(prefetcher, &object, as_of, now)?);
        }
    }
    for (kind, more) in [(ListedKind::Sessions, &[][..]), (ListedKind::Invoices, &paid), (ListedKind::CreditNotes, &[])]
    {
        // Stripe's list of credit notes takes no more than the customer.
        let recent = if kind == ListedKind::CreditNotes { &recent[..1] } else { &recent[..] };
        for object in listed(stripe, kind, &[recent, more].concat())? {
            if object.is_final && is_missing(app, &object, now)? {
                let found = candidate(prefetcher, &object, now, now)?;
                intents.extend(payment_intent(&found));
                candidates.push(found);
            }
        }
    }
    for intent in &intents {
        candidates.extend(given_back(prefetcher, stripe, intent, now)?);
    }
    Ok(candidates)
}

fn listed(stripe: &Stripe, kind: ListedKind, filters: &[(&str, &str)]) -> Result<Vec<ListedObject>> {
    stripe.objects_of(kind, filters, Deadline::after(PATIENCE)).map_err(StripeError::for_operator)
}

/// The refunds and disputes of a payment.
fn given_back(
    prefetcher: &mut Prefetcher<'_>,
    stripe: &Stripe,
    intent: &str,
    now: Timestamp,
) -> Result<Vec<Candidate>> {
    let mut candidates = vec![];
    for kind in [ListedKind::Refunds, ListedKind::Disputes] {
        for object in listed(stripe, kind, &[("payment_intent", intent)])? {
            candidates.push(candidate(prefetcher, &object, now, now)?);
        }
    }
    Ok(candidates)
}

fn payment_intent(candidate: &Candidate) -> Option<String> {
    match &candidate.prefetched.event {
        Event::Checkout(session, _) => session.payment_intent.clone(),
        Event::Invoice(invoice) => invoice.payment_intent.clone(),
        _ => None,
    }
}

/// Whether neither the books nor the inbox have an object.
fn is_missing(app: &App, object: &ListedObject, now: Timestamp) -> Result<bool> {
    let event = object.event_id(now);
    app.store.read(|tx| Ok(payments::find(tx, &object.id)?.is_none() && inbox::by_id(tx, &event)?.is_none()))
}

fn candidate(
    prefetcher: &mut Prefetcher<'_>,
    object: &ListedObject,
    as_of: Timestamp,
    now: Timestamp,
) -> Result<Candidate> {
    let (envelope, body): (EventEnvelope, String) = object.as_event(as_of, now);
    Ok(Candidate {
        row: None,
        happened_at: envelope.happened_at(),
        prefetched: prefetcher.prefetch(&envelope)?,
        event: incoming(&envelope, body, now),
    })
}

/// Applies what still needs it, in the transaction that made the owner known.
pub(super) fn apply_all(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    candidates: &[Candidate],
    now: Timestamp,
) -> Result<(Vec<LinkedEvent>, Vec<LogEvent>)> {
    let (mut events, mut log_events) = (vec![], vec![]);
    for candidate in candidates {
        let current = inbox::by_id(tx, &candidate.event.id)?;
        let is_unapplied = |row: &InboxRow| matches!(row.decision.status, Status::Unmatched | Status::Ignored);
        let outcome = match (&candidate.row, current) {
            (Some(_), Some(row)) if is_unapplied(&row) => reapply(tx, catalog, &row, &candidate.prefetched, now)?,
            (None, None) => {
                let stripe_answered = candidate.prefetched.stripe_answered;
                let happened_at = candidate.happened_at;
                let context = ApplyContext { stripe_answered, happened_at, ..ApplyContext::new(catalog, now) };
                let outcome = outcome_of(tx, &context, &candidate.prefetched.event)?;
                store(tx, catalog, &candidate.event, outcome, now)?
            }
            // It was applied meanwhile, with what it waited for.
            (Some(_), Some(row)) if row.decision.status == Status::Applied => {
                EventOutcome::applied(row.decision.detail)
            }
            _ => continue,
        };
        log_events.extend(outcome.log_events.clone());
        if outcome.status != Status::Ignored {
            let (id, kind) = (candidate.event.id.clone(), candidate.event.kind.clone());
            events.push(LinkedEvent { id, kind, outcome });
        }
    }
    Ok((events, log_events))
}

/// Stripe's side of [`link`], where the payment at hand is assigned even if Stripe does not answer: the next comparison
/// brings the rest.
pub(super) fn at_stripe_or_later(
    prefetcher: &mut Prefetcher<'_>,
    app: &App,
    customer: &str,
    now: Timestamp,
) -> Vec<Candidate> {
    if prefetcher.is_silent() {
        return vec![];
    }
    at_stripe(prefetcher, app, customer, now).unwrap_or_else(|error| {
        tracing::warn!(event = "stripe_not_answered", customer, error = %error);
        vec![]
    })
}
