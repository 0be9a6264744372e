//! Compares Stripe with the books: first its events since the last run, then its objects, since Stripe keeps events for
//! only 30 days and may never have sent some. What is missing is applied like a webhook, so a comparison is safe while
//! webhooks arrive. An interrupted comparison is simply run again, and continues where it stopped (`scan`).

mod scan;
mod subscription;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::App;
use crate::clock::{DAY_SECONDS, Deadline, Timestamp, month_of};
use crate::error::Result;
use crate::store::inbox::Status;
use crate::store::{cursors, inbox, payments};
use crate::stripe::event::TYPES;
use crate::stripe::{EventEnvelope, EventFilter, ListQuery, ListedKind, ListedObject};
use crate::usecase::stripe_events::{receive, retry};

pub use scan::Part;
use scan::{OVERLAP_SECONDS, PageSpan, Scan};

/// How far back the first run reads: as long as Stripe keeps events.
const FIRST_DAYS: i64 = 30;
const PATIENCE: Duration = Duration::from_secs(20);
const CURSOR: &str = "stripe_events";
/// Subscriptions are compared from the beginning: even an old one may have changed at any time since.
const BEGINNING: Timestamp = Timestamp::from_millis(0);
/// The most rounds of asking about subscriptions whose events had no clear order.
const ROUNDS_LIMIT: usize = 1_000;

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Stripe's events and objects that were compared.
    pub found: u64,
    /// Were missing, and are applied now.
    pub applied: u64,
    /// Were missing, and it is unknown who paid, or for what.
    pub unmatched: u64,
    /// Were missing, and wait for something else.
    pub waiting: u64,
    /// Were missing, and applying them failed.
    pub failed: u64,
    /// Whether it continued an interrupted comparison. What that one compared is not counted here.
    pub is_resumed: bool,
    /// Lists that Stripe did not return, and why. They were not compared.
    pub unasked: Vec<String>,
    /// Paid objects in which nothing is ours, or that the operator closed. Their amounts are not compared.
    pub foreign: u64,
    /// By month and currency.
    pub amounts: BTreeMap<(String, String), Amounts>,
}

/// Minor units that were paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    pub stripe: i64,
    pub books: i64,
}

/// How far a comparison has come in one of its lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub part: Part,
    pub rows: u64,
    /// Of the time that the list covers. `None` if it is unknown when the list begins.
    pub percent: Option<i64>,
    pub is_done: bool,
}

impl Report {
    /// Whether the books agree with Stripe.
    pub fn is_clean(&self) -> bool {
        self.unasked.is_empty()
            && self.unmatched == 0
            && self.waiting == 0
            && self.failed == 0
            && self.amounts.values().all(|amounts| amounts.stripe == amounts.books)
    }
}

/// Compares from `since`, or from where the last comparison ended. With `with_objects` the objects are compared too:
/// those since then or of the last 30 days, and every subscription. Calls `progress` after each page.
pub fn reconcile(
    app: &App,
    since: Option<Timestamp>,
    with_objects: bool,
    mut progress: impl FnMut(Progress, &Report),
) -> Result<Report> {
    let started = app.clock.now();
    let cursor = app.store.read(|tx| cursors::find(tx, CURSOR))?;
    let first = started.plus_seconds(-FIRST_DAYS * DAY_SECONDS);
    let usual = cursor.map_or(first, |(at, _)| at.plus_seconds(-OVERLAP_SECONDS));
    let from = since.unwrap_or(usual);
    let mut report = Report::default();
    let newest = compare_list(app, Part::Events, from, &mut report, &mut progress)?;
    // A run that starts later than the last one ended leaves a gap for the next run to compare.
    if let Some(newest) = newest.filter(|_| from <= usual) {
        app.store.write(move |tx| cursors::advance(tx, CURSOR, newest, started))?;
    }
    let mut parts = vec![Part::Events];
    if with_objects {
        for kind in ListedKind::ALL {
            let from = if kind == ListedKind::Subscriptions { BEGINNING } else { since.unwrap_or(first) };
            if let Err(error) = objects(app, kind, from, &mut report, &mut progress) {
                // The other lists are compared anyway.
                tracing::warn!(event = "not_compared", what = kind.word(), error = %error);
                report.unasked.push(format!("{}: {error}", kind.word()));
            }
            parts.push(Part::Objects(kind));
        }
    }
    if report.unasked.is_empty() {
        scan::finish(app, &parts)?;
    }
    let Report { found, applied, unmatched, foreign, waiting, failed, .. } = &report;
    tracing::info!(
        event = "reconcile_finished",
        found,
        applied,
        unmatched,
        foreign,
        waiting,
        failed,
        agrees = report.is_clean()
    );
    Ok(report)
}

