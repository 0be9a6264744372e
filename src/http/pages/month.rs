//! `GET /dashboard/statement?month=2026-11`: one month of the books on a page that prints well. Months are in UTC.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;

use super::activity::explained_days;
use super::dashboard::billing::ReceiptView;
use super::dashboard::entries::DayView;
use super::owner::Owner;
use super::shell::Shell;
use super::{html, query_field};
use crate::app::App;
use crate::clock::{Timestamp, month_of, month_start, months_after};
use crate::error::Result;
use crate::http::guard::SignedIn;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::refusal::PersonRefusal;
use crate::ledger::Kind;
use crate::usecase::users::activity::{self, Month, Movement};

/// Characters of a month that is none, as a refusal shows it.
const SHOWN: usize = 20;

#[derive(Clone, Debug, Template)]
#[template(path = "month.html")]
pub(super) struct MonthPage {
    pub shell: Shell,
    /// `November 2026`.
    pub title: String,
    /// Labels with numbers, in the order of a bill.
    pub sums: Vec<(&'static str, String)>,
    pub receipts: Vec<ReceiptView>,
    /// Oldest first.
    pub days: Vec<DayView>,
    /// A sentence, where not all of it is listed.
    pub cut: Option<String>,
    /// The months beside it, as `2026-10`.
    pub earlier: Option<String>,
    pub later: Option<String>,
}

/// A month of the user who is signed in; without `month` the running one.
pub(crate) async fn show(
    State(state): State<AppState>,
    Owner(signed_in): Owner,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let now = state.app().clock.now();
    let wanted = query_field(query.as_deref(), "month").unwrap_or_else(|| month_of(now));
    let from = month_start(&wanted).filter(|from| *from <= now);
    let from = from.ok_or_else(|| PersonRefusal::NoMonth(wanted.chars().take(SHOWN).collect()))?;
    let page = state.run(Pool::Db, move |app| page(app, signed_in, from, now)).await?;
    Ok(html(StatusCode::OK, &page)?)
}

fn page(app: &App, signed_in: SignedIn, from: Timestamp, now: Timestamp) -> Result<MonthPage> {
    let language = signed_in.language;
    let user = &signed_in.member.user;
    let to = months_after(from, 1).unwrap_or(from);
    let month = activity::month(app, user.account, from, to)?;
    let title = language.month_title(language.month(from));
    let (earlier, created_at) = (months_after(from, -1), user.created_at);
    Ok(MonthPage {
        sums: sums(&month, language),
        receipts: ReceiptView::all(&month.receipts, &app.catalog, language),
        days: explained_days(&month.movements, &month.lots, &app.catalog, language),
        cut: month
            .is_cut
            .then(|| language.month_cut(language.number(i64::try_from(month.movements.len()).unwrap_or(i64::MAX)))),
        earlier: earlier.filter(|_| created_at < from).map(month_of),
        later: (to <= now).then(|| month_of(to)),
        shell: Shell::signed_in(app, &title, &signed_in)?,
        title,
    })
}

fn sums(month: &Month, language: crate::language::Language) -> Vec<(&'static str, String)> {
    let sum = |wanted: fn(Kind, i64) -> bool| {
        let deltas = month.movements.iter().filter_map(|movement| match movement {
            Movement::Entry(entry, _) => Some(entry.delta).filter(|delta| wanted(entry.kind, *delta)),
            Movement::Unused(_) => None,
        });
        deltas.fold(0_i64, i64::saturating_add)
    };
    let mut sums = vec![(language.month_opening(), language.number(month.opening))];
    if !month.is_cut {
        let taken = sum(|kind, delta| delta < 0 && kind != Kind::Spend);
        sums.push((language.month_added(), language.number(sum(|_, delta| delta > 0))));
        sums.push((language.month_used(), language.number(sum(|kind, _| kind == Kind::Spend))));
        if taken != 0 {
            sums.push((language.month_taken(), language.number(taken)));
        }
    }
    sums.push((language.month_closing(), language.number(month.closing)));
    sums
}
