//! Stripe is compared with the books: its events since the last time, then its objects, for what is older than events are
//! kept (30 days) or was never sent. What is missing is applied through the same door as a webhook, so this is safe
//! beside live ones, and an interrupted run is simply run again: it goes on where that one had come to (`scan`).

mod scan;
mod subscription;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::App;
use crate::clock::{Deadline, Timestamp, month_of};
use crate::error::Result;
use crate::store::inbox::Status;
use crate::store::{cursors, inbox, payments};
use crate::stripe::event::TYPES;
use crate::stripe::{EventEnvelope, EventFilter, ListQuery, ListedKind, ListedObject};

use crate::usecase::stripe_events::receive;
use crate::usecase::stripe_events::retry;

pub use scan::Part;
use scan::{OVERLAP_SECONDS, Scan, Seen};

/// How far back the first run looks: as long as Stripe keeps events.
const FIRST_DAYS: i64 = 30;
const PATIENCE: Duration = Duration::from_secs(20);
const CURSOR: &str = "stripe_events";
/// From when on subscriptions are looked at: a plan of years ago may have changed at any time since.
const BEGINNING: Timestamp = Timestamp::from_millis(0);
/// Rounds of questions about subscriptions that time could not tell apart.
const ROUNDS_LIMIT: usize = 1_000;

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Events and objects of Stripe's that were looked at.
    pub found: u64,
    /// Of those, the ones that were missing and have been applied now.
    pub applied: u64,
    /// Missing, and it cannot be told who or what for.
    pub unmatched: u64,
    /// Missing, and waiting for something else.
    pub waiting: u64,
    /// Missing, and applying failed.
    pub failed: u64,
    /// Whether it went on where an interrupted comparison had come to: what that one looked at is not counted here.
    pub is_resumed: bool,
    /// Lists that Stripe did not give, and why: what they hold was not compared.
    pub unasked: Vec<String>,
    /// Amounts by month and currency, as Stripe has them and as the books have them.
    pub amounts: BTreeMap<(String, String), Amounts>,
}

/// Minor units that were paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// According to Stripe.
    pub stripe: i64,
    /// According to the books.
    pub books: i64,
}

/// How far a comparison has come in one of its lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which list.
    pub part: Part,
    /// Its rows that were looked at.
    pub rows: u64,
    /// How much of the time that it covers is done; none where it is not known when the list begins.
    pub percent: Option<i64>,
    /// Whether it is done.
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

/// Compares from `since`, or from where the last comparison ended. With `with_objects` the objects are compared as well as
/// the events: those of the last 30 days or since then, and every subscription. `progress` hears of each page.
pub fn reconcile(
    app: &App,
    since: Option<Timestamp>,
    with_objects: bool,
    mut progress: impl FnMut(Progress, &Report),
) -> Result<Report> {
    let started = app.clock.now();
    let cursor = app.store.read(|tx| cursors::find(tx, CURSOR))?;
    let first = started.plus_seconds(-FIRST_DAYS * 86_400);
    let usual = cursor.map_or(first, |(at, _)| at.plus_seconds(-OVERLAP_SECONDS));
    let from = since.unwrap_or(usual);
    let mut report = Report::default();
    let newest = go_through(app, Part::Events, from, &mut report, &mut progress)?;
    // A run for later times only leaves what lies before them to the next.
    if let Some(newest) = newest.filter(|_| from <= usual) {
        app.store.write(move |tx| cursors::advance(tx, CURSOR, newest, started))?;
    }
    let mut parts = vec![Part::Events];
    if with_objects {
        for kind in ListedKind::ALL {
            let from = if kind == ListedKind::Subscriptions { BEGINNING } else { since.unwrap_or(first) };
            if let Err(error) = objects(app, kind, from, &mut report, &mut progress) {
                // One list that cannot be had is no reason not to look at the others.
                tracing::warn!(event = "not_compared", what = kind.word(), error = %error);
                report.unasked.push(format!("{}: {error}", kind.word()));
            }
            parts.push(Part::Objects(kind));
        }
    }
    if report.unasked.is_empty() {
        scan::finish(app, &parts)?;
    }
    let Report { found, applied, unmatched, waiting, failed, .. } = &report;
    tracing::info!(
        event = "reconcile_finished",
        found,
        applied,
        unmatched,
        waiting,
        failed,
        agrees = report.is_clean()
    );
    Ok(report)
}

/// All objects of one kind.
fn objects(
    app: &App,
    kind: ListedKind,
    from: Timestamp,
    report: &mut Report,
    progress: &mut impl FnMut(Progress, &Report),
) -> Result<()> {
    go_through(app, Part::Objects(kind), from, report, progress)?;
    if kind == ListedKind::Subscriptions {
        for _ in 0..ROUNDS_LIMIT {
            if retry::ask_about_ambiguous(app)? == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// One list, page by page, newest first. Answers when its newest row was made.
fn go_through(
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
        let (seen, count) = match part {
            Part::Events => events_page(app, query, report)?,
            Part::Objects(kind) => objects_page(app, kind, query, report)?,
        };
        rows += count;
        scan.done(app, seen)?;
        progress(Progress { part, rows, percent: scan.percent(), is_done: scan.next().is_none() }, report);
    }
    Ok(scan.top())
}

/// A page of events, and how many there were.
fn events_page(app: &App, query: &ListQuery, report: &mut Report) -> Result<(Seen, u64)> {
    let filter = EventFilter { page: query.clone(), ..EventFilter::default() };
    let page = app.stripe()?.list_events(&filter, Deadline::after(PATIENCE))?;
    let (mut seen, mut count) = (Seen { after: page.last_id.filter(|_| page.has_more), ..Seen::default() }, 0);
    for listed in page.rows {
        count += 1;
        let Ok(event) = listed.event else { continue };
        seen.note(event.created);
        if TYPES.contains(&event.kind.as_str()) {
            apply_if_missing(app, event, listed.body, report)?;
        }
    }
    Ok((seen, count))
}

/// A page of objects of one kind, and how many there were.
fn objects_page(app: &App, kind: ListedKind, query: &ListQuery, report: &mut Report) -> Result<(Seen, u64)> {
    let page = app.stripe()?.list_objects(kind, query, Deadline::after(PATIENCE))?;
    let (mut seen, mut count) = (Seen { after: page.last_id.filter(|_| page.has_more), ..Seen::default() }, 0);
    for object in page.rows {
        count += 1;
        seen.note(object.created);
        let now = app.clock.now();
        let as_of = match &object.subscription {
            Some(described) => subscription::as_of(app, described)?,
            None => object.is_final.then_some(now),
        };
        if let Some(as_of) = as_of {
            let (event, body) = object.as_event(as_of, now);
            apply_if_missing(app, event, body, report)?;
        }
        compare(app, &object, report)?;
    }
    Ok((seen, count))
}

/// Applies what the books do not have yet, and counts it.
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

/// What Stripe says was paid beside what the books say.
fn compare(app: &App, object: &ListedObject, report: &mut Report) -> Result<()> {
    let Some((amount, currency)) = object.paid.clone() else { return Ok(()) };
    let payment = app.store.read(|tx| payments::find(tx, &object.id))?;
    // A pack's invoice is its checkout's money once more.
    if object.kind == ListedKind::Invoices && payment.as_ref().is_some_and(|payment| payment.session.is_some()) {
        return Ok(());
    }
    let amounts = report.amounts.entry((month_of(object.created), currency)).or_default();
    amounts.stripe += amount;
    amounts.books += payment.map_or(0, |payment| payment.amount);
    Ok(())
}
