//! `GET /dashboard/balance`: where the balance comes from, lot by lot, in the order in which lots are used.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

use super::dashboard::billing::{ReceiptView, bought};
use super::shell::Shell;
use super::{html, see_other};
use crate::app::App;
use crate::catalog::Catalog;
use crate::error::Result;
use crate::http::guard::{SignedIn, Visitor};
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::ledger::Kind;
use crate::store::orders::OfferKind;
use crate::usecase::users::balance::{self, ExplainedLot};

#[derive(Clone, Debug, Template)]
#[template(path = "balance.html")]
pub(super) struct BalancePage {
    pub shell: Shell,
    /// What the balance is, in sentences.
    pub sentences: Vec<String>,
    pub lots: Vec<LotView>,
}

#[derive(Clone, Debug)]
pub(super) struct LotView {
    /// `Bought: 250 pictures`.
    pub from: String,
    pub date: String,
    pub note: Option<String>,
    /// `40 of 250`.
    pub left: String,
    /// `3 Dec 2026`, `Never`.
    pub ends: String,
    pub receipt: Option<ReceiptView>,
}

/// The lots of the user who is signed in.
pub(crate) async fn show(State(state): State<AppState>, visitor: Visitor) -> HandlerResult {
    let Some(signed_in) = visitor.0 else { return Ok(see_other("/login")?) };
    let page = state.run(Pool::Db, move |app| page(app, signed_in)).await?;
    Ok(html(StatusCode::OK, &page)?)
}

fn page(app: &App, signed_in: SignedIn) -> Result<BalancePage> {
    let language = signed_in.language;
    let words = &app.catalog.unit;
    let (member, lots) = balance::explain(app, signed_in.member.user.account)?;
    let balance = member.balance;
    let mut sentences = vec![match balance.remaining {
        ..0 => language.balance_debt(language.number(balance.remaining), words.many(language)),
        0 => language.balance_none().to_owned(),
        _ => language.balance_sum(words.count(balance.remaining, language)),
    }];
    if balance.held > 0 {
        sentences.push(language.balance_held(words.count(balance.held, language)));
    }
    if lots.len() > 1 {
        sentences.push(language.balance_order().to_owned());
    }
    Ok(BalancePage {
        shell: Shell::signed_in(app, language.balance_title(), &SignedIn { member, ..signed_in })?,
        sentences,
        lots: lots.iter().map(|lot| LotView::of(lot, &app.catalog, language)).collect(),
    })
}

impl LotView {
    fn of(lot: &ExplainedLot, catalog: &Catalog, language: Language) -> LotView {
        let from = match (&lot.receipt, lot.opened_by.kind) {
            (Some(receipt), _) => match receipt.kind {
                OfferKind::Pack => language.balance_bought(bought(receipt, catalog, language)),
                OfferKind::Plan => language.balance_of_plan(bought(receipt, catalog, language)),
            },
            (None, Kind::Grant) => language.balance_gift().to_owned(),
            (None, _) => language.balance_returned().to_owned(),
        };
        LotView {
            from,
            date: language.date(lot.opened_by.created_at),
            note: lot.opened_by.note_text().map(str::to_owned),
            left: language.balance_left_of(language.number(lot.left), language.number(lot.units)),
            ends: lot.ends_at.map_or_else(|| language.balance_never().to_owned(), |at| language.date(at)),
            receipt: lot.receipt.as_ref().and_then(|receipt| ReceiptView::of(receipt, Some(catalog), language)),
        }
    }
}
