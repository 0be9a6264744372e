//! Reads one of Stripe's lists so that an interruption costs one page and not the whole list. This file does not look
//! at rows: the caller handles them.
//!
//! Progress is stored as a span: "everything made from `down` to `top` has been compared". Lists are newest first, so
//! the first page gives `top` and each further one moves `down`. The span is stored after a page's rows are in the
//! books, never before. A run that finds a span first reads what is above it, then what is below it.
//!
//! Why nothing is skipped:
//! - Within a run, pages follow each other by the last row's id, so new rows at the head shift nothing. They are above
//!   `top`, which is what Stripe listed first and not the time of our clock. The next run reads them.
//! - A span consists of Stripe's own times and not of places in a list, so it stays true whatever is added or deleted.
//!   Both ends are read again including their second, whose rows may be on two pages. The upper end is read again with
//!   one hour more, since Stripe lists some rows late.
//! - What is above a span joins it only when all of it is done. Otherwise a second interruption would leave a gap
//!   between that and the old `top`.
//! - Each span is true by itself, so two runs at once may overwrite each other's. That costs pages, not rows.
//! - A span ends with the run that finishes, and counts for a day at most. A compared object may have changed since, so
//!   it is compared again as often as if no run had been interrupted.

use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::error::{Fault, Result};
use crate::store::cursors;
use crate::stripe::{ListQuery, ListedKind};

/// Up to when Stripe's events are compared.
pub(super) const CURSOR: &str = "stripe_events";
/// How far back the first run reads: as long as Stripe keeps events.
pub(super) const FIRST_DAYS: i64 = 30;
/// The last hour is read again: Stripe lists some rows late.
pub(super) const OVERLAP_SECONDS: i64 = 3600;
/// How long a span counts.
const SPAN_SECONDS: i64 = DAY_SECONDS;
/// Pages of one list in one run: a hundred rows each.
const PAGES_LIMIT: usize = 10_000;

/// One of the lists that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Events,
    Objects(ListedKind),
    /// The payments of the books that Stripe is asked about. They are no list of Stripe's.
    Payments,
}

impl Part {
    /// The list's name in reports and in stored cursors.
    pub fn word(self) -> &'static str {
        match self {
            Part::Events => "events",
            Part::Objects(kind) => kind.word(),
            Part::Payments => "payments",
        }
    }

    /// What a restricted key needs to read it, where Stripe does not say it.
    pub(super) fn permission(self) -> &'static str {
        match self {
            Part::Events => "rak_event_read",
            Part::Objects(kind) => kind.permission(),
            Part::Payments => "to read checkouts and invoices",
        }
    }

    fn cursor_names(self) -> (String, String) {
        (format!("{}_top", self.word()), format!("{}_down", self.word()))
    }
}

/// When the rows of a page were created, and where the next page begins.
#[derive(Clone, Debug, Default)]
pub(super) struct PageSpan {
    newest: Option<Timestamp>,
    oldest: Option<Timestamp>,
    /// The row after which the next page begins; `None` on the last page.
    next_after: Option<String>,
}

impl PageSpan {
    /// The span of a page before any of its rows is added.
    pub(super) fn before(next_after: Option<String>) -> PageSpan {
        PageSpan { next_after, ..PageSpan::default() }
    }

    /// Adds a row by its time of creation.
    pub(super) fn add(&mut self, made: Timestamp) {
        self.newest = self.newest.max(Some(made));
        self.oldest = Some(self.oldest.map_or(made, |oldest| oldest.min(made)));
    }
}

#[derive(Clone, Copy, Debug)]
struct ComparedSpan {
    top: Timestamp,
    down: Timestamp,
    began: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Reading what is newer than the span.
    Above,
    /// Reading what is older; everything where there is no span.
    Below,
    Finished,
}

/// One pass over a list.
pub(super) struct Scan {
    part: Part,
    from: Timestamp,
    began: Timestamp,
    span: Option<ComparedSpan>,
    newest: Option<Timestamp>,
    phase: Phase,
    query: ListQuery,
    pages: usize,
    /// Whether it continues an interrupted run.
    pub is_resumed: bool,
}

