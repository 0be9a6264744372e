//! `till import`: the users of an earlier backend with what they have left, all of a file or nothing of it. Each balance becomes
//! one entry, once for ever; the file can be imported again, and changes nothing.

mod file;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

pub use file::{BadLine, COLUMNS, ImportRow};

use crate::app::App;
use crate::catalog::Offer;
use crate::clock::Timestamp;
use crate::error::{Error, Fault, Refused, Result};
use crate::id::random_bytes;
use crate::ledger::{self, Credit, EntryNote, Kind, Units};
use crate::store::customers::{Link, LinkSource};
use crate::store::users::User;
use crate::store::{Tx, audit, customers, entries, subscriptions, users};
use crate::usecase::log_events;
use crate::usecase::stripe_events::link;
use crate::usecase::units::posting::{self, PostingContext};

/// What makes an opening balance happen once.
const REASON: &str = "grant_import";
const NOTE: &str = "Opening balance";
/// What the audit says of a customer whose subscriptions were read.
const LINKED: &str = "customer_linked";
/// How many changed balances, unknown plans and failures are listed.
const LISTED: usize = 1000;

/// A balance that is another one than was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedBalance {
    pub line: u64,
    pub id: String,
    pub imported: i64,
    pub in_file: i64,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default)]
pub struct ImportReport {
    pub rows: u64,
    /// Users who are new.
    pub added: u64,
    /// Opening balances, and their sum.
    pub entries: u64,
    pub units: i64,
    /// Rows whose balance was imported before.
    pub known: u64,
    /// Those of them with another balance now, which is not applied.
    pub changed_count: u64,
    pub changed: Vec<ChangedBalance>,
    /// What the file says in all.
    pub units_total: i64,
    pub units_remaining: i64,
    /// Plans that the catalogue does not have, and how many users have each.
    pub unknown_plans: BTreeMap<String, u64>,
    /// Customers that became a user's.
    pub tied: u64,
    /// Users and customers whose subscriptions are still to be read at Stripe.
    pub unread: Vec<(String, String)>,
}

/// What became of the customers at Stripe.
#[derive(Clone, Debug, Default)]
pub struct ReadReport {
    pub read: u64,
    /// Events that were applied, or that still cannot be.
    pub events: u64,
    /// The customer, and why it could not be read.
    pub failed: Vec<(String, String)>,
}

/// Why nothing was imported.
#[derive(Debug)]
pub enum ImportFailure {
    BadLines(Vec<BadLine>),
    Other(Error),
}

impl From<Error> for ImportFailure {
    fn from(error: Error) -> ImportFailure {
        ImportFailure::Other(error)
    }
}

impl From<Fault> for ImportFailure {
    fn from(fault: Fault) -> ImportFailure {
        ImportFailure::Other(fault.into())
    }
}

/// Reads the rows of a file, or every line that is wrong.
pub fn read_rows(from: impl Read) -> Result<Vec<ImportRow>, ImportFailure> {
    file::read(from)?.map_err(ImportFailure::BadLines)
}

/// Imports all rows in one transaction. What was paid until `until` is in their balances. With `dry_run` nothing is stored.
pub fn import(app: &App, rows: Vec<ImportRow>, until: Timestamp, dry_run: bool) -> Result<ImportReport, ImportFailure> {
    let bad = Arc::new(Mutex::new(Vec::new()));
    let found_bad = Arc::clone(&bad);
    let rows = Arc::new(rows);
    let work = move |tx: &mut dyn Tx, context: &mut PostingContext| {
        let (report, found) = apply(tx, context, &rows, until)?;
        let is_good = found.is_empty();
        // What a run that is repeated had found is replaced.
        *found_bad.lock().unwrap_or_else(PoisonError::into_inner) = found;
        if is_good { Ok(report) } else { Err(Refused::InvalidRequest("The file has bad lines.".into()).into()) }
    };
    let context = PostingContext::now(app);
    let done = match dry_run {
        false => posting::write(app, context, work),
        true => {
            let context = PostingContext { actor: app.actor().clone(), ..context };
            app.store.dry_run(move |tx| work(tx, &mut context.clone()))
        }
    };
    let bad = std::mem::take(&mut *bad.lock().unwrap_or_else(PoisonError::into_inner));
    if !bad.is_empty() {
        return Err(ImportFailure::BadLines(bad));
    }
    let report = done?;
    if !dry_run {
        let ImportReport { added, entries, units, .. } = report;
        tracing::info!(event = "users_imported", actor = app.actor().name(), added, entries, units);
        log_events::credited(app, Kind::Grant, units.max(0));
    }
    Ok(report)
}

