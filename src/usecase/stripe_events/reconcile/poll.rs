//! Stripe's events where no webhook brings them: the list since the last time, newest first, through the same door. It
//! keeps the same position as a comparison (`scan`), so either goes on where the other stopped, and reads the last hour again,
//! since Stripe lists some rows late. What was there before is found by its id and applied no second time.
//!
//! After a gap, what is newest comes first, and what is older in bounded parts: a purchase of this minute does not wait for
//! those of a month.

use std::time::Duration;

use crate::app::App;
use crate::clock::{DAY_SECONDS, Deadline, Timestamp};
use crate::error::{Error, Fault, Result};
use crate::store::cursors;
use crate::stripe::EventFilter;
use crate::usecase::stripe_events::reconcile::pages;
use crate::usecase::stripe_events::reconcile::report::{ComparisonError, Report};
use crate::usecase::stripe_events::reconcile::scan::{self, CURSOR, FIRST_DAYS, OVERLAP_SECONDS, Part, Scan};

/// How long an answer is waited for where nobody waits for ours.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// When Stripe last told everything.
const POLLED: &str = "stripe_polled";
/// Pages of what is older than the last position, in one round.
const OLDER_PAGES: usize = 20;

/// What one round found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollRound {
    pub applied: u64,
    /// Whether Stripe has told everything. Otherwise the next round goes on at once.
    pub is_done: bool,
}

/// Asks Stripe for its events since the last time. Ends after the page at which `goes_on` is false; the next round goes on
/// there. Fails if Stripe does not answer within `patience`, or if our key may not read events.
pub fn poll(app: &App, patience: Duration, goes_on: impl Fn() -> bool) -> Result<PollRound> {
    let started = app.clock.now();
    let cursor = app.store.read(|tx| cursors::find(tx, CURSOR))?;
    let first = started.plus_seconds(-FIRST_DAYS * DAY_SECONDS);
    let from = cursor.map_or(first, |(at, _)| at.plus_seconds(-OVERLAP_SECONDS));
    let mut scan = Scan::begin(app, Part::Events, from)?;
    let mut report = Report::default();
    let mut older = 0;
    while let Some(query) = scan.next() {
        if !goes_on() || older == OLDER_PAGES {
            return Ok(PollRound { applied: report.applied, is_done: false });
        }
        older += usize::from(scan.is_below());
        let filter = EventFilter { page: query.clone(), ..EventFilter::default() };
        let listed = app.stripe()?.list_events(&filter, Deadline::after(patience)).map_err(ComparisonError::from);
        let context =
            pages::PageContext { app, part: Part::Events, confirmed_since: None, told_to: cursor.map(|(at, _)| at) };
        let page = listed.and_then(|listed| pages::events(&context, listed, &mut report)).map_err(in_words)?;
        scan.page_done(app, page.span)?;
    }
    let newest = scan.top();
    app.store.write(move |tx| {
        cursors::put(tx, POLLED, started, started)?;
        newest.map_or(Ok(()), |newest| cursors::advance(tx, CURSOR, newest, started))
    })?;
    scan::finish(app, &[Part::Events])?;
    Ok(PollRound { applied: report.applied, is_done: true })
}

/// When Stripe last told everything; `None` before the first time.
pub fn polled_at(app: &App) -> Result<Option<Timestamp>> {
    Ok(app.store.read(|tx| cursors::find(tx, POLLED))?.map(|(at, _)| at))
}

/// After how long without an answer something is wrong, where Stripe is asked so often.
pub fn late_after(interval: Duration) -> Duration {
    interval.saturating_mul(4) + PATIENCE
}

/// Nobody reads a report of a poll, so a key that may not read events is said to the log.
fn in_words(error: ComparisonError) -> Error {
    if error.is_forbidden() {
        let what = "the key may not read Stripe's events, and no webhook brings them: give it Events (Read), or set \
                    SPRITE_STRIPE_WEBHOOK_SECRET";
        return Fault::bare(what).into();
    }
    error.into()
}
