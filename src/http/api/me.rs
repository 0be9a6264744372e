//! `GET /v1/me`: the user who is signed in, for a front end on another origin and for the script of our own pages.

use axum::Json;
use axum::response::IntoResponse;

use super::shapes::{USER, UserShape};
use crate::http::description::operation::{Access, Chapter, Operation, Success, schema_of};
use crate::http::guard::SignedIn;
use crate::http::problem::HandlerResult;

pub(crate) const SHOW: Operation = Operation {
    name: "getMe",
    chapter: Chapter::People,
    summary: "Show who is signed in",
    text: "For a front end on another origin, which the operator allows with SPRITE_RETURN_ORIGINS, and which is of the same \
           site, such as app.example.com and pay.example.com: the cookie is SameSite=Lax, and a browser does not send it with \
           a script's request from another site. A front end on another site asks its own server, which has a token.",
    access: Access::Session,
    parameters: &[],
    body: None,
    answers: &[Success { status: 200, text: "The user.", content: Some((schema_of::<UserShape>, USER)), headers: &[] }],
    problems: &[],
};

pub(crate) async fn show(signed_in: SignedIn) -> HandlerResult {
    Ok(Json(UserShape::of(signed_in.member)).into_response())
}
