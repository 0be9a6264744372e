//! Going through one of Stripe's lists so that an interruption costs a page and not the whole way. No rows here: what a
//! page holds is the caller's.
//!
//! What has been done is kept as a claim: "everything made from `down` to `top` has been looked at". Lists are newest
//! first, so the first page gives `top` and each further one moves `down`; the claim is stored after a page's rows are
//! in the books, never before. A run that finds a claim does first what lies above it, then what lies below it.
//!
//! Why nothing is skipped:
//! - Within a run, pages follow each other by the last row's id, so rows that appear at the head move nothing. They are
//!   above `top`: the next run's, for `top` is what Stripe listed first, not the time of our clock.
//! - A claim is a span of Stripe's own times and not a place in a list, so it stays true whatever is added or deleted. Both
//!   ends are asked for again including their second, whose rows may lie on two pages; and the upper end with an hour
//!   more, since Stripe lists some rows late.
//! - What lies above a claim is not claimed before all of it is done: otherwise a second interruption would leave a gap
//!   between that and the old `top`.
//! - Each claim is true by itself, so two runs side by side may overwrite each other's: that can cost pages, not rows.
//! - A claim ends with the run that finishes, and counts for nothing after a day: an object that was looked at may have
//!   changed since, and is looked at again as often as if no run had been interrupted.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::store::cursors;
use crate::stripe::{ListQuery, ListedKind};

/// Rows are looked at again for so long: Stripe lists some late.
pub(super) const OVERLAP_SECONDS: i64 = 3600;
/// How long a claim counts.
const CLAIM_SECONDS: i64 = 86_400;
/// Pages of one list in one run: a hundred rows each.
const PAGES_LIMIT: usize = 10_000;

/// One of the lists that are gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Stripe's events.
    Events,
    /// Its objects of one kind.
    Objects(ListedKind),
}

impl Part {
    /// What is in the list, in a word.
    pub fn word(self) -> &'static str {
        match self {
            Part::Events => "events",
            Part::Objects(kind) => kind.word(),
        }
    }

    fn ends(self) -> (String, String) {
        (format!("{}_top", self.word()), format!("{}_down", self.word()))
    }
}

/// What a page held.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// When its newest row was made.
    pub newest: Option<Timestamp>,
    /// When its oldest row was made.
    pub oldest: Option<Timestamp>,
    /// The row after which the next page begins; none when this was the last.
    pub after: Option<String>,
}

impl Seen {
    /// A row that was made then.
    pub(super) fn note(&mut self, made: Timestamp) {
        self.newest = self.newest.max(Some(made));
        self.oldest = Some(self.oldest.map_or(made, |oldest| oldest.min(made)));
    }
}

#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    top: Timestamp,
    down: Timestamp,
    began: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// What is newer than the claim.
    Above,
    /// What is older; everything where there is no claim.
    Below,
    Over,
}

/// A list under way.
pub(super) struct Scan {
    part: Part,
    from: Timestamp,
    began: Timestamp,
    claim: Option<Checkpoint>,
    newest: Option<Timestamp>,
    phase: Phase,
    query: ListQuery,
    pages: usize,
    /// Whether it goes on where an interrupted run had come to.
    pub is_resumed: bool,
}

impl Scan {
    /// Begins, or goes on: everything made at `from` or later.
    pub(super) fn begin(app: &App, part: Part, from: Timestamp) -> Result<Scan> {
        let began = app.clock.now();
        let claim = app.store.read(|tx| {
            let (top, down) = part.ends();
            Ok(cursors::find(tx, &top)?.zip(cursors::find(tx, &down)?))
        })?;
        let claim = claim.map(|((top, began), (down, _))| Checkpoint { top, down, began });
        let is_young = |claim: &Checkpoint| claim.began <= began && began < claim.began.plus_seconds(CLAIM_SECONDS);
        // One that ends before this run's time begins would leave a gap if it were extended: it is replaced.
        let claim = claim.filter(|claim| is_young(claim) && from <= claim.top);
        let (phase, asked_from) = match claim {
            Some(claim) => (Phase::Above, claim.top.plus_seconds(-OVERLAP_SECONDS)),
            None => (Phase::Below, from),
        };
        let query = ListQuery { created_from: Some(asked_from), ..ListQuery::default() };
        Ok(Scan { part, from, began, claim, newest: None, phase, query, pages: 0, is_resumed: claim.is_some() })
    }

    /// The page to ask for next; none when all is done.
    pub(super) fn next(&self) -> Option<&ListQuery> {
        (self.phase != Phase::Over).then_some(&self.query)
    }

    /// The page that was asked for is in the books.
    pub(super) fn done(&mut self, app: &App, seen: Seen) -> Result<()> {
        self.newest = self.newest.max(seen.newest);
        self.pages += 1;
        let is_last = seen.after.is_none();
        self.query.after = seen.after;
        match self.phase {
            Phase::Above if is_last => {
                if let Some(claim) = &mut self.claim {
                    claim.top = claim.top.max(self.newest.unwrap_or(claim.top));
                    let rest = ListQuery { created_from: Some(self.from), created_to: Some(claim.down), after: None };
                    self.phase = if self.from <= claim.down { Phase::Below } else { Phase::Over };
                    self.query = rest;
                }
            }
            Phase::Above | Phase::Over => {}
            Phase::Below => {
                let top = self.claim.map(|claim| claim.top).or(self.newest);
                let down = if is_last { Some(self.from.plus_seconds(-1)) } else { seen.oldest };
                let began = self.claim.map_or(self.began, |claim| claim.began);
                self.claim = top.zip(down).map(|(top, down)| Checkpoint { top, down, began }).or(self.claim);
                self.phase = if is_last { Phase::Over } else { Phase::Below };
            }
        }
        self.keep(app)?;
        match self.pages < PAGES_LIMIT || self.phase == Phase::Over {
            true => Ok(()),
            false => Err(Fault::bare("the list is longer than one run goes: run it again, and it goes on").into()),
        }
    }

    /// Up to when the list is done, once it is: what was newest in it.
    pub(super) fn top(&self) -> Option<Timestamp> {
        self.claim.map(|claim| claim.top)
    }

    /// How much of the time that is gone through is done, in percent; none where nothing says when the list begins.
    pub(super) fn percent(&self) -> Option<i64> {
        if self.phase == Phase::Over {
            return Some(100);
        }
        let claim = self.claim?;
        let (whole, done) = (claim.top.millis() - self.from.millis(), claim.top.millis() - claim.down.millis());
        (self.from.millis() > 0 && whole > 0).then(|| (done.saturating_mul(100) / whole).clamp(0, 99))
    }

    fn keep(&self, app: &App) -> Result<()> {
        let Some(claim) = self.claim else { return Ok(()) };
        let (top, down) = self.part.ends();
        let now = app.clock.now();
        app.store.write(move |tx| {
            // The upper end carries since when the claim stands.
            cursors::put(tx, &top, claim.top, claim.began)?;
            cursors::put(tx, &down, claim.down, now)
        })
    }
}

/// Ends the claims on these lists: the run that made them has finished.
pub(super) fn finish(app: &App, parts: &[Part]) -> Result<()> {
    let names: Vec<String> = parts.iter().flat_map(|part| <[String; 2]>::from(part.ends())).collect();
    app.store.write(move |tx| names.iter().try_for_each(|name| cursors::forget(tx, name)))
}
