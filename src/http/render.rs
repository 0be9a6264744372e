//! Writes the body of a problem: `application/problem+json` for programs, a page with the same words for browsers.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::audience::Audience;
use super::pages;
use super::problem::Problem;

/// Gives a problem its body and headers. Any other response stays as it is. `reads_json` is what
/// [`Audience::reads_json`] said of the request.
pub(super) fn render(mut response: Response, audience: Audience, reads_json: bool) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let mut rendered = if reads_json { json(&problem) } else { pages::error::page(&problem) };
    if let Some(seconds) = problem.retry_after {
        rendered.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.status == StatusCode::UNAUTHORIZED && audience == Audience::Service {
        rendered.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    // Headers that other layers have set are kept, such as `Allow`.
    for (name, value) in response.headers() {
        if name != header::CONTENT_LENGTH && !rendered.headers().contains_key(name) {
            rendered.headers_mut().insert(name.clone(), value.clone());
        }
    }
    rendered
}

fn json(problem: &Problem) -> Response {
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
    (problem.status, content_type, Json(problem.shape()).into_response().into_body()).into_response()
}