impl Scan {
    /// Begins or continues a pass over everything created at `from` or later.
    pub(super) fn begin(app: &App, part: Part, from: Timestamp) -> Result<Scan> {
        let began = app.clock.now();
        let span = app.store.read(|tx| {
            let (top, down) = part.cursor_names();
            Ok(cursors::find(tx, &top)?.zip(cursors::find(tx, &down)?))
        })?;
        let span = span.map(|((top, began), (down, _))| ComparedSpan { top, down, began });
        let is_young = |span: &ComparedSpan| span.began <= began && began < span.began.plus_seconds(SPAN_SECONDS);
        // A span that ends before `from` would leave a gap if it were extended, so it is replaced.
        let span = span.filter(|span| is_young(span) && from <= span.top);
        let (phase, asked_from) = match span {
            Some(span) => (Phase::Above, span.top.plus_seconds(-OVERLAP_SECONDS)),
            None => (Phase::Below, from),
        };
        let query = ListQuery { created_from: Some(asked_from), ..ListQuery::default() };
        Ok(Scan { part, from, began, span, newest: None, phase, query, pages: 0, is_resumed: span.is_some() })
    }

    /// When the pass began; if it is resumed, when the interrupted one began.
    pub(super) fn began(&self) -> Timestamp {
        self.span.map_or(self.began, |span| span.began)
    }

    /// The page to ask for next; `None` when the pass is finished.
    pub(super) fn next(&self) -> Option<&ListQuery> {
        (self.phase != Phase::Finished).then_some(&self.query)
    }

    /// Whether that page is of what is older than a span, or the first one where there is no span.
    pub(super) fn is_below(&self) -> bool {
        self.phase == Phase::Below
    }

    /// Records that the page is in the books, and moves on to the next.
    pub(super) fn page_done(&mut self, app: &App, page: PageSpan) -> Result<()> {
        self.newest = self.newest.max(page.newest);
        self.pages += 1;
        let is_last = page.next_after.is_none();
        self.query.after = page.next_after;
        match self.phase {
            Phase::Above if is_last => {
                if let Some(span) = &mut self.span {
                    span.top = span.top.max(self.newest.unwrap_or(span.top));
                    let rest = ListQuery { created_from: Some(self.from), created_to: Some(span.down), after: None };
                    self.phase = if self.from <= span.down { Phase::Below } else { Phase::Finished };
                    self.query = rest;
                }
            }
            Phase::Above | Phase::Finished => {}
            Phase::Below => {
                let top = self.span.map(|span| span.top).or(self.newest);
                let down = if is_last { Some(self.from.plus_seconds(-1)) } else { page.oldest };
                let began = self.span.map_or(self.began, |span| span.began);
                self.span = top.zip(down).map(|(top, down)| ComparedSpan { top, down, began }).or(self.span);
                self.phase = if is_last { Phase::Finished } else { Phase::Below };
            }
        }
        self.store_span(app)?;
        match self.pages < PAGES_LIMIT || self.phase == Phase::Finished {
            true => Ok(()),
            false => {
                Err(Fault::bare("the list has more pages than one run reads: run it again, and it continues").into())
            }
        }
    }

    /// The time of the newest row that was compared, once the pass is finished.
    pub(super) fn top(&self) -> Option<Timestamp> {
        self.span.map(|span| span.top)
    }

    /// How much of the time that the list covers is done. `None` if it is unknown when the list begins.
    pub(super) fn percent(&self) -> Option<i64> {
        if self.phase == Phase::Finished {
            return Some(100);
        }
        let span = self.span?;
        let whole = span.top.millis() - self.from.millis();
        let done = span.top.millis() - span.down.millis();
        (self.from.millis() > 0 && whole > 0).then(|| (done.saturating_mul(100) / whole).clamp(0, 99))
    }

    fn store_span(&self, app: &App) -> Result<()> {
        let Some(span) = self.span else { return Ok(()) };
        let (top, down) = self.part.cursor_names();
        let now = app.clock.now();
        app.store.write(move |tx| {
            // The upper end also carries when the span began.
            cursors::put(tx, &top, span.top, span.began)?;
            cursors::put(tx, &down, span.down, now)
        })
    }
}

/// Removes the spans of these lists: the run that made them has finished.
pub(super) fn finish(app: &App, parts: &[Part]) -> Result<()> {
    let names: Vec<String> = parts.iter().flat_map(|part| <[String; 2]>::from(part.cursor_names())).collect();
    app.store.write(move |tx| names.iter().try_for_each(|name| cursors::forget(tx, name)))
}
