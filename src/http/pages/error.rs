//! A refusal as a page, in the words of the JSON answer.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::super::error::Problem;
use super::view::{ErrorPage, Link};
use super::{html, shell};

/// The page for a problem.
pub(crate) fn page(problem: &Problem) -> Response {
    let (advice, link) = match problem.status {
        StatusCode::UNAUTHORIZED => ("", Link::to("/login", "How to sign in")),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => {
            ("Nothing was charged. Try again in a minute.", Link::dashboard())
        }
        _ => ("", Link::dashboard()),
    };
    let rendered = shell(problem.title, None).and_then(|shell| {
        let page = ErrorPage {
            shell,
            status: problem.status.as_u16(),
            title: problem.title.to_owned(),
            sentence: problem.detail.clone(),
            advice: advice.to_owned(),
            links: vec![link, Link::to("/", "Pricing")],
        };
        html(problem.status, &page)
    });
    rendered.unwrap_or_else(|_| (problem.status, format!("{}\n", problem.detail)).into_response())
}
