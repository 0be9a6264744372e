//! `till import`: users of an earlier backend, from a CSV file.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::output::{one_line, print, print_json};
use super::screen::Screen;
use super::settings::{DatabaseArgs, IfMissing, confirm_account};
use super::user::time;
use super::{CommandError, CommandResult, eprint_lines};
use crate::app::App;
use crate::clock::Timestamp;
use crate::config::Need;
use crate::error::Fault;
use crate::usecase::operator::import::{self, BadLine, ImportFailure, ImportReport, ReadReport};

/// Import the users of an earlier backend, each with an opening balance
///
/// FILE is CSV with a header of the columns id, email, name, units_total, units_remaining, plan and stripe_customer_id, in any
/// order. What a user has left becomes one entry, once for ever; units_total is only checked. A customer becomes the user's,
/// and its subscriptions are read at Stripe. Either all lines are imported or none: bad lines are listed with their numbers.
/// Running it again changes nothing, and goes on with customers that could not be read.
#[derive(Args)]
#[command(after_help = "Example:\n  till import users.csv --dry-run")]
pub(super) struct ImportCommand {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The file; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// When the file was written, if not now: payments until then are in its balances, later ones are credited (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    as_of: Option<Timestamp>,
    /// Print what would be imported, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one object: what was done, or {"bad_lines":[{"line","what"}]}
    #[arg(long)]
    json: bool,
}

impl ImportCommand {
    pub(super) fn run(&self) -> CommandResult {
        let from: Box<dyn Read> = match self.file.as_path() {
            path if path == Path::new("-") => Box::new(stdin().lock()),
            path => {
                let cannot = |cause| Fault::new(format!("cannot read {}", path.display()), cause);
                Box::new(File::open(path).map_err(cannot)?)
            }
        };
        // Before the database, so that a file that is wrong makes none.
        let rows = import::read_rows(from).map_err(|failure| self.failed(failure))?;
        let (app, _folder) = match self.dry_run {
            true => self.database.open_to_try(Need::Nothing)?,
            false => (self.database.open_unconfirmed(Need::Nothing, IfMissing::Create)?, None),
        };
        let has_key = app.config.stripe.secret_key.is_some();
        let has_customers = rows.iter().any(|row| row.customer.is_some());
        if has_key && has_customers {
            confirm_account(&app)?;
        }
        let until = self.until(&app)?;
        let report = import::import(&app, rows, until, self.dry_run).map_err(|failure| self.failed(failure))?;
        if !self.dry_run {
            outlast_second(&app, until);
        }
        let is_reading = has_key && !self.dry_run && !report.unread.is_empty();
        let read = is_reading.then(|| read_customers(&app, &report));
        if self.json {
            print_json(&as_json(&report, read.as_ref(), self.dry_run))?;
        } else {
            print(&as_text(&report, read.as_ref(), self.dry_run))?;
        }
        match read.is_some_and(|read| !read.failed.is_empty()) {
            true => Err(CommandError::Unsatisfied),
            false => Ok(()),
        }
    }

    /// Until when what was paid is in the balances.
    fn until(&self, app: &App) -> CommandResult<Timestamp> {
        let now = app.clock.now();
        match self.as_of {
            Some(at) if at > now => Err(CommandError::Usage(vec![
                "--as-of is in the future: when the file was written was expected".to_owned(),
            ])),
            at => Ok(at.unwrap_or(now)),
        }
    }

    fn failed(&self, failure: ImportFailure) -> CommandError {
        let bad = match failure {
            ImportFailure::Other(error) => return error.into(),
            ImportFailure::BadLines(bad) => bad,
        };
        if self.json {
            let lines: Vec<Value> =
                bad.iter().map(|BadLine { line, what }| json!({"line": line, "what": what})).collect();
            return print_json(&json!({ "bad_lines": lines })).err().unwrap_or(CommandError::Unsatisfied);
        }
        let lines: Vec<String> = bad.iter().map(|BadLine { line, what }| format!("line {line}: {what}")).collect();
        eprint_lines("error", &lines);
        let count = if bad.len() == 1 { "1 line is".to_owned() } else { format!("{} lines are", bad.len()) };
        CommandError::Failed(format!("{count} bad in {}, so nothing was imported", self.file.display()))
    }
}

