//! `POST /billing/checkout?plan=KEY`: a button is pressed. A browser's form is sent on to Stripe, a program gets the
//! address as JSON.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;

use super::super::Rim;
use super::super::api::checkout::CheckoutShape;
use super::super::body;
use super::super::error::Answer;
use super::super::guard::{SignedIn, check_press};
use super::super::request::wants_json;
use super::see_other;
use crate::error::Refused;
use crate::usecase::checkout::start;

const PATH: &str = "/billing/checkout";

/// Opens a checkout for whoever is signed in.
pub(crate) async fn open(
    State(rim): State<Rim>,
    signed_in: SignedIn,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let form = body::form(body).await?;
    check_press(&rim.app.config, PATH, &headers, &signed_in.cookie, &form)?;
    let query: Vec<(String, String)> =
        form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let field = |name: &str| query.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
    let plan = field("plan").ok_or_else(|| {
        Refused::InvalidRequest("The query field plan is missing: the key of a plan or a pack was expected.".into())
    })?;
    let return_url = field("return_url");
    let user = signed_in.member.user;
    let checkout = rim.stripe(move |app| start::start_checkout(app, &user, &plan, return_url.as_deref())).await?;
    if wants_json(PATH, &headers) {
        return Ok(Json(CheckoutShape::of(checkout)).into_response());
    }
    Ok(see_other(&checkout.checkout_url)?)
}
