//! Writes the body of a problem: `application/problem+json` for programs, a page with the same words for browsers.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::audience::Audience;
use super::guard::{Visitor, visitor_of};
use super::pages;
use super::problem::Problem;
use super::state::AppState;
use crate::language::Language;

/// Who reads a problem.
pub(super) enum Reader<'a> {
    Program,
    /// A browser, signed in or not, with the language it asks for. `None` where the session could not be looked at.
    Browser(&'a AppState, Option<Box<Visitor>>, Language),
}

impl<'a> Reader<'a> {
    /// The reader of a page, for the page's header. A session is looked up only for a problem, and not where the database may
    /// be what failed.
    pub(super) async fn of_page(
        state: &'a AppState,
        problem: Option<StatusCode>,
        session: Option<String>,
        language: Language,
    ) -> Reader<'a> {
        let visitor = match (problem, session) {
            (None, _) | (_, None) => Some(Visitor::anonymous(language)),
            (Some(StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE), _) => None,
            (Some(_), Some(session)) => visitor_of(state, session, language).await.ok(),
        };
        Reader::Browser(state, visitor.map(Box::new), language)
    }
}

/// Gives a problem its body and headers. Any other response stays as it is.
pub(super) fn render(mut response: Response, audience: Audience, reader: &Reader<'_>) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let mut rendered = match reader {
        Reader::Program => json(&problem),
        Reader::Browser(state, visitor, language) => {
            pages::error::page(state.app(), visitor.as_deref(), *language, &problem)
        }
    };
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
