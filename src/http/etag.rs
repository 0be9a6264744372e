//! Answers that a client may keep: with an `ETag`, and `304` for a client that has the same already (RFC 9110, sections
//! 8.8.3 and 13.1.2).

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::Fault;
use crate::id;

/// A JSON body with its tag. The tag is weak, because the answer may be compressed on its way.
#[derive(Clone)]
pub(super) struct TaggedBody {
    body: Bytes,
    tag: HeaderValue,
}

impl TaggedBody {
    /// Both parts lie in one allocation, so that a cached answer needs only one access to memory.
    pub(super) fn of(body: &impl Serialize) -> Result<TaggedBody, Fault> {
        let mut text = serde_json::to_vec(body).map_err(|cause| Fault::new("cannot write JSON", cause))?;
        let length = text.len();
        let tag = format!("W/\"{}\"", id::hex(&id::digest(&text)[..8]));
        text.extend_from_slice(tag.as_bytes());
        let whole = Bytes::from(text);
        let tag = HeaderValue::from_maybe_shared(whole.slice(length..));
        let tag = tag.map_err(|cause| Fault::new("cannot write the ETag", cause))?;
        Ok(TaggedBody { body: whole.slice(..length), tag })
    }

    /// Its bytes in memory.
    pub(super) fn len(&self) -> usize {
        self.body.len() + self.tag.len()
    }

    /// The answer to one client, which must ask again each time: a balance is never old.
    pub(super) fn private_answer(&self, request: &HeaderMap) -> Response {
        self.answer(request, "private, no-cache")
    }

    /// The answer for everybody: a proxy may keep it, and asks whether it has changed.
    pub(super) fn public_answer(&self, request: &HeaderMap) -> Response {
        self.answer(request, "public, no-cache")
    }

    fn answer(&self, request: &HeaderMap, cache_control: &'static str) -> Response {
        let cache =
            [(header::ETAG, self.tag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static(cache_control))];
        if is_current(request, &self.tag) {
            return (StatusCode::NOT_MODIFIED, cache).into_response();
        }
        let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        (cache, json, self.body.clone()).into_response()
    }
}

/// Whether `If-None-Match` names this tag. The comparison is weak (RFC 9110, section 8.8.3.2).
pub(super) fn is_current(request: &HeaderMap, tag: &HeaderValue) -> bool {
    let bare = tag.to_str().unwrap_or_default().trim_start_matches("W/");
    let named = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == bare)
}
