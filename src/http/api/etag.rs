//! Answers that a caller may keep: with an `ETag`, and `304` to whoever has the same already (RFC 9110, sections 8.8.3
//! and 13.1.2).

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::Fault;
use crate::id;

/// A body with its tag. The tag is weak, because an answer may be compressed on its way.
#[derive(Clone)]
pub(super) struct Tagged {
    body: Bytes,
    tag: HeaderValue,
}

impl Tagged {
    /// `body` as JSON. Both parts lie in one piece of memory, so that an answer that is kept is found with one reach.
    pub(super) fn of(body: &impl Serialize) -> Result<Tagged, Fault> {
        let mut text = serde_json::to_vec(body).map_err(|cause| Fault::new("cannot write JSON", cause))?;
        let length = text.len();
        let tag = format!("W/\"{}\"", id::hex(&id::digest(&text)[..8]));
        text.extend_from_slice(tag.as_bytes());
        let whole = Bytes::from(text);
        let tag = HeaderValue::from_maybe_shared(whole.slice(length..));
        let tag = tag.map_err(|cause| Fault::new("cannot write the ETag", cause))?;
        Ok(Tagged { body: whole.slice(..length), tag })
    }
}

/// The body, or `304` to whoever has it. What is kept must be asked about each time: a balance is never old.
pub(super) fn answer(headers: &HeaderMap, tagged: &Tagged) -> Response {
    answer_to(headers, tagged, "private, no-cache")
}

/// The same for what is no secret: a proxy may keep it, and asks whether it has changed.
pub(super) fn answer_anybody(headers: &HeaderMap, tagged: &Tagged) -> Response {
    answer_to(headers, tagged, "public, no-cache")
}

fn answer_to(headers: &HeaderMap, tagged: &Tagged, whose: &'static str) -> Response {
    let about = [(header::ETAG, tagged.tag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static(whose))];
    if is_known(headers, &tagged.tag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (about, json, tagged.body.clone()).into_response()
}

/// Whether `If-None-Match` names this tag; both may be weak (RFC 9110, section 8.8.3.2).
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let bare = tag.to_str().unwrap_or_default().trim_start_matches("W/");
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == bare)
}
