//! Front ends on other origins: those that the operator allows may call `/billing/*` and `/v1/me` with the user's cookie
//! (the Fetch standard, "HTTP extensions"). A script from any other origin cannot read an answer.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::state::AppState;
use crate::config::{Config, Origin};

/// The origin that the browser names, if it is our own or one that the operator allows.
pub(super) fn allowed_origin(config: &Config, headers: &HeaderMap) -> Option<Origin> {
    let origin = Origin::parse(headers.get(header::ORIGIN)?.to_str().ok()?).ok()?;
    (origin == config.base_url || config.return_origins.contains(&origin)).then_some(origin)
}

/// The layer of the routes that other origins may call: answers preflights and marks answers as readable.
pub(super) async fn allow_origins(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let origin = allowed_origin(state.config(), request.headers());
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match (is_preflight, &origin) {
        (true, Some(_)) => preflight(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    headers.append(header::VARY, HeaderValue::from_static("Accept"));
    if let Some(value) = origin.and_then(|origin| HeaderValue::from_str(origin.as_str()).ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        // Of the headers that a front end needs, the one that a script may not read otherwise.
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
    }
    response
}

fn preflight() -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Accept, Content-Type")),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}
