//! `till reconcile`: compares Stripe with the ledger, and applies what is missing.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::json;

use super::output::{one_line, print, print_json};
use super::screen::{Screen, bar};
use super::settings::{DatabaseArgs, IfMissing};
use super::shapes::UnconfirmedShape;
use super::{CommandError, CommandResult};
use crate::clock::{Clock, Timestamp, parse_rfc3339, rfc3339};
use crate::config::Need;
use crate::usecase::stripe_events::reconcile::{self, Progress, Report, UnconfirmedPayment};

/// Compare Stripe with the books and apply what is missing
///
/// Reads Stripe's events since the last comparison, paid checkouts, paid invoices, refunds, disputes and credit notes of
/// the last 30 days, or all of them since the given time, and every subscription. Safe while till serve runs. If it is
/// interrupted, run it again within a day to continue. Then looks whether the payments in the books are at Stripe, paid, with
/// that amount and for that user. Progress is printed to standard error, unless --json is given. Exits with 1 if anything is
/// unmatched, waiting, failed or not confirmed, if it could not be compared, or if amounts differ.
#[derive(Args)]
#[command(after_help = "Example:\n  till reconcile --since 2026-11-01T00:00:00Z")]
pub(super) struct Reconcile {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Start of the comparison, as an RFC 3339 time
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
    pub(super) fn run(&self) -> CommandResult {
        let now = Clock::System.now();
        // Nothing has happened since then, and nothing looked at would pass for an agreement.
        if let Some(since) = self.since.filter(|since| *since > now) {
            let (since, now) = (rfc3339(since), rfc3339(now));
            let fault = format!("--since {since} is still to come: a time before now ({now}) was expected");
            return Err(CommandError::Usage(vec![fault]));
        }
        let app = self.database.open(Need::StripeKey, IfMissing::Refuse)?;
        let mut screen = Screen::open(self.json);
        let report = reconcile::reconcile(&app, self.since, true, |progress, report| {
            if progress.is_done {
                screen.show_done(&done_line(progress));
            } else {
                screen.show(&progress_line(progress, report));
            }
        })?;
        drop(screen);
        reconcile::record(&app, &report)?;
        if self.json {
            print_json(&as_json(&report))?
        } else {
            print(&as_text(&report))?
        }
        if report.is_clean() { Ok(()) } else { Err(CommandError::Unsatisfied) }
    }
}

/// The line while a list is read. Lists are read newest first, so the bar shows the part of the time that is done.
fn progress_line(progress: Progress, report: &Report) -> String {
    let Progress { part, rows, percent, .. } = progress;
    let applied = report.applied;
    format!("{:<13} {} {rows} looked at, {applied} applied in all", part.word(), bar(percent, rows / 100))
}

/// The line once a list is done.
fn done_line(progress: Progress) -> String {
    format!("{:<13} {} looked at", progress.part.word(), progress.rows)
}

fn as_json(report: &Report) -> serde_json::Value {
    let amounts = report.amounts.iter().map(|((month, currency), amounts)| {
        json!({ "month": month, "currency": currency, "stripe": amounts.stripe, "books": amounts.books })
    });
    let amounts: Vec<_> = amounts.collect();
    let unconfirmed: Vec<_> = report.unconfirmed_payments.iter().map(UnconfirmedShape::from).collect();
    json!({
        "found": report.found,
        "applied": report.applied,
        "unmatched": report.unmatched,
        "foreign": report.foreign,
        "waiting": report.waiting,
        "failed": report.failed,
        "unreadable": report.unreadable,
        "unreadable_rows": report.unreadable_rows,
        "not_compared": report.unasked,
        "unconfirmed": report.unconfirmed,
        "unconfirmed_payments": unconfirmed,
        "resumed": report.is_resumed,
        "amounts": amounts,
        "agrees": report.is_clean(),
    })
}

fn as_text(report: &Report) -> String {
    let Report { found, applied, unmatched, foreign, waiting, failed, unconfirmed, .. } = report;
    let mut text = format!(
        "looked at    {found}\napplied      {applied}\nunmatched    {unmatched}\nwaiting      {waiting}\n\
         failed       {failed}\nunconfirmed  {unconfirmed}\nnot ours     {foreign}\n"
    );
    let different: BTreeMap<_, _> =
        report.amounts.iter().filter(|(_, amounts)| amounts.stripe != amounts.books).collect();
    for ((month, currency), amounts) in different {
        let stripe = amounts.stripe;
        let books = amounts.books;
        text += &format!("{month} {currency}: Stripe has {stripe}, the books have {books} (minor units)\n");
    }
    for row in &report.unreadable_rows {
        text += &format!("cannot be read: {}\n", one_line(row));
    }
    for payment in &report.unconfirmed_payments {
        let UnconfirmedPayment { reference, user_id, units, detail, .. } = payment;
        text += &format!("not confirmed: {} of {user_id}, {units} units: {}\n", one_line(reference), one_line(detail));
    }
    if report.unconfirmed > 0 {
        text += "Take back what was not paid: till payment reverse REFERENCE --reason …\n";
    }
    for what in &report.unasked {
        text += &format!("not compared: {what}\n");
    }
    if report.is_resumed {
        text += "This run continued an interrupted one; the counts do not include what that one looked at.\n";
    }
    text += if report.is_clean() {
        "The books agree with Stripe.\n"
    } else {
        "The books do not agree with Stripe yet. See till event list --status unmatched.\n"
    };
    text
}