/// Compares all objects of one kind.
fn objects(
    app: &App,
    kind: ListedKind,
    from: Timestamp,
    report: &mut Report,
    progress: &mut impl FnMut(Progress, &Report),
) -> Result<()> {
    compare_list(app, Part::Objects(kind), from, report, progress)?;
    if kind == ListedKind::Subscriptions {
        for _ in 0..ROUNDS_LIMIT {
            if retry::ask_about_ambiguous(app)? == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// Compares one list, page by page, newest first. Returns the time of its newest row.
fn compare_list(
    app: &App,
    part: Part,
    from: Timestamp,
    report: &mut Report,
    progress: &mut impl FnMut(Progress, &Report),
) -> Result<Option<Timestamp>> {
    let mut scan = Scan::begin(app, part, from)?;
    report.is_resumed |= scan.is_resumed;
    let mut rows = 0;
    while let Some(query) = scan.next() {
        let (span, count) = match part {
            Part::Events => events_page(app, query, report)?,
            Part::Objects(kind) => objects_page(app, kind, query, report)?,
        };
        rows += count;
        scan.page_done(app, span)?;
        progress(Progress { part, rows, percent: scan.percent(), is_done: scan.next().is_none() }, report);
    }
    Ok(scan.top())
}

/// Compares one page of events. Returns its span and its number of rows.
fn events_page(app: &App, query: &ListQuery, report: &mut Report) -> Result<(PageSpan, u64)> {
    let filter = EventFilter { page: query.clone(), ..EventFilter::default() };
    let page = app.stripe()?.list_events(&filter, Deadline::after(PATIENCE))?;
    let mut span = PageSpan::before(page.last_id.filter(|_| page.has_more));
    let mut rows = 0;
    for listed in page.rows {
        rows += 1;
        let Ok(event) = listed.event else { continue };
        span.add(event.created);
        if TYPES.contains(&event.kind.as_str()) {
            apply_if_missing(app, event, listed.body, report)?;
        }
    }
    Ok((span, rows))
}

/// Compares one page of objects. Returns its span and its number of rows.
fn objects_page(app: &App, kind: ListedKind, query: &ListQuery, report: &mut Report) -> Result<(PageSpan, u64)> {
    let page = app.stripe()?.list_objects(kind, query, Deadline::after(PATIENCE))?;
    let mut span = PageSpan::before(page.last_id.filter(|_| page.has_more));
    let mut rows = 0;
    for object in page.rows {
        rows += 1;
        span.add(object.created);
        let now = app.clock.now();
        let as_of = match &object.subscription {
            Some(described) => subscription::as_of(app, described)?,
            None => object.is_final.then_some(now),
        };
        if let Some(as_of) = as_of {
            let (event, body) = object.as_event(as_of, now);
            apply_if_missing(app, event, body, report)?;
        }
        compare_amounts(app, &object, report)?;
    }
    Ok((span, rows))
}

/// Applies an event that the inbox does not have yet, and counts it.
fn apply_if_missing(app: &App, event: EventEnvelope, body: String, report: &mut Report) -> Result<()> {
    report.found += 1;
    let object = event.object.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
    let is_paid_object = object.starts_with("cs_") || object.starts_with("in_");
    let id = event.id.clone();
    let known = app.store.read(|tx| {
        let is_swept = id.starts_with("sweep_") && is_paid_object && payments::find(tx, &object)?.is_some();
        Ok(is_swept || inbox::by_id(tx, &id)?.is_some_and(|row| row.decision.status != Status::Failed))
    })?;
    if known {
        return Ok(());
    }
    match receive::ingest(app, event, body, app.clock.now())? {
        Status::Applied => report.applied += 1,
        Status::Ignored => {}
        Status::Waiting => report.waiting += 1,
        Status::Unmatched => report.unmatched += 1,
        Status::Failed => report.failed += 1,
    }
    Ok(())
}

/// Adds what Stripe says was paid, and what the books say, to the month's amounts.
fn compare_amounts(app: &App, object: &ListedObject, report: &mut Report) -> Result<()> {
    let Some((amount, currency)) = object.paid.clone() else { return Ok(()) };
    let (event, _) = object.as_event(object.created, object.created);
    let (payment, decision) = app
        .store
        .read(|tx| Ok((payments::find(tx, &object.id)?, inbox::by_id(tx, &event.id)?.map(|row| row.decision))))?;
    if payment.is_none() && decision.is_some_and(|decision| decision.ignore_reason.is_some()) {
        report.foreign += 1;
        return Ok(());
    }
    // A pack's invoice is the money of its checkout again.
    if object.kind == ListedKind::Invoices && payment.as_ref().is_some_and(|payment| payment.session.is_some()) {
        return Ok(());
    }
    let amounts = report.amounts.entry((month_of(object.created), currency)).or_default();
    amounts.stripe += amount;
    amounts.books += payment.map_or(0, |payment| payment.amount);
    Ok(())
}
