//! `GET /v1/me`: the user of the session cookie, for a front end on another origin and for our own pages' script.

use axum::Json;
use axum::response::IntoResponse;

use super::super::error::Answer;
use super::super::guard::SignedIn;
use super::description::operation::{Access, Group, Method, Operation, Success, shape};
use super::shapes::{USER, UserShape};

pub(super) const SHOW: Operation = Operation {
    method: Method::Get,
    path: "/v1/me",
    name: "getMe",
    group: Group::People,
    summary: "Show who is signed in",
    text: "For a front end on another origin, which the operator allows with SPRITE_RETURN_ORIGINS.",
    access: Access::Session,
    parameters: &[],
    body: None,
    answers: &[Success { status: 200, text: "The user.", content: Some((shape::<UserShape>, USER)), headers: &[] }],
    refusals: &[],
};

/// The user who is signed in.
pub(crate) async fn show(signed_in: SignedIn) -> Answer {
    Ok(Json(UserShape::of(signed_in.member)).into_response())
}
