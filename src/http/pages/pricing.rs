//! `GET /`: what everything costs.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

use super::offers::{PackCard, PlanCard, PlanState};
use super::shell::Shell;
use super::words::capitalised;
use super::{html, html_with_forms_to, preview};
use crate::catalog::{Catalog, Offer, UnitWords};
use crate::http::guard::Visitor;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::usecase::checkout::one_plan;

#[derive(Debug, Template)]
#[template(path = "pricing.html")]
pub(super) struct PricingPage<'a> {
    pub shell: Shell,
    /// This page's address and that of its picture, for previews of links to it.
    pub address: String,
    pub picture: String,
    pub words: &'a UnitWords,
    pub plans: Vec<PlanCard>,
    pub packs: Vec<PackCard>,
    /// Questions with their answers, from what the catalogue says.
    pub questions: Vec<(String, String)>,
    /// Where other questions are answered.
    pub support: Option<String>,
}

/// Users get buttons to buy, visitors a link to sign in.
pub(crate) async fn show(State(state): State<AppState>, visitor: Visitor) -> HandlerResult {
    let account = visitor.signed_in.as_ref().map(|signed_in| signed_in.member.user.account);
    let is_pending = match account {
        Some(account) => state.run(Pool::Db, move |app| one_plan::is_payment_pending(app, account)).await?,
        None => false,
    };
    let catalog = state.catalog();
    let page = PricingPage {
        shell: Shell::for_visitor(state.app(), visitor.language.pricing_title(), &visitor)?,
        address: state.app().url("/"),
        picture: state.app().url(preview::PATH),
        words: &catalog.unit,
        plans: PlanCard::all(
            catalog,
            visitor.signed_in.as_ref().map(|signed_in| &signed_in.member),
            is_pending,
            visitor.language,
        )?,
        packs: PackCard::all(catalog, visitor.language)?,
        questions: questions(catalog, visitor.language),
        support: catalog.shop.support_link(),
    };
    // A visitor has no forms.
    match page.shell.person.is_some() {
        true => Ok(html_with_forms_to(state.stripes_pages(), &page)?),
        false => Ok(html(StatusCode::OK, &page)?),
    }
}

impl PricingPage<'_> {
    /// With the shop's name, if it has one.
    pub(super) fn heading(&self) -> String {
        let (language, units) = (self.shell.language, capitalised(self.words.many(self.shell.language)));
        match self.shell.site.is_named {
            true => language.pricing_heading_at(units, &self.shell.site.name),
            false => language.pricing_heading(units),
        }
    }
}

/// What people ask before they buy.
pub(super) fn questions(catalog: &Catalog, language: Language) -> Vec<(String, String)> {
    let many = catalog.unit.many(language);
    let sold: Vec<Offer<'_>> = catalog.for_sale().filter(|offer| offer.units() > 0).collect();
    let ending: Vec<String> = sold
        .iter()
        .filter_map(|offer| {
            Some(language.pricing_valid_offer(offer.title(&catalog.unit, language), offer.expiry().words(language)?))
        })
        .collect();
    let valid = match (ending.is_empty(), ending.len() < sold.len()) {
        (true, _) => language.pricing_valid_for_ever().to_owned(),
        (false, true) => {
            format!("{} {} {}", ending.join(" "), language.pricing_valid_others(), language.pricing_order())
        }
        (false, false) => format!("{} {}", ending.join(" "), language.pricing_order()),
    };
    let mut questions = vec![(language.pricing_valid(many), valid)];
    let sells_plans = sold.iter().any(|offer| matches!(offer, Offer::Plan(_)));
    if sells_plans {
        questions.push((language.pricing_cancel().to_owned(), language.pricing_cancel_answer().to_owned()));
    }
    questions.push((language.pricing_refund().to_owned(), language.pricing_refund_answer(many)));
    let invoices = match (catalog.selling.invoices, sells_plans) {
        (true, _) => Some(language.pricing_invoice_all()),
        (false, true) => Some(language.pricing_invoice_plans()),
        (false, false) => None,
    };
    questions.extend(invoices.map(|answer| (language.pricing_invoice().to_owned(), answer.to_owned())));
    questions
}