fn apply(
    tx: &mut dyn Tx,
    context: &mut PostingContext,
    rows: &[ImportRow],
    until: Timestamp,
) -> Result<(ImportReport, Vec<BadLine>)> {
    let (mut report, mut bad) = (ImportReport::default(), Vec::new());
    for row in rows {
        let (user, is_new) = match users::find(tx, row.id.as_str())? {
            Some(user) => (user, false),
            None => users::put(tx, &row.id, row.email.as_deref(), row.name.as_deref(), context.now)?,
        };
        report.rows += 1;
        report.added += u64::from(is_new);
        report.units_total += row.total;
        report.units_remaining += row.remaining;
        if let Some(plan) =
            row.plan.as_ref().filter(|plan| !matches!(context.catalog.offer(plan), Some(Offer::Plan(_))))
            && (report.unknown_plans.len() < LISTED || report.unknown_plans.contains_key(plan))
        {
            *report.unknown_plans.entry(plan.clone()).or_default() += 1;
        }
        bad.extend(open_balance(tx, context, row, (&user, is_new), until, &mut report)?);
        if let Some(customer) = &row.customer {
            bad.extend(tie(tx, context, row, &user, customer, &mut report)?);
        }
    }
    Ok((report, bad))
}

/// The user's opening balance, unless it is in the books.
fn open_balance(
    tx: &mut dyn Tx,
    context: &mut PostingContext,
    row: &ImportRow,
    (user, is_new): (&User, bool),
    until: Timestamp,
    report: &mut ImportReport,
) -> Result<Option<BadLine>> {
    let earlier = if is_new { None } else { imported(tx, user)? };
    if let Some(imported) = earlier {
        report.known += 1;
        if imported != row.remaining {
            report.changed_count += 1;
            if report.changed.len() < LISTED {
                let (line, id, in_file) = (row.line, user.id.clone(), row.remaining);
                report.changed.push(ChangedBalance { line, id, imported, in_file });
            }
        }
        return Ok(None);
    }
    let detail = format!("{} units", row.remaining);
    users::set_imported(tx, user.account, until)?;
    audit::add(tx, (&context.actor, context.now), "user_imported", Some(&user.id), Some(&detail))?;
    let Some(units) = Units::new(row.remaining.saturating_abs()) else { return Ok(None) };
    let account = posting::open(tx, context, user.account, None)?;
    let (reason, note) = (REASON.to_owned(), Some(EntryNote::new(NOTE.to_owned(), random_bytes()?)));
    let posting = match row.remaining > 0 {
        true => {
            let credit = Credit { kind: Kind::Grant, units, reason, note, expires_at: None, cost: None };
            ledger::credit(&account.account, credit, context.now)
        }
        false => ledger::correct(&account.account, Kind::Grant, units, reason, note, context.now),
    };
    let posting = match posting {
        Ok(posting) => posting,
        Err(_) => {
            let what = "the balance would pass the most that an account may hold".to_owned();
            return Ok(Some(BadLine { line: row.line, what }));
        }
    };
    posting::post(tx, context, &account, &posting, None)?
        .ok_or_else(|| Fault::bare("an opening balance appeared meanwhile").retryable())?;
    report.entries += 1;
    report.units += row.remaining;
    Ok(None)
}

/// The balance that was imported for a user before.
fn imported(tx: &mut dyn Tx, user: &User) -> Result<Option<i64>> {
    match entries::by_reason(tx, user.account, REASON)? {
        Some(entry) => Ok(Some(entry.delta)),
        // A balance of zero has no entry.
        None => Ok(users::imported_at(tx, user.account)?.map(|_| 0)),
    }
}

fn tie(
    tx: &mut dyn Tx,
    context: &PostingContext,
    row: &ImportRow,
    user: &User,
    customer: &str,
    report: &mut ImportReport,
) -> Result<Option<BadLine>> {
    let owner = match customers::account_of(tx, customer)? {
        Some(owner) => Some(owner),
        None => subscriptions::account_of_customer(tx, customer)?,
    };
    if let Some(owner) = owner.filter(|owner| *owner != user.account) {
        let owner = users::by_account(tx, owner)?.id;
        let what =
            format!("the customer {customer} belongs to the user {owner:?}: a customer of {:?} was expected", user.id);
        return Ok(Some(BadLine { line: row.line, what }));
    }
    if customers::tie(tx, user.account, customer, LinkSource::Operator, context.now)? == Link::New {
        report.tied += 1;
        let detail = format!("to {}", user.id);
        audit::add(tx, (&context.actor, context.now), "customer_imported", Some(customer), Some(&detail))?;
    }
    if !audit::is_recorded(tx, LINKED, customer)? {
        report.unread.push((user.id.clone(), customer.to_owned()));
    }
    Ok(None)
}

/// Reads the subscriptions of customers that were imported, as `till user link` does. One that cannot be read holds up no
/// other; the next import goes on with what is left.
pub fn read_customers(app: &App, unread: &[(String, String)], mut progress: impl FnMut(usize)) -> ReadReport {
    let mut report = ReadReport::default();
    for (number, (user, customer)) in unread.iter().enumerate() {
        progress(number);
        match link::link(app, user, customer, false) {
            Ok(linked) => {
                report.read += 1;
                report.events += linked.events.len() as u64;
            }
            Err(error) => {
                let is_away = matches!(&error, Error::Refused(Refused::StripeUnavailable(_)));
                if report.failed.len() < LISTED {
                    report.failed.push((customer.clone(), error.to_string()));
                }
                // Nobody waits for each of them while Stripe is silent.
                if is_away {
                    break;
                }
            }
        }
    }
    report
}
