//! A problem as a page, in the words of the JSON answer.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::html;
use super::shell::{Link, Shell};
use crate::http::problem::Problem;

#[derive(Debug, Template)]
#[template(path = "error.html")]
pub(super) struct ErrorPage {
    pub shell: Shell,
    pub status: u16,
    pub title: String,
    pub sentence: String,
    /// What to do. Empty when the sentence says it.
    pub advice: String,
    /// The most likely one first.
    pub links: Vec<Link>,
}

/// The page of a problem. It is a visitor's page, because the session may not be known.
pub(crate) fn page(problem: &Problem) -> Response {
    let (advice, link) = match problem.status {
        StatusCode::UNAUTHORIZED => ("", Link::to("/login", "How to sign in")),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => {
            ("Nothing was charged. Try again in a minute.", Link::dashboard())
        }
        _ => ("", Link::dashboard()),
    };
    let page = ErrorPage {
        shell: Shell::anonymous(problem.title),
        status: problem.status.as_u16(),
        title: problem.title.to_owned(),
        sentence: problem.detail.clone(),
        advice: advice.to_owned(),
        links: vec![link, Link::to("/", "Pricing")],
    };
    html(problem.status, &page).unwrap_or_else(|_| (problem.status, format!("{}\n", problem.detail)).into_response())
}
