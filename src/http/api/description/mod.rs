//! The service API described for programs: `GET /v1/openapi.json`. What each call takes and answers is told from the types
//! that its handler uses; the rest stands in a constant beside the handler. A test holds the list against the router.

mod document;
pub(super) mod operation;
mod problems;

#[cfg(test)]
mod tests;

use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::Value;

use super::super::Rim;
use super::super::error::Answer;
use super::super::guard::cookie_name;
use super::etag::{self, Tagged};
use super::{checkout, grants, holds, ledger, login_links, me, spends, users};
use crate::config::Config;
use crate::error::Fault;
use operation::{Access, Group, Header, IF_NONE_MATCH, Method, Operation, Success, object};
pub(super) use problems::{
    ALREADY_SUBSCRIBED, HOLD_CLOSED, INSUFFICIENT, KEY_REUSED, NO_HOLD, ORIGIN_NOT_ALLOWED, STRIPE_REJECTED,
    STRIPE_UNAVAILABLE, UNKNOWN_AFTER, UNKNOWN_PLAN, UNKNOWN_USER,
};

/// A note's characters: something to be seen, and of control characters only the line feed.
pub(super) const NOTE: &str = "^[^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f]*$";
/// A name's characters: something to be seen, and no control characters.
pub(super) const TEXT: &str =
    "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$";
/// An address has an @, and is otherwise left to those who send mail.
pub(super) const EMAIL: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*@[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// An address to go back to: absolute, or a path of ours.
pub(super) const URL: &str = "^(https?://|/)";

/// Every call under `/v1`, in the order in which the reference shows them.
pub(crate) const OPERATIONS: [&Operation; 15] = [
    &users::PUT,
    &users::SHOW,
    &users::LIST,
    &spends::CREATE,
    &spends::CREATE_BATCH,
    &holds::CREATE,
    &holds::SHOW,
    &holds::CAPTURE,
    &holds::RELEASE,
    &grants::CREATE,
    &ledger::LIST,
    &login_links::CREATE,
    &checkout::CREATE,
    &me::SHOW,
    &SHOW,
];

const SHOW: Operation = Operation {
    method: Method::Get,
    path: "/v1/openapi.json",
    name: "getDescription",
    group: Group::Description,
    summary: "Describe this API",
    text: "This document. The same for people: `/docs`.",
    access: Access::Open,
    parameters: &[IF_NONE_MATCH],
    body: None,
    answers: &[
        Success {
            status: 200,
            text: "An OpenAPI document, version 3.1.",
            content: Some((object, r#"{"openapi":"3.1.1"}"#)),
            headers: &[Header::ETag],
        },
        Success { status: 304, text: "You have this answer already.", content: None, headers: &[Header::ETag] },
    ],
    refusals: &[],
};

/// The description, built once.
pub(crate) struct Description {
    pub document: Value,
    tagged: Tagged,
}

impl Description {
    /// Describes the API of an appliance that is set up like this.
    pub(crate) fn of(config: &Config) -> Result<Description, Fault> {
        let document = document::document(&OPERATIONS, config.base_url.as_str(), cookie_name(config))?;
        let tagged = Tagged::of(&document)?;
        Ok(Description { document, tagged })
    }

    /// The operations' names, in the order in which people read of them.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        OPERATIONS.iter().map(|operation| operation.name).collect()
    }
}

/// `GET /v1/openapi.json`.
pub(crate) async fn show(State(rim): State<Rim>, headers: HeaderMap) -> Answer {
    Ok(etag::answer_anybody(&headers, &rim.description.tagged))
}
