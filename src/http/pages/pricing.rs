//! `GET /`: what everything costs.

use axum::extract::State;
use axum::http::StatusCode;

use super::super::Rim;
use super::super::error::Answer;
use super::super::guard::Visitor;
use super::view::PricingPage;
use super::{html, offers, shell};

/// The pricing page, with buttons for whoever is signed in.
pub(crate) async fn show(State(rim): State<Rim>, visitor: Visitor) -> Answer {
    let catalog = &rim.app.catalog;
    let user = visitor.user.as_ref().map(|(member, cookie)| (member, cookie.as_str()));
    let page = PricingPage {
        shell: shell("Pricing", user)?,
        words: offers::words(catalog),
        plans: offers::plans(catalog, user.map(|(member, _)| member))?,
        packs: offers::packs(catalog)?,
    };
    Ok(html(StatusCode::OK, &page)?)
}
