//! Compares Stripe with the books, in both directions. First Stripe's events since the last run, then its objects, since
//! Stripe keeps events for only 30 days and may never have sent some. What is missing is applied like a webhook, so a
//! comparison is safe while webhooks arrive. Then the payments of the books: each must be at Stripe as it is here
//! (`confirm`). An interrupted comparison is simply run again, and continues where it stopped (`scan`).

pub(super) mod confirm;
mod pages;
pub mod poll;
pub mod record;
mod report;
mod scan;
mod subscription;

use std::time::Duration;

use crate::app::App;
use crate::clock::{DAY_SECONDS, Deadline, Timestamp};
use crate::error::Result;
use crate::store::cursors;
use crate::stripe::{EventFilter, ListQuery, ListedKind};
use crate::usecase::audit;
use crate::usecase::stripe_events::retry;

pub(super) use pages::apply_final;
use record::ComparisonRecord;
pub(super) use report::ComparisonError;
pub use report::{Amounts, Progress, Report, UnconfirmedPayment};
pub use scan::Part;
use scan::{CURSOR, FIRST_DAYS, OVERLAP_SECONDS, Scan};

const PATIENCE: Duration = Duration::from_secs(20);
/// Subscriptions are compared from the beginning: even an old one may have changed at any time since.
const BEGINNING: Timestamp = Timestamp::from_millis(0);
/// The most rounds of asking about subscriptions whose events had no clear order.
const ROUNDS_LIMIT: usize = 1_000;

/// Adds to the audit what a comparison that somebody asked for has applied. (One of the timer is only logged.)
pub fn record(app: &App, report: &Report) -> Result<()> {
    let detail = format!("looked at {}, applied {}, unmatched {}", report.found, report.applied, report.unmatched);
    audit::write(app, move |tx, trail| trail.add(tx, "reconciled", "stripe", detail.clone()))
}

/// Up to when Stripe's events are compared; `None` before the first comparison that found one.
pub fn compared_to(app: &App) -> Result<Option<Timestamp>> {
    Ok(app.store.read(|tx| cursors::find(tx, CURSOR))?.map(|(position, _)| position))
}

/// Compares from `since`, or from where the last comparison ended. With `with_objects` the objects are compared too:
/// those since then or of the last 30 days, and every subscription. Calls `progress` after each page.
pub fn reconcile(
    app: &App,
    since: Option<Timestamp>,
    with_objects: bool,
    mut progress: impl FnMut(Progress, &Report),
) -> Result<Report> {
    reconcile_while(app, since, with_objects, |at, report| {
        progress(at, report);
        true
    })
}

/// Like [`reconcile`], but ends with a fault after the page at which `goes_on` is false. The next run continues there.
pub fn reconcile_while(
    app: &App,
    since: Option<Timestamp>,
    with_objects: bool,
    mut goes_on: impl FnMut(Progress, &Report) -> bool,
) -> Result<Report> {
    let mut record = ComparisonRecord::begin(app, record::asked(app)?)?;
    let compared = compare(app, since, with_objects, |progress, report| {
        record.advance(app, progress);
        goes_on(progress, report)
    });
    record.end(app, &compared)?;
    compared
}

fn compare(
    app: &App,
    since: Option<Timestamp>,
    with_objects: bool,
    goes_on: impl FnMut(Progress, &Report) -> bool,
) -> Result<Report> {
    let started = app.clock.now();
    let cursor = app.store.read(|tx| cursors::find(tx, CURSOR))?;
    let first = started.plus_seconds(-FIRST_DAYS * DAY_SECONDS);
    let usual = cursor.map_or(first, |(at, _)| at.plus_seconds(-OVERLAP_SECONDS));
    let from = since.unwrap_or(usual);
    let mut run = Run { app, started, confirmed_since: None, report: Report::default(), goes_on };
    let has_events = run.events(from, usual)?;
    let objects_from = if with_objects { since.unwrap_or(first) } else { from };
    let kinds: &[ListedKind] = match (with_objects, has_events) {
        (true, _) => &ListedKind::ALL,
        (false, true) => &[],
        // Without events, what changed lately is looked for among the objects.
        (false, false) => ListedKind::WITHOUT_SUBSCRIPTIONS,
    };
    if with_objects {
        run.confirmed_since = Some(started);
    }
    let has_payments = run.objects(kinds, objects_from)?;
    run.payments(has_payments.then_some(objects_from))?;
    let report = run.report;
    if report.unasked.is_empty() {
        let parts: Vec<Part> = kinds.iter().map(|kind| Part::Objects(*kind)).chain([Part::Events]).collect();
        scan::finish(app, &parts)?;
    }
    let Report { found, applied, unmatched, foreign, waiting, failed, unreadable, unconfirmed, .. } = &report;
    tracing::info!(
        event = "reconcile_finished",
        found,
        applied,
        unmatched,
        foreign,
        waiting,
        failed,
        unreadable,
        unconfirmed,
        agrees = report.is_clean()
    );
    Ok(report)
}

