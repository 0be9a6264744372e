//! `till reconcile`: compares Stripe with the books, and applies what is missing.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use clap::Args;
use serde_json::json;

use super::output::{print, print_json};
use super::settings::{Books, IfMissing};
use super::{Done, Failure};
use crate::clock::{Timestamp, parse_rfc3339};
use crate::config::Need;
use crate::usecase::reconcile::{self, Report};

/// Compare Stripe with the books and apply what is missing
///
/// Looks through Stripe's events since the last comparison, and through paid checkouts, paid invoices, refunds and
/// disputes of the last 30 days, or since the time given. Safe beside a running appliance; run it again after an
/// interruption. Exits with 1 when something is unmatched, waits, failed, or when amounts differ.
#[derive(Args)]
#[command(after_help = "Example:\n  till reconcile --since 2026-11-01T00:00:00Z")]
pub(super) struct Reconcile {
    #[command(flatten)]
    books: Books,
    /// From when on, as an RFC 3339 time
    #[arg(long, value_parser = time)]
    since: Option<Timestamp>,
    /// Print one object
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<Timestamp, String> {
    parse_rfc3339(text).ok_or_else(|| "a time such as 2026-11-01T00:00:00Z was expected".to_owned())
}

impl Reconcile {
    pub(super) fn run(&self) -> Done {
        let app = self.books.open(Need::StripeKey, IfMissing::Refuse)?;
        let mut screen = std::io::stderr();
        let is_terminal = screen.is_terminal();
        let report = reconcile::reconcile(&app, self.since, true, |report| {
            if is_terminal {
                // A screen that cannot be written to is no reason to stop.
                let _unseen = write!(screen, "\r{} looked at, {} applied", report.found, report.applied);
            }
        })?;
        if is_terminal {
            let _unseen = writeln!(screen);
        }
        if self.json {
            print_json(&as_json(&report))?
        } else {
            print(&in_words(&report))?
        }
        if report.is_clean() { Ok(()) } else { Err(Failure::FallsShort) }
    }
}

fn as_json(report: &Report) -> serde_json::Value {
    let amounts = report.amounts.iter().map(|((month, currency), amounts)| {
        json!({ "month": month, "currency": currency, "stripe": amounts.stripe, "books": amounts.books })
    });
    let amounts: Vec<_> = amounts.collect();
    json!({
        "found": report.found,
        "applied": report.applied,
        "unmatched": report.unmatched,
        "waiting": report.waiting,
        "failed": report.failed,
        "not_compared": report.unasked,
        "amounts": amounts,
        "agrees": report.is_clean(),
    })
}

fn in_words(report: &Report) -> String {
    let Report { found, applied, unmatched, waiting, failed, .. } = report;
    let mut text = format!(
        "looked at  {found}\napplied    {applied}\nunmatched  {unmatched}\nwaiting    {waiting}\nfailed     {failed}\n"
    );
    let different: BTreeMap<_, _> =
        report.amounts.iter().filter(|(_, amounts)| amounts.stripe != amounts.books).collect();
    for ((month, currency), amounts) in different {
        let (stripe, books) = (amounts.stripe, amounts.books);
        text += &format!("{month} {currency}: Stripe has {stripe}, the books have {books} (minor units)\n");
    }
    for what in &report.unasked {
        text += &format!("not compared: {what}\n");
    }
    text += if report.is_clean() {
        "The books agree with Stripe.\n"
    } else {
        "The books do not agree with Stripe yet. See till event list --status unmatched.\n"
    };
    text
}
