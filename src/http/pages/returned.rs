//! `GET /billing/return`: the buyer comes back from Stripe. The same address answers JSON to the page's script.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;

use super::super::Rim;
use super::super::error::Answer;
use super::super::guard::SignedIn;
use super::super::request::wants_json;
use super::view::{Link, Outcome, ReturnedPage};
use super::{html, offers, shell};
use crate::catalog::Catalog;
use crate::error::Refused;
use crate::usecase::checkout::confirm::{self, Purchase, PurchaseState};
use crate::usecase::users::plan_of;

/// Confirms with Stripe and says how the purchase stands.
pub(crate) async fn show(
    State(rim): State<Rim>,
    signed_in: SignedIn,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let query = query.unwrap_or_default();
    let mut fields = form_urlencoded::parse(query.as_bytes());
    let session = fields.find(|(name, _)| name == "session_id").map(|(_, value)| value.into_owned());
    let session = session.ok_or_else(|| {
        Refused::InvalidRequest("The query field session_id is missing: open this page from Stripe's checkout.".into())
    })?;
    let account = signed_in.member.user.account;
    let asked = session.clone();
    let purchase = rim.stripe(move |app| confirm::confirm(app, account, &asked)).await?;
    let escaped: String = form_urlencoded::byte_serialize(session.as_bytes()).collect();
    let page = ReturnedPage {
        shell: shell("Your purchase", Some((&signed_in.member, &signed_in.cookie)))?,
        words: offers::words(&rim.app.catalog),
        outcome: outcome(&purchase, &rim.app.catalog),
        status_url: format!("/billing/return?session_id={escaped}"),
        links: links(&purchase),
    };
    if wants_json("/billing/return", &headers) {
        return Ok(Json(page.status()).into_response());
    }
    Ok(html(StatusCode::OK, &page)?)
}

fn plan_name(catalog: &Catalog, key: &str) -> String {
    plan_of(catalog, key).map_or_else(|| key.to_owned(), |plan| plan.name.clone())
}

fn outcome(purchase: &Purchase, catalog: &Catalog) -> Outcome {
    match purchase.state {
        PurchaseState::Credited { added, remaining } => Outcome::Credited { added, remaining },
        PurchaseState::Subscribed { ref plan, remaining } => {
            Outcome::Subscribed { plan: plan_name(catalog, plan), remaining }
        }
        PurchaseState::Pending { units } => Outcome::Pending { units },
        PurchaseState::Failed => Outcome::Failed,
        PurchaseState::Expired => Outcome::Expired,
        PurchaseState::Open => Outcome::NotCompleted,
        PurchaseState::Unmatched => Outcome::Confirming,
        PurchaseState::StripeUnavailable => Outcome::StripeUnavailable,
    }
}

fn links(purchase: &Purchase) -> Vec<Link> {
    let back = purchase.return_url.as_deref().and_then(Link::back_to);
    let dashboard = Link::dashboard();
    match purchase.state {
        PurchaseState::Failed | PurchaseState::Expired | PurchaseState::Open => {
            [Some(dashboard), back].into_iter().flatten().collect()
        }
        _ => [back, Some(dashboard)].into_iter().flatten().collect(),
    }
}
