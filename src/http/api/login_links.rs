//! `POST /v1/users/{id}/login-links`: a link that signs a user in to the dashboard, once, within five minutes.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;

use super::super::Rim;
use super::super::body;
use super::super::error::Answer;
use super::super::guard::Bearer;
use super::super::request::Segment;
use crate::clock::rfc3339;
use crate::usecase::sign_in;
use crate::usecase::tokens::Scope;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    return_to: Option<String>,
}

/// Makes the link.
pub(crate) async fn create(
    State(rim): State<Rim>,
    bearer: Bearer,
    Segment(id): Segment,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    bearer.must(Scope::Admin)?;
    let create: Create = body::json_or_default(&headers, body).await?;
    let link = rim.books(move |app| sign_in::make_link(app, &id, create.return_to.as_deref())).await?;
    let shape = json!({ "url": link.url, "expires_at": rfc3339(link.expires_at) });
    Ok((StatusCode::CREATED, Json(shape)).into_response())
}
