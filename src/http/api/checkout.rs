//! `POST /v1/users/{id}/checkout`: a checkout for a user, asked for by a server.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;

use super::super::Rim;
use super::super::body;
use super::super::error::Answer;
use super::super::guard::Bearer;
use super::super::request::Segment;
use crate::usecase::buy;
use crate::usecase::tokens::Scope;
use crate::usecase::users;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    plan: String,
    return_url: Option<String>,
}

/// Makes a Stripe Checkout Session; the caller sends the user to `checkout_url`.
pub(crate) async fn create(
    State(rim): State<Rim>,
    bearer: Bearer,
    Segment(id): Segment,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    bearer.must(Scope::Admin)?;
    let create: Create = body::json(&headers, body).await?;
    let checkout = rim
        .stripe(move |app| {
            let member = users::show(app, &id)?;
            buy::buy(app, &member.user, &create.plan, create.return_url.as_deref())
        })
        .await?;
    let shape = json!({ "checkout_url": checkout.checkout_url, "session_id": checkout.session_id });
    Ok(Json(shape).into_response())
}
