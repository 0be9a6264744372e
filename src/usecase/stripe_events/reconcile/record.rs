//! Keeps of each comparison what the operator's pages show: how far it has come, and what it found.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::error::{Error, Fault, Refused, Result};
use crate::store::comparisons::{self, Comparison, ComparisonProgress};
use crate::usecase::audit;
use crate::usecase::stripe_events::reconcile::{Progress, Report};

/// Between two times at which progress is stored.
const PROGRESS_MILLIS: i64 = 1000;
/// Rows and payments that are kept by name.
const NAMED: usize = 200;
/// How long a comparison is kept, and how many are in any case.
const KEPT_DAYS: i64 = 90;
const KEPT: i64 = 1000;

/// What a comparison found, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptReport {
    pub found: u64,
    pub applied: u64,
    pub unmatched: u64,
    pub foreign: u64,
    pub waiting: u64,
    pub failed: u64,
    pub unreadable: u64,
    pub unconfirmed: u64,
    /// Lists that were not compared, and why.
    pub not_compared: Vec<String>,
    /// The first rows of Stripe's that cannot be read.
    pub unreadable_rows: Vec<String>,
    /// The first payments that Stripe does not confirm.
    pub unconfirmed_payments: Vec<KeptDoubt>,
    pub amounts: Vec<KeptAmounts>,
}

/// A payment in the books that Stripe does not confirm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDoubt {
    pub reference: String,
    pub user_id: String,
    pub amount: i64,
    pub currency: String,
    pub detail: String,
}

/// Minor units that were paid in a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAmounts {
    /// `2026-11`.
    pub month: String,
    pub currency: String,
    pub stripe: i64,
    pub books: i64,
}

impl KeptReport {
    fn of(report: &Report) -> KeptReport {
        let doubts = report.unconfirmed_payments.iter().take(NAMED).map(|payment| KeptDoubt {
            reference: payment.reference.clone(),
            user_id: payment.user_id.clone(),
            amount: payment.amount,
            currency: payment.currency.clone(),
            detail: payment.detail.clone(),
        });
        let amounts = report.amounts.iter().map(|((month, currency), amounts)| KeptAmounts {
            month: month.clone(),
            currency: currency.clone(),
            stripe: amounts.stripe,
            books: amounts.books,
        });
        KeptReport {
            found: report.found,
            applied: report.applied,
            unmatched: report.unmatched,
            foreign: report.foreign,
            waiting: report.waiting,
            failed: report.failed,
            unreadable: report.unreadable,
            unconfirmed: report.unconfirmed,
            not_compared: report.unasked.clone(),
            unreadable_rows: report.unreadable_rows.iter().take(NAMED).cloned().collect(),
            unconfirmed_payments: doubts.collect(),
            amounts: amounts.collect(),
        }
    }

    /// What a comparison found, if it came to its end.
    pub fn read(comparison: &Comparison) -> Option<KeptReport> {
        serde_json::from_str(comparison.report.as_deref()?).ok()
    }
}

/// Asks for a comparison, which begins within seconds where the appliance serves. Refused while one waits.
pub fn ask(app: &App) -> Result<()> {
    // Without a key it would never begin.
    app.stripe()?;
    let (actor, now) = (app.actor().name().to_owned(), app.clock.now());
    let is_asked = audit::write(app, move |tx, trail| {
        let is_asked = comparisons::ask(tx, &actor, now)?;
        if is_asked {
            trail.add(tx, "comparison_asked", "stripe", None)?;
        }
        Ok(is_asked)
    })?;
    if is_asked {
        return Ok(());
    }
    Err(Refused::WrongState("A comparison waits for its turn already. Nothing was changed.".into()).into())
}

/// The comparison that somebody asked for.
pub fn asked(app: &App) -> Result<Option<i64>> {
    app.store.read(comparisons::asked)
}

/// Comparisons before the one with this number, newest first.
pub fn list(app: &App, before: i64, limit: i64) -> Result<Vec<Comparison>> {
    app.store.read(|tx| comparisons::newest(tx, before, limit))
}

