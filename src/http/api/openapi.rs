//! `GET /v1/openapi.json`: the description of the service API.

use axum::extract::State;
use axum::http::HeaderMap;

use crate::http::description::operation::{Access, Chapter, Header, IF_NONE_MATCH, Operation, Success, any_object};
use crate::http::problem::HandlerResult;
use crate::http::state::AppState;

pub(crate) const SHOW: Operation = Operation {
    name: "getDescription",
    chapter: Chapter::Description,
    summary: "Describe this API",
    text: "This document. The same for people: `/docs`.",
    access: Access::Open,
    parameters: &[IF_NONE_MATCH],
    body: None,
    answers: &[
        Success {
            status: 200,
            text: "An OpenAPI document, version 3.1.",
            content: Some((any_object, r#"{"openapi":"3.1.1"}"#)),
            headers: &[Header::ETag],
        },
        Success { status: 304, text: "You have this answer already.", content: None, headers: &[Header::ETag] },
    ],
    problems: &[],
};

pub(crate) async fn show(State(state): State<AppState>, headers: HeaderMap) -> HandlerResult {
    Ok(state.description().public_answer(&headers))
}
