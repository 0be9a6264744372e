//! A problem as a page, in the words of the JSON answer, with one way on.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::html;
use super::shell::{Link, Shell};
use crate::app::App;
use crate::http::guard::Visitor;
use crate::http::problem::Problem;

#[derive(Debug, Template)]
#[template(path = "error.html")]
pub(super) struct ErrorPage {
    pub shell: Shell,
    pub status: u16,
    pub title: String,
    pub sentence: String,
    /// What else the reader wants to know. Empty when the sentence says it.
    pub assurance: &'static str,
    /// The way on.
    pub link: Link,
}

/// The page of a problem. `visitor` is `None` where the session could not be looked at.
pub(crate) fn page(app: &App, visitor: Option<&Visitor>, problem: &Problem) -> Response {
    let written = shell(app, visitor, problem.title).and_then(|shell| {
        let page = ErrorPage {
            status: problem.status.as_u16(),
            title: problem.title.to_owned(),
            sentence: problem.detail.clone(),
            assurance: if problem.is_before_payment { "Nothing was charged." } else { "" },
            link: way_on(problem, shell.person.is_some() || visitor.is_none()),
            shell,
        };
        html(problem.status, &page)
    });
    written.unwrap_or_else(|_| (problem.status, format!("{}\n", problem.detail)).into_response())
}

fn shell(app: &App, visitor: Option<&Visitor>, title: &str) -> crate::error::Result<Shell> {
    match visitor {
        Some(visitor) => Shell::for_visitor(app, title, visitor),
        None => Ok(Shell { offers_sign_in: false, ..Shell::anonymous(app, title) }),
    }
}

fn way_on(problem: &Problem, is_signed_in: bool) -> Link {
    // Where Stripe opened no portal, the refusal leads to the dashboard.
    let portal = problem.portal_url().filter(|url| !url.ends_with("/dashboard"));
    match (problem.status, portal) {
        (StatusCode::UNAUTHORIZED, _) => Link::to("/login", "How to sign in"),
        (_, Some(portal)) => Link::to(portal, "Open the customer portal"),
        _ if is_signed_in => Link::dashboard(),
        _ => Link::to("/", "See the prices"),
    }
}
