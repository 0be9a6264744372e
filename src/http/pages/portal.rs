//! `POST /billing/portal`: redirects to Stripe's customer portal, or answers its address as JSON.

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use serde_json::json;

use super::see_other;
use crate::http::audience::prefers_json;
use crate::http::body;
use crate::http::csrf::check_csrf;
use crate::http::guard::SignedIn;
use crate::http::problem::HandlerResult;
use crate::http::rates::Costly;
use crate::http::request::ClientAddress;
use crate::http::state::AppState;
use crate::usecase::checkout::portal;

pub(crate) async fn open(
    State(state): State<AppState>,
    signed_in: SignedIn,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    let form = body::form(body).await?;
    check_csrf(state.config(), &headers, &signed_in.cookie, &form)?;
    let user = signed_in.member.user;
    state.charge(Costly::Press, Some(user.account), client).await?;
    let url = state.ask_stripe(user.account, move |app, deadline| portal::open(app, &user, deadline)).await?;
    if prefers_json(&headers) {
        return Ok(Json(json!({ "portal_url": url })).into_response());
    }
    Ok(see_other(&url)?)
}
