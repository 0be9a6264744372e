//! `POST /billing/portal`: on to Stripe's customer portal.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use serde_json::json;

use super::super::Rim;
use super::super::body;
use super::super::error::Answer;
use super::super::guard::{SignedIn, check_press};
use super::super::request::wants_json;
use super::see_other;
use crate::usecase::checkout::portal;

const PATH: &str = "/billing/portal";

/// Opens the portal for whoever is signed in.
pub(crate) async fn open(State(rim): State<Rim>, signed_in: SignedIn, headers: HeaderMap, body: Body) -> Answer {
    let form = body::form(body).await?;
    check_press(&rim.app.config, PATH, &headers, &signed_in.cookie, &form)?;
    let user = signed_in.member.user;
    let url = rim.stripe(move |app| portal::open(app, &user)).await?;
    if wants_json(PATH, &headers) {
        return Ok(Json(json!({ "portal_url": url })).into_response());
    }
    Ok(see_other(&url)?)
}
