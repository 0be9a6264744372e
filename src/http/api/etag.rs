//! Answers that a caller may keep: with an `ETag`, and `304` to whoever has the same already (RFC 9110, sections 8.8.3
//! and 13.1.2).

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::super::error::Answer;
use crate::error::Fault;
use crate::id;

/// JSON with its tag.
pub(super) struct Kept {
    body: Bytes,
    /// Weak, because an answer may be compressed on its way.
    tag: String,
    tag_value: HeaderValue,
    cache_control: HeaderValue,
}

impl Kept {
    pub(super) fn new(body: &impl Serialize, cache_control: HeaderValue) -> Result<Kept, Fault> {
        let body = serde_json::to_vec(body).map_err(|cause| Fault::new("cannot write JSON", cause))?;
        let hash = id::digest(&body);
        let tag = format!("W/\"{}\"", id::hex(&hash[..8]));
        let tag_value = HeaderValue::from_str(&tag).map_err(|cause| Fault::new("cannot write the ETag", cause))?;
        Ok(Kept { body: body.into(), tag, tag_value, cache_control })
    }

    /// The JSON, or `304`.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let headers_out = [(header::ETAG, self.tag_value.clone()), (header::CACHE_CONTROL, self.cache_control.clone())];
        if is_known(headers, &self.tag) {
            return (StatusCode::NOT_MODIFIED, headers_out).into_response();
        }
        let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        (headers_out, json, self.body.clone()).into_response()
    }
}

/// `body` as JSON, or `304`. What is kept must be asked about each time: a balance is never old.
pub(super) fn answer(headers: &HeaderMap, body: &impl Serialize) -> Answer {
    Ok(Kept::new(body, HeaderValue::from_static("private, no-cache"))?.answer(headers))
}

/// Whether `If-None-Match` names this tag; both may be weak (RFC 9110, section 8.8.3.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let bare = tag.trim_start_matches("W/");
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == bare)
}
