//! `GET /dashboard/activity`: all that happened, in pages; `GET /dashboard/activity.csv`: the same as a file for a
//! spreadsheet; `GET /dashboard/receipts/{reference}`: on to Stripe's page with a receipt or invoice.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;

use super::dashboard::entries::{DayView, sentence};
use super::lot_words::LotWords;
use super::owner::Owner;
use super::shell::Shell;
use super::{html, query_field, see_other};
use crate::app::App;
use crate::catalog::Catalog;
use crate::clock::rfc3339;
use crate::error::{Fault, Refused, Result};
use crate::http::guard::SignedIn;
use crate::http::problem::HandlerResult;
use crate::http::request::PathSegment;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::ledger::{Entry, Kind, parse_entry_id};
use crate::money::{Currency, Money};
use crate::store::receipts::Receipt;
use crate::usecase::spreadsheet::disarmed;
use crate::usecase::users::activity::{self, Lots, Movement};
use crate::usecase::users::lot_history::LotHistory;
use crate::usecase::users::statement;

/// Entries on one page.
const PAGE: i64 = 50;
/// Entries that are read at once for the file, and at most in all.
const FILE_STEP: i64 = 1000;
const FILE_LIMIT: usize = 100_000;

#[derive(Clone, Debug, Template)]
#[template(path = "activity.html")]
pub(super) struct ActivityPage {
    pub shell: Shell,
    /// Newest first.
    pub days: Vec<DayView>,
    /// Of which entries it is not worked out what they drew on.
    pub unknown: Option<String>,
    /// Where older activity is.
    pub older: Option<String>,
    /// Whether this is not the first page.
    pub is_older: bool,
}

/// A page of the activity of the user who is signed in.
pub(crate) async fn show(
    State(state): State<AppState>,
    Owner(signed_in): Owner,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let account = signed_in.member.user.account;
    let after = query_field(query.as_deref(), "after");
    let before = match after.as_deref().map(parse_entry_id) {
        None => i64::MAX - 1,
        Some(Some((of, seq))) if of == account => seq,
        Some(_) => return Err(Refused::InvalidRequest("after is not an entry of yours.".into()).into()),
    };
    let language = signed_in.language;
    let page = state.run(Pool::Db, move |app| {
        let (found, lots) = activity::explained_page(app, account, before, PAGE)?;
        let days = explained_days(&found.movements, &lots, &app.catalog, language);
        Ok(ActivityPage {
            shell: Shell::signed_in(app, language.entries_title(), &signed_in)?,
            unknown: unknown(&found.movements, lots.history.as_ref(), language),
            days,
            older: found.next.map(|seq| format!("/dashboard/activity?after={}", crate::ledger::entry_id(account, seq))),
            is_older: after.is_some(),
        })
    });
    Ok(html(StatusCode::OK, &page.await?)?)
}

/// Movements by days, each with the lots that it drew on.
pub(super) fn explained_days(
    movements: &[Movement],
    lots: &Lots,
    catalog: &Catalog,
    language: Language,
) -> Vec<DayView> {
    let mut days = DayView::all(movements, &catalog.unit, language);
    let entries = days.iter_mut().flat_map(|day| day.entries.iter_mut());
    let words = LotWords { records: &lots.records, catalog, language };
    for (entry, movement) in entries.zip(movements) {
        entry.from = words.of_movement(movement, lots.history.as_ref());
    }
    days
}

/// A sentence, where an entry of the page is among those that are not worked out.
fn unknown(movements: &[Movement], history: Option<&LotHistory>, language: Language) -> Option<String> {
    let last = match history {
        Some(history) => history.before.map(|(seq, _)| seq)?,
        None => i64::MAX,
    };
    let is_unknown = |movement: &Movement| matches!(movement, Movement::Entry(entry, _) if entry.seq <= last);
    movements.iter().any(is_unknown).then(|| match history.and_then(|history| history.before) {
        Some((_, at)) => language.entries_unknown_before(language.date(at)),
        None => language.entries_unknown().to_owned(),
    })
}

/// All of it as a file.
pub(crate) async fn file(State(state): State<AppState>, Owner(signed_in): Owner) -> HandlerResult {
    let text = state.run(Pool::Db, move |app| csv(app, &signed_in)).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"activity.csv\"")),
    ];
    Ok((headers, text).into_response())
}

/// To Stripe's page, which has an address of its own that nobody else can guess.
pub(crate) async fn receipt(
    State(state): State<AppState>,
    Owner(signed_in): Owner,
    PathSegment(reference): PathSegment,
) -> HandlerResult {
    let account = signed_in.member.user.account;
    let found = state.run(Pool::Db, move |app| statement::receipt(app, account, &reference)).await?;
    let url = found.and_then(|receipt| receipt.url);
    let url = url.ok_or_else(|| Refused::NotFound("There is no such receipt of yours.".into()))?;
    Ok(see_other(&url)?)
}

fn csv(app: &App, signed_in: &SignedIn) -> Result<String> {
    let language = signed_in.language;
    let mut file = csv::Writer::from_writer(vec![]);
    let titles = [
        language.entries_file_time(),
        language.entries_what(),
        language.entries_file_kind(),
        language.entries_change(),
        language.entries_balance(),
        language.entries_file_note(),
        language.entries_file_amount(),
        language.entries_file_currency(),
        language.entries_file_from(),
    ];
    let account = signed_in.member.user.account;
    let lots = activity::lots(app, account)?;
    let words = LotWords { records: &lots.records, catalog: &app.catalog, language };
    let fault = |cause| Fault::new("a CSV file could not be written", cause);
    file.write_record(titles).map_err(fault)?;
    let (mut before, mut rows) = (i64::MAX - 1, 0);
    loop {
        let page = activity::page(app, account, before, FILE_STEP)?;
        for movement in &page.movements {
            let Movement::Entry(entry, receipt) = movement else { continue };
            let from = words.of_movement(movement, lots.history.as_ref());
            // What was paid stands beside what it bought, once.
            let receipt = receipt.as_deref().filter(|_| !matches!(entry.kind, Kind::Refund | Kind::Dispute));
            file.write_record(row(entry, receipt, from, app, language)).map_err(fault)?;
            rows += 1;
        }
        match page.next {
            Some(next) if rows < FILE_LIMIT => before = next,
            _ => break,
        }
    }
    let bytes = file.into_inner().map_err(|cause| Fault::new("a CSV file could not be written", cause))?;
    Ok(String::from_utf8(bytes).map_err(|cause| Fault::new("a CSV file is not UTF-8", cause))?)
}

fn row(entry: &Entry, receipt: Option<&Receipt>, from: Option<String>, app: &App, language: Language) -> [String; 9] {
    let units = app.catalog.unit.count(entry.delta.saturating_abs(), language);
    let currency = receipt.and_then(|receipt| Currency::new(&receipt.currency));
    let amount = receipt.zip(currency).map(|(receipt, currency)| Money::new(receipt.amount, currency).plain());
    [
        rfc3339(entry.created_at),
        disarmed(&sentence(entry.kind.as_str(), entry.delta, units, language)),
        entry.kind.as_str().to_owned(),
        entry.delta.to_string(),
        entry.balance_after.to_string(),
        disarmed(entry.note_text().unwrap_or_default()),
        amount.unwrap_or_default(),
        receipt.map(|receipt| receipt.currency.to_uppercase()).unwrap_or_default(),
        disarmed(&from.unwrap_or_default()),
    ]
}
