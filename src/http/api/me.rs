//! `GET /v1/me`: the user of the session cookie, for a front end on another origin and for our own pages' script.

use axum::Json;
use axum::response::IntoResponse;

use super::super::error::Answer;
use super::super::guard::SignedIn;
use super::shapes::UserShape;

/// The user who is signed in.
pub(crate) async fn show(signed_in: SignedIn) -> Answer {
    Ok(Json(UserShape::of(signed_in.member)).into_response())
}