/// The comparison with this number.
pub fn show(app: &App, number: i64) -> Result<Comparison> {
    let found = app.store.read(|tx| comparisons::find(tx, number))?;
    found.ok_or_else(|| Refused::NotFound(format!("There is no comparison {number}.")).into())
}

/// The last comparison that came to its end, and since when they all found the books to agree.
pub fn standing(app: &App) -> Result<(Option<Comparison>, Option<Timestamp>)> {
    app.store.read(|tx| Ok((comparisons::last(tx)?, comparisons::agreeing_since(tx)?)))
}

/// How much a comparison found, by kind: `missed` was applied by it, because no webhook had brought it; all others are zero if
/// the books agreed.
pub fn differences(comparison: Option<&Comparison>) -> Vec<(&'static str, i64)> {
    let report: KeptReport = comparison
        .and_then(|comparison| comparison.report.as_deref())
        .and_then(|report| serde_json::from_str(report).ok())
        .unwrap_or_default();
    let amounts = report.amounts.iter().filter(|amounts| amounts.stripe != amounts.books).count();
    let counted = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let listed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    vec![
        ("missed", counted(report.applied)),
        ("unmatched", counted(report.unmatched)),
        ("waiting", counted(report.waiting)),
        ("failed", counted(report.failed)),
        ("unreadable", counted(report.unreadable)),
        ("unconfirmed", counted(report.unconfirmed)),
        ("not_compared", listed(report.not_compared.len())),
        ("amounts", listed(amounts)),
    ]
}

/// Removes what is kept of old comparisons.
pub fn remove_old(app: &App) -> Result<usize> {
    let before = app.clock.now().plus_seconds(-KEPT_DAYS * DAY_SECONDS);
    app.store.write(move |tx| comparisons::remove_old(tx, before, KEPT))
}

/// The record of a comparison under way.
pub(super) struct ComparisonRecord {
    number: i64,
    stored_at: Timestamp,
}

impl ComparisonRecord {
    /// Begins the one that somebody asked for, or another.
    pub(super) fn begin(app: &App, waiting: Option<i64>) -> Result<ComparisonRecord> {
        let (actor, now) = (app.actor().name().to_owned(), app.clock.now());
        let number = app.store.write(move |tx| comparisons::begin(tx, waiting, &actor, now))?;
        Ok(ComparisonRecord { number, stored_at: now })
    }

    /// Keeps how far it has come, once a second. A failure stops nothing.
    pub(super) fn advance(&mut self, app: &App, progress: Progress) {
        let now = app.clock.now();
        if now.millis().abs_diff(self.stored_at.millis()) < PROGRESS_MILLIS.unsigned_abs() {
            return;
        }
        self.stored_at = now;
        let rows = i64::try_from(progress.rows).unwrap_or(i64::MAX);
        let kept = ComparisonProgress { part: Some(progress.part.word().to_owned()), rows, percent: progress.percent };
        let number = self.number;
        let stored = app.store.write(move |tx| comparisons::advance(tx, number, &kept, now));
        if let Err(error) = stored {
            tracing::debug!(event = "comparison_progress_not_recorded", error = %error);
        }
    }

    /// Keeps what it found, or why it ended early.
    pub(super) fn end(self, app: &App, result: &Result<Report>) -> Result<()> {
        let (number, now) = (self.number, app.clock.now());
        let (agrees, report, failure) = match result {
            Ok(report) => {
                let text = serde_json::to_string(&KeptReport::of(report));
                let text = text.map_err(|cause| Fault::new("a comparison's report cannot be written", cause))?;
                (report.is_clean(), Some(text), None)
            }
            Err(error) => (false, None, Some(words(error))),
        };
        app.store.write(move |tx| comparisons::end(tx, number, agrees, (report.as_deref(), failure.as_deref()), now))
    }
}

fn words(error: &Error) -> String {
    error.to_string().chars().take(500).collect()
}
