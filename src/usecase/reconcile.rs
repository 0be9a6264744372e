//! Stripe is compared with the books: its events since the last time, then its objects, for what is older than events are
//! kept (30 days) or was never sent. What is missing is applied through the same door as a webhook, so this is safe
//! beside live ones, and an interrupted run is simply run again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::App;
use crate::clock::{Deadline, Timestamp, month_of};
use crate::error::Result;
use crate::store::inbox::Status;
use crate::store::{cursors, inbox, payments};
use crate::stripe::{Event, EventFilter, StripeObject, Sweep, Swept};

use super::receive;
use super::settle::HANDLED;

/// How far back the first run looks: as long as Stripe keeps events.
const FIRST_DAYS: i64 = 30;
/// Events are looked at again for so long: Stripe lists some late.
const OVERLAP_SECONDS: i64 = 3600;
const PATIENCE: Duration = Duration::from_secs(20);
const CURSOR: &str = "stripe_events";
/// Pages of one list: a hundred rows each.
const PAGES_LIMIT: usize = 10_000;

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

/// Compares from `since`, or from where the last comparison ended. With `sweep` the objects are compared as well as the
/// events. `progress` hears of each page.
pub fn reconcile(
    app: &App,
    since: Option<Timestamp>,
    sweep: bool,
    mut progress: impl FnMut(&Report),
) -> Result<Report> {
    let started = app.clock.now();
    let cursor = app.store.read(|tx| cursors::position(tx, CURSOR))?;
    let first = started.plus_seconds(-FIRST_DAYS * 86_400);
    let from = since.unwrap_or_else(|| cursor.map_or(first, |at| at.plus_seconds(-OVERLAP_SECONDS)));
    let mut report = Report::default();
    let newest = events(app, from, &mut report, &mut progress)?;
    if sweep {
        for swept in Swept::ALL {
            if let Err(error) = objects(app, swept, since.unwrap_or(first), &mut report, &mut progress) {
                // One list that cannot be had is no reason not to look at the others.
                tracing::warn!(event = "not_compared", what = ?swept, error = %error);
                report.unasked.push(format!("{swept:?}: {error}"));
            }
        }
    }
    if let Some(newest) = newest {
        app.store.write(move |tx| cursors::advance(tx, CURSOR, newest, started))?;
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

/// Stripe's events, newest first. Answers the time of the newest.
fn events(
    app: &App,
    from: Timestamp,
    report: &mut Report,
    progress: &mut impl FnMut(&Report),
) -> Result<Option<Timestamp>> {
    let mut filter = EventFilter { sweep: Sweep { created_from: Some(from), after: None }, ..EventFilter::default() };
    let mut newest = None;
    for _ in 0..PAGES_LIMIT {
        let page = app.stripe()?.list_events(&filter, Deadline::after(PATIENCE))?;
        for listed in page.rows {
            let Ok(event) = listed.event else { continue };
            newest = newest.max(Some(event.created));
            if HANDLED.contains(&event.kind.as_str()) {
                take(app, event, listed.body, report)?;
            }
        }
        progress(report);
        if !page.has_more || page.last_id.is_none() {
            break;
        }
        filter.sweep.after = page.last_id;
    }
    Ok(newest)
}

/// Stripe's objects of one kind, newest first.
fn objects(
    app: &App,
    swept: Swept,
    from: Timestamp,
    report: &mut Report,
    progress: &mut impl FnMut(&Report),
) -> Result<()> {
    let mut sweep = Sweep { created_from: Some(from), after: None };
    for _ in 0..PAGES_LIMIT {
        let page = app.stripe()?.list_objects(swept, &sweep, Deadline::after(PATIENCE))?;
        for object in page.rows {
            if object.is_settled {
                let (event, body) = object.as_event(app.clock.now());
                take(app, event, body, report)?;
                compare(app, &object, report)?;
            }
        }
        progress(report);
        if !page.has_more || page.last_id.is_none() {
            break;
        }
        sweep.after = page.last_id;
    }
    Ok(())
}

/// Applies what the books do not have yet, and counts it.
fn take(app: &App, event: Event, body: String, report: &mut Report) -> Result<()> {
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
    match receive::take(app, event, body, app.clock.now())? {
        Status::Applied => report.applied += 1,
        Status::Ignored => {}
        Status::Waiting => report.waiting += 1,
        Status::Unmatched => report.unmatched += 1,
        Status::Failed => report.failed += 1,
    }
    Ok(())
}

/// What Stripe says was paid beside what the books say.
fn compare(app: &App, object: &StripeObject, report: &mut Report) -> Result<()> {
    let Some((amount, currency)) = object.paid.clone() else { return Ok(()) };
    let payment = app.store.read(|tx| payments::find(tx, &object.id))?;
    // A pack's invoice is its checkout's money once more.
    if object.swept == Swept::Invoices && payment.as_ref().is_some_and(|payment| payment.session.is_some()) {
        return Ok(());
    }
    let amounts = report.amounts.entry((month_of(object.created), currency)).or_default();
    amounts.stripe += amount;
    amounts.books += payment.map_or(0, |payment| payment.amount);
    Ok(())
}
