//! `GET /`: what everything costs.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

use super::offers::{PackCard, PlanCard, PlanState};
use super::shell::Shell;
use super::words::capitalised;
use super::{html, html_with_forms_to};
use crate::catalog::UnitWords;
use crate::http::guard::Visitor;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::usecase::checkout::one_plan;

#[derive(Debug, Template)]
#[template(path = "pricing.html")]
pub(super) struct PricingPage<'a> {
    pub shell: Shell,
    pub words: &'a UnitWords,
    pub plans: Vec<PlanCard>,
    pub packs: Vec<PackCard>,
}

/// Users get buttons to buy, visitors a link to sign in.
pub(crate) async fn show(State(state): State<AppState>, visitor: Visitor) -> HandlerResult {
    let account = visitor.0.as_ref().map(|signed_in| signed_in.member.user.account);
    let is_pending = match account {
        Some(account) => state.run(Pool::Db, move |app| one_plan::is_payment_pending(app, account)).await?,
        None => false,
    };
    let catalog = state.catalog();
    let page = PricingPage {
        shell: Shell::for_visitor(state.app(), visitor.1.pricing_title(), &visitor)?,
        words: &catalog.unit,
        plans: PlanCard::all(catalog, visitor.0.as_ref().map(|signed_in| &signed_in.member), is_pending, visitor.1)?,
        packs: PackCard::all(catalog, visitor.1)?,
    };
    // A visitor has no forms.
    match page.shell.person.is_some() {
        true => Ok(html_with_forms_to(state.stripes_pages(), &page)?),
        false => Ok(html(StatusCode::OK, &page)?),
    }
}

impl PricingPage<'_> {
    pub(super) fn unit_heading(&self) -> String {
        capitalised(self.words.many(self.shell.language))
    }
}