/// A comparison under way.
struct Run<'a, G> {
    app: &'a App,
    started: Timestamp,
    /// Payments that Stripe confirmed at this time or later count as confirmed by this run. `None` if any time will do.
    confirmed_since: Option<Timestamp>,
    report: Report,
    goes_on: G,
}

type Compared<T> = std::result::Result<T, ComparisonError>;

impl<G: FnMut(Progress, &Report) -> bool> Run<'_, G> {
    /// Compares the events. Returns `false` if our key may not read them.
    fn events(&mut self, from: Timestamp, usual: Timestamp) -> Result<bool> {
        let newest = match self.list(Part::Events, from) {
            Ok(newest) => newest,
            Err(error) if error.is_forbidden() => {
                self.report.add_unasked(Part::Events, &error);
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        // A run that starts later than the last one ended leaves a gap for the next run to compare.
        if let Some(newest) = newest.filter(|_| from <= usual) {
            let started = self.started;
            self.app.store.write(move |tx| cursors::advance(tx, CURSOR, newest, started))?;
        }
        Ok(true)
    }

    /// Compares all objects of these kinds. Returns whether all those of payments could be compared.
    fn objects(&mut self, kinds: &[ListedKind], from: Timestamp) -> Result<bool> {
        let mut has_payments = true;
        for kind in kinds {
            let from = if *kind == ListedKind::Subscriptions { BEGINNING } else { from };
            match self.list(Part::Objects(*kind), from) {
                Ok(_) => {}
                Err(error @ ComparisonError::Stopped) => return Err(error.into()),
                Err(error) => {
                    // The other lists are compared anyway.
                    self.report.add_unasked(Part::Objects(*kind), &error);
                    has_payments &= !kind.is_paid();
                }
            }
            if *kind == ListedKind::Subscriptions {
                self.ask_about_ambiguous();
            }
        }
        Ok(has_payments)
    }

    fn ask_about_ambiguous(&mut self) {
        for _ in 0..ROUNDS_LIMIT {
            match retry::ask_about_ambiguous(self.app) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    return self.report.add_unasked(Part::Objects(ListedKind::Subscriptions), &error.into());
                }
            }
        }
    }

    /// Compares the payments of the books with Stripe: those since `from`, and in any case those in doubt.
    fn payments(&mut self, from: Option<Timestamp>) -> Result<()> {
        let Run { app, started, confirmed_since, report, goes_on } = self;
        let span = from.map(|from| confirm::PaymentSpan { from, to: *started, confirmed_since: *confirmed_since });
        match confirm::walk(app, span, report, goes_on) {
            Ok(()) => Ok(()),
            Err(error @ ComparisonError::Stopped) => Err(error.into()),
            Err(error) => {
                report.add_unasked(Part::Payments, &error);
                Ok(())
            }
        }
    }

    /// Compares one list, page by page, newest first. Returns the time of its newest row.
    fn list(&mut self, part: Part, from: Timestamp) -> Compared<Option<Timestamp>> {
        let app = self.app;
        let mut scan = Scan::begin(app, part, from)?;
        self.report.is_resumed |= scan.is_resumed;
        if let Part::Objects(kind) = part
            && kind.is_paid()
        {
            // What an interrupted run has confirmed is not listed again.
            self.confirmed_since = self.confirmed_since.map(|since| since.min(scan.began()));
        }
        let mut rows = 0;
        while let Some(query) = scan.next() {
            let page = self.page(part, query)?;
            rows += page.rows;
            scan.page_done(app, page.span)?;
            let progress = Progress { part, rows, percent: scan.percent(), is_done: scan.next().is_none() };
            if !(self.goes_on)(progress, &self.report) {
                return Err(ComparisonError::Stopped);
            }
        }
        Ok(scan.top())
    }

    fn page(&mut self, part: Part, query: &ListQuery) -> Compared<pages::ComparedPage> {
        let stripe = self.app.stripe()?;
        let deadline = Deadline::after(PATIENCE);
        let context = pages::PageContext { app: self.app, part, confirmed_since: self.confirmed_since, told_to: None };
        match part {
            Part::Events => {
                let filter = EventFilter { page: query.clone(), ..EventFilter::default() };
                pages::events(&context, stripe.list_events(&filter, deadline)?, &mut self.report)
            }
            Part::Objects(kind) => {
                pages::objects(&context, stripe.list_objects(kind, query, deadline)?, &mut self.report)
            }
            Part::Payments => Ok(pages::ComparedPage::default()),
        }
    }
}
