//! One page of one of Stripe's lists: what is missing in the books is applied, and the payments that it describes as the
//! books do are marked as confirmed. The books are read once for a page, not once for a row.

use crate::app::App;
use crate::clock::{Timestamp, month_of};
use crate::error::Result;
use crate::store::inbox::{self, Status};
use crate::store::{Tx, confirmations, payments};
use crate::stripe::event::TYPES;
use crate::stripe::{Described, EventEnvelope, List, ListedEvent, ListedObject, UnreadableRow};
use crate::usecase::stripe_events::apply::opening;
use crate::usecase::stripe_events::receive;
use crate::usecase::stripe_events::reconcile::confirm::{self, PaidObject};
use crate::usecase::stripe_events::reconcile::report::{ComparisonError, Report};
use crate::usecase::stripe_events::reconcile::scan::{PageSpan, Part};
use crate::usecase::stripe_events::reconcile::subscription;

/// What the pages of one list have in common.
pub(super) struct PageContext<'a> {
    pub(super) app: &'a App,
    pub(super) part: Part,
    /// Payments that were confirmed at this time or later are not marked again. `None`: at any time.
    pub(super) confirmed_since: Option<Timestamp>,
    /// Rows made until then that cannot be read were told of before.
    pub(super) told_to: Option<Timestamp>,
}

/// A page that is in the books.
#[derive(Default)]
pub(super) struct ComparedPage {
    pub(super) span: PageSpan,
    pub(super) rows: u64,
}

type Compared<T> = std::result::Result<T, ComparisonError>;

/// Compares one page of events.
pub(super) fn events(
    context: &PageContext<'_>,
    page: List<std::result::Result<ListedEvent, UnreadableRow>>,
    report: &mut Report,
) -> Compared<ComparedPage> {
    let (mut compared, readable) = readable(context, page, report);
    let mut missing = vec![];
    let mut described = vec![];
    for ListedEvent { event, body } in readable {
        compared.span.add(event.created);
        if TYPES.contains(&event.kind.as_str()) {
            described.push(event.event());
            missing.push((event, body));
        }
    }
    apply_missing(context.app, missing, report)?;
    let paid: Vec<PaidObject<'_>> = described.iter().filter_map(PaidObject::of_event).collect();
    confirm::mark_confirmed(context.app, &paid, context.confirmed_since)?;
    Ok(compared)
}

/// Compares one page of objects.
pub(super) fn objects(
    context: &PageContext<'_>,
    page: List<std::result::Result<ListedObject, UnreadableRow>>,
    report: &mut Report,
) -> Compared<ComparedPage> {
    let (mut compared, objects) = readable(context, page, report);
    objects.iter().for_each(|object| compared.span.add(object.created));
    let now = context.app.clock.now();
    let missing = context.app.store.read(|tx| {
        let mut missing = vec![];
        for object in &objects {
            let as_of = match &object.described {
                Described::Subscription(described) => subscription::as_of(tx, context.app, described)?,
                _ => object.is_final.then_some(now),
            };
            missing.extend(as_of.map(|as_of| object.as_event(as_of, now)));
        }
        Ok(missing)
    })?;
    apply_missing(context.app, missing, report)?;
    let paid: Vec<(&ListedObject, PaidObject<'_>)> = objects
        .iter()
        .filter(|object| object.is_final)
        .filter_map(|object| Some((object, PaidObject::of_row(&object.described)?)))
        .collect();
    context.app.store.read(|tx| compare_amounts(tx, &paid, report))?;
    let paid: Vec<PaidObject<'_>> = paid.into_iter().map(|(_, object)| object).collect();
    confirm::mark_confirmed(context.app, &paid, context.confirmed_since)?;
    Ok(compared)
}

/// The rows that can be read. The others are counted and named in the report, and belong to the page's span as well.
fn readable<T>(
    context: &PageContext<'_>,
    page: List<std::result::Result<T, UnreadableRow>>,
    report: &mut Report,
) -> (ComparedPage, Vec<T>) {
    let rows = u64::try_from(page.rows.len()).unwrap_or(u64::MAX);
    let mut span = PageSpan::before(page.last_id.filter(|_| page.has_more));
    let mut readable = vec![];
    for row in page.rows {
        match row {
            Ok(row) => readable.push(row),
            Err(row) => {
                row.created.into_iter().for_each(|created| span.add(created));
                if row.created.is_none() || row.created > context.told_to {
                    report.add_unreadable(context.part, &row);
                }
            }
        }
    }
    (ComparedPage { span, rows }, readable)
}

/// Applies objects that are final, where the books do not have them yet.
pub(in crate::usecase::stripe_events) fn apply_final(app: &App, objects: &[ListedObject]) -> Result<()> {
    let now = app.clock.now();
    let is_final = objects.iter().filter(|object| object.is_final);
    apply_missing(app, is_final.map(|object| object.as_event(now, now)).collect(), &mut Report::default())
}

/// Applies the events that the inbox does not have yet, and counts them.
fn apply_missing(app: &App, events: Vec<(EventEnvelope, String)>, report: &mut Report) -> Result<()> {
    report.found += u64::try_from(events.len()).unwrap_or(u64::MAX);
    let known: Vec<bool> =
        app.store.read(|tx| events.iter().map(|(event, _)| is_known(tx, event)).collect::<Result<_>>())?;
    for ((event, body), _) in events.into_iter().zip(known).filter(|(_, is_known)| !is_known) {
        match receive::ingest(app, event, body, app.clock.now())? {
            Status::Applied => report.applied += 1,
            Status::Ignored => {}
            Status::Waiting => report.waiting += 1,
            Status::Unmatched => report.unmatched += 1,
            Status::Failed => report.failed += 1,
        }
    }
    Ok(())
}

fn is_known(tx: &mut dyn Tx, event: &EventEnvelope) -> Result<bool> {
    let object = event.object.get("id").and_then(|id| id.as_str()).unwrap_or_default();
    let is_paid_object = object.starts_with("cs_") || object.starts_with("in_");
    if event.id.starts_with("sweep_") && is_paid_object && payments::find(tx, object)?.is_some() {
        return Ok(true);
    }
    Ok(inbox::by_id(tx, &event.id)?.is_some_and(|row| row.decision.status != Status::Failed))
}

/// Whether the event was ignored because nothing in it is ours, or because the operator closed it.
fn is_not_ours(tx: &mut dyn Tx, event: &str) -> Result<bool> {
    Ok(inbox::by_id(tx, event)?.is_some_and(|row| row.decision.ignore_reason.is_some()))
}

/// Adds what Stripe says was paid, and what the books say, to the amounts of each month.
fn compare_amounts(tx: &mut dyn Tx, paid: &[(&ListedObject, PaidObject<'_>)], report: &mut Report) -> Result<()> {
    for (row, object) in paid {
        let Some((amount, currency)) = object.total() else { continue };
        let payment = confirmations::find(tx, object.id())?;
        if payment.is_none() && (is_not_ours(tx, &row.event_id(row.created))? || opening::has(tx, object.id())?) {
            report.foreign += 1;
            continue;
        }
        // A pack's invoice is the money of its checkout again.
        if object.is_invoice() && payment.as_ref().is_some_and(|payment| payment.session.is_some()) {
            continue;
        }
        let booked = match payment {
            // Some of Stripe's API versions state the total in another currency than others.
            Some(payment) if object.has_total(payment.amount, &payment.currency) => amount,
            Some(payment) => payment.amount,
            None => 0,
        };
        let amounts = report.amounts.entry((month_of(row.created), currency)).or_default();
        amounts.stripe += amount;
        amounts.books += booked;
    }
    Ok(())
}
