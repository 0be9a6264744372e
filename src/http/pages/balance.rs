//! `GET /dashboard/balance`: where the balance comes from, lot by lot: those with units in the order in which they end, what
//! is set aside, and then, in pages, what became of those that are used up or ended.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;

use super::dashboard::billing::{ReceiptView, bought};
use super::lot_words::{LotWords, fate_words};
use super::owner::Owner;
use super::shell::Shell;
use super::{html, query_field};
use crate::app::App;
use crate::catalog::Catalog;
use crate::error::{Refused, Result};
use crate::http::guard::SignedIn;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::ledger::{Kind, entry_id, parse_entry_id};
use crate::store::orders::OfferKind;
use crate::usecase::users::balance::{self, ExplainedLot, Explanation};
use crate::usecase::users::welcome;

#[derive(Clone, Debug, Template)]
#[template(path = "balance.html")]
pub(super) struct BalancePage {
    pub shell: Shell,
    /// What the balance is, in sentences; empty where older lots are shown.
    pub sentences: Vec<String>,
    pub open: Vec<LotView>,
    /// What is set aside for work under way.
    pub holds: Vec<HoldView>,
    /// Lots that are used up or ended.
    pub ended: Vec<LotView>,
    /// Of which lots it is not worked out what became of them.
    pub unknown: Option<String>,
    /// Where older lots are.
    pub older: Option<String>,
    /// Whether this is not the first page.
    pub is_older: bool,
}

#[derive(Clone, Debug)]
pub(super) struct HoldView {
    /// `20 pictures until 3 Dec 2026, 05:23 UTC`.
    pub until: String,
    /// The lots that they lie in.
    pub from: Option<String>,
    pub note: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct LotView {
    /// `Bought: 250 pictures`.
    pub from: String,
    pub date: String,
    pub note: Option<String>,
    pub receipt: Option<ReceiptView>,
    /// Labels with what they say: what was credited, what became of it, what is left, when it ends.
    pub facts: Vec<(&'static str, String)>,
}

/// The lots of the user who is signed in.
pub(crate) async fn show(
    State(state): State<AppState>,
    Owner(signed_in): Owner,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let after = query_field(query.as_deref(), "after");
    let before = match after.as_deref().map(parse_entry_id) {
        None => None,
        Some(Some((of, seq))) if of == signed_in.member.user.account => Some(seq),
        Some(_) => return Err(Refused::InvalidRequest("after is not a lot of yours.".into()).into()),
    };
    let page = state.run(Pool::Db, move |app| page(app, signed_in, before)).await?;
    Ok(html(StatusCode::OK, &page)?)
}

fn page(app: &App, signed_in: SignedIn, before: Option<i64>) -> Result<BalancePage> {
    let language = signed_in.language;
    let account = signed_in.member.user.account;
    let found = balance::explain(app, account, before.unwrap_or(i64::MAX))?;
    let is_older = before.is_some();
    let view = |lot: &ExplainedLot| LotView::of(lot, &app.catalog, language);
    // The first page has what is left as well.
    Ok(BalancePage {
        sentences: if is_older { vec![] } else { sentences(app, &found, language) },
        open: found.open.iter().filter(|_| !is_older).map(view).collect(),
        holds: if is_older { vec![] } else { holds(app, &found, language) },
        ended: found.ended.iter().map(view).collect(),
        unknown: unknown(&found, language),
        older: found.older.map(|seq| format!("/dashboard/balance?after={}", entry_id(account, seq))),
        is_older,
        shell: Shell::signed_in(app, language.balance_title(), &SignedIn { member: found.member, ..signed_in })?,
    })
}

fn sentences(app: &App, found: &Explanation, language: Language) -> Vec<String> {
    let (balance, words) = (&found.member.balance, &app.catalog.unit);
    let mut sentences = vec![match balance.remaining {
        ..0 => language.balance_debt(language.number(balance.remaining), words.many(language)),
        0 => language.balance_none().to_owned(),
        _ => language.balance_sum(words.count(balance.remaining, language)),
    }];
    if balance.held > 0 {
        sentences.push(language.balance_held(words.count(balance.held, language)));
    }
    if found.open.len() > 1 {
        sentences.push(language.balance_order().to_owned());
    }
    sentences
}

fn holds(app: &App, found: &Explanation, language: Language) -> Vec<HoldView> {
    let words = LotWords { records: &found.records, catalog: &app.catalog, language };
    let holds = found.holds.iter().map(|hold| {
        let units = app.catalog.unit.count(hold.units, language);
        let until = language.balance_set_aside_until(units, language.time(hold.expires_at));
        let from = found.records.parts.get(&hold.number).and_then(|parts| words.of_parts(parts));
        HoldView { until, from, note: hold.note.clone() }
    });
    holds.collect()
}

/// A sentence, where a lot of the page is among those that are not worked out.
fn unknown(found: &Explanation, language: Language) -> Option<String> {
    let is_unknown = found.open.iter().chain(&found.ended).any(|lot| lot.fate.is_none());
    is_unknown.then(|| match found.unknown_before() {
        Some(at) => language.balance_unknown_before(language.date(at)),
        None => language.balance_unknown().to_owned(),
    })
}

impl LotView {
    pub(super) fn of(explained: &ExplainedLot, catalog: &Catalog, language: Language) -> LotView {
        let ExplainedLot { opened_by, receipt, lot, fate } = explained;
        let from = match (receipt, opened_by.kind) {
            (Some(receipt), _) => match receipt.kind {
                OfferKind::Pack => language.balance_bought(bought(receipt, catalog, language)),
                OfferKind::Plan => language.balance_of_plan(bought(receipt, catalog, language)),
            },
            (None, Kind::Grant) if welcome::is_reason(opened_by.account, &opened_by.reason) => {
                language.balance_welcome().to_owned()
            }
            (None, Kind::Grant) => language.balance_gift().to_owned(),
            (None, _) => language.balance_returned().to_owned(),
        };
        let units = language.number(lot.units);
        let mut facts = vec![match lot.remaining {
            0 => (language.balance_credited(), units),
            left => (language.balance_left(), language.balance_left_of(language.number(left), units)),
        }];
        let became = match fate {
            Some(fate) => fate_words(fate, language),
            // The lot's own row says this much.
            None if lot.expired > 0 => vec![language.balance_expired(language.number(lot.expired))],
            None => vec![],
        };
        if !became.is_empty() {
            facts.push((language.balance_became(), became.join(", ")));
        }
        if lot.remaining > 0 || lot.ends_at().is_some() {
            let ends = lot.ends_at().map_or_else(|| language.balance_never().to_owned(), |at| language.date(at));
            facts.push((language.balance_ends(), ends));
        }
        LotView {
            from,
            date: language.date(opened_by.created_at),
            note: opened_by.note_text().map(str::to_owned),
            receipt: receipt.as_ref().and_then(|receipt| ReceiptView::of(receipt, Some(catalog), language)),
            facts,
        }
    }
}