/// Stripe's events say whole seconds. So the second until which payments are in the balances ends before the command does, and
/// what is paid once it is done is later for sure.
fn outlast_second(app: &App, until: Timestamp) {
    let end = until.seconds().saturating_add(1).saturating_mul(1000);
    let left = end.saturating_sub(app.clock.now().millis()).clamp(0, 1000);
    std::thread::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0)));
}

fn read_customers(app: &App, report: &ImportReport) -> ReadReport {
    let mut screen = Screen::open(false);
    let all = report.unread.len();
    import::read_customers(app, &report.unread, |done| screen.show(&format!("customers read {done} of {all}")))
}

fn as_json(report: &ImportReport, read: Option<&ReadReport>, dry_run: bool) -> Value {
    let changed = report.changed.iter().map(|changed| {
        json!({"line": changed.line, "id": changed.id, "imported": changed.imported, "in_file": changed.in_file})
    });
    let failed = read.map(|read| read.failed.as_slice()).unwrap_or_default().iter();
    json!({
        "dry_run": dry_run,
        "rows": report.rows,
        "users_added": report.added,
        "users_kept": report.rows - report.added,
        "entries": report.entries,
        "units": report.units,
        "imported_before": report.known,
        "changed": changed.collect::<Vec<Value>>(),
        "changed_count": report.changed_count,
        "units_total": report.units_total,
        "units_remaining": report.units_remaining,
        "unknown_plans": report.unknown_plans,
        "customers_tied": report.tied,
        "customers_read": read.map_or(0, |read| read.read),
        "customers_unread": unread(report, read),
        "failed": failed.map(|(customer, why)| json!({"customer": customer, "why": why})).collect::<Vec<Value>>(),
        "changed_nothing": changed_nothing(report, read),
    })
}

/// Customers whose subscriptions are still to be read.
fn unread(report: &ImportReport, read: Option<&ReadReport>) -> u64 {
    report.unread.len() as u64 - read.map_or(0, |read| read.read)
}

fn changed_nothing(report: &ImportReport, read: Option<&ReadReport>) -> bool {
    (report.added, report.entries, report.tied) == (0, 0, 0) && read.is_none_or(|read| read.read == 0)
}

fn as_text(report: &ImportReport, read: Option<&ReadReport>, dry_run: bool) -> String {
    let ImportReport { rows, added, entries, units, known, tied, .. } = report;
    let mut text = match dry_run {
        true => "This would be imported:\n".to_owned(),
        false => String::new(),
    };
    text += &format!("users      {rows} in the file: {added} new, {} known\n", rows - added);
    text += &format!("balances   {entries} entries of {units} units in all; {known} imported before\n");
    let (total, remaining) = (report.units_total, report.units_remaining);
    text += &format!("the file   {remaining} units left of {total}; totals begin again with what is left\n");
    let (read_count, events) = read.map_or((0, 0), |read| (read.read, read.events));
    text += &format!("customers  {tied} new; subscriptions read of {read_count}, events {events}\n");
    for changed in &report.changed {
        let (line, id) = (changed.line, one_line(&changed.id));
        let (before, now) = (changed.imported, changed.in_file);
        text += &format!("changed    line {line}: {id} was imported with {before} and has {now} now: not applied\n");
    }
    let more = report.changed_count - report.changed.len() as u64;
    if more > 0 {
        text += &format!("changed    and {more} more\n");
    }
    for (plan, count) in &report.unknown_plans {
        text += &format!("plan       {} is not in the catalogue (users: {count})\n", one_line(plan));
    }
    for (customer, why) in read.map(|read| read.failed.as_slice()).unwrap_or_default() {
        text += &format!("failed     {}: {}\n", one_line(customer), one_line(why));
    }
    let left = unread(report, read);
    match (left, read) {
        (0, _) => {}
        (left, Some(_)) => {
            text += &format!("to do      customers not read: {left}. Run this again to go on with them.\n")
        }
        (left, None) if dry_run => text += &format!("to do      subscriptions of {left} customers would be read\n"),
        (left, None) => {
            text += &format!(
                "to do      subscriptions of {left} customers are read by this command once \
                SPRITE_STRIPE_SECRET_KEY is set\n"
            );
        }
    }
    if dry_run {
        text += "Nothing was changed.\n";
    } else if *rows == 0 {
        text += "The file has no row below its header. Nothing changed.\n";
    } else if changed_nothing(report, read) {
        text += "All of it was imported before. Nothing changed.\n";
    }
    text
}
