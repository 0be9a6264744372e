//! A problem as a page, in the words of the JSON answer, with one way on.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::html;
use super::shell::{Link, Shell};
use crate::app::App;
use crate::http::guard::Visitor;
use crate::http::problem::Problem;
use crate::language::Language;
use crate::language::refusal::{PersonRefusal, RefusalKind};

/// Where a second factor is proved, on the way back to the account.
const PROOF_OF_ACCOUNT: &str = "/login/second?return_to=/account";

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
pub(crate) fn page(app: &App, visitor: Option<&Visitor>, language: Language, problem: &Problem) -> Response {
    let language = visitor.map_or(language, |visitor| visitor.language);
    let (title, sentence) = words(problem, language);
    let written = shell(app, visitor, &title, language).and_then(|shell| {
        let page = ErrorPage {
            status: problem.status.as_u16(),
            title,
            sentence,
            assurance: assurance(problem, language),
            link: way_on(problem, shell.person.is_some() || visitor.is_none(), language),
            shell,
        };
        html(problem.status, &page)
    });
    written.unwrap_or_else(|_| (problem.status, format!("{}\n", problem.detail)).into_response())
}

fn assurance(problem: &Problem, language: Language) -> &'static str {
    if problem.is_before_payment {
        return language.problem_nothing_charged();
    }
    match problem.to_person.as_ref().map(|refusal| refusal.kind()) {
        Some(RefusalKind::Invalid) => language.refused_go_back(),
        _ => "",
    }
}

/// Title and sentence. The words of the JSON answer are English and say most; other languages have words for each code.
fn words(problem: &Problem, language: Language) -> (String, String) {
    if let Some(refusal) = &problem.to_person {
        let title = match refusal.kind() {
            RefusalKind::Invalid => language.refused_check(),
            RefusalKind::Forbidden => language.problem_forbidden(),
            RefusalKind::Missing => language.problem_not_found(),
        };
        return (title.to_owned(), refusal.words(language));
    }
    if language == Language::En {
        return (problem.title.to_owned(), problem.detail.clone());
    }
    let (title, sentence) = match (problem.code, problem.status) {
        ("unauthenticated", _) => (language.problem_unauthenticated(), language.problem_unauthenticated_sentence()),
        ("forbidden", _) => (language.problem_forbidden(), language.problem_forbidden_sentence()),
        ("not_found" | "unknown_user", _) => (language.problem_not_found(), language.problem_not_found_sentence()),
        ("unknown_plan", _) => (language.problem_unknown_plan(), language.problem_unknown_plan_sentence()),
        (_, StatusCode::METHOD_NOT_ALLOWED) => (language.problem_no_page(), language.problem_no_page_sentence()),
        ("already_subscribed", _) => {
            (language.problem_already_subscribed(), language.problem_already_subscribed_sentence())
        }
        ("stripe_unavailable", _) => {
            (language.problem_stripe_unavailable(), language.problem_stripe_unavailable_sentence())
        }
        ("stripe_rejected", _) => (language.problem_stripe_rejected(), language.problem_stripe_rejected_sentence()),
        ("rate_limited", _) => (language.problem_rate_limited(), language.problem_rate_limited_sentence()),
        ("unavailable", _) => (language.problem_unavailable(), language.problem_unavailable_sentence()),
        (_, status) if status.is_server_error() => (language.problem_internal(), language.problem_internal_sentence()),
        _ => (language.problem_invalid(), language.problem_invalid_sentence()),
    };
    (title.to_owned(), sentence.to_owned())
}

fn shell(app: &App, visitor: Option<&Visitor>, title: &str, language: Language) -> crate::error::Result<Shell> {
    match visitor {
        Some(visitor) => Shell::for_visitor(app, title, visitor),
        None => Ok(Shell { offers_sign_in: false, ..Shell::anonymous(app, title, language) }),
    }
}

fn way_on(problem: &Problem, is_signed_in: bool, language: Language) -> Link {
    // Where Stripe opened no portal, the refusal leads to the dashboard.
    let portal = problem.portal_url().filter(|url| !url.ends_with("/dashboard"));
    match (problem.status, portal) {
        (StatusCode::UNAUTHORIZED, _) => Link::to("/login", language.problem_how_to_sign_in()),
        (_, Some(portal)) => Link::to(portal, language.problem_open_portal()),
        _ if problem.to_person.as_deref() == Some(&PersonRefusal::ProofMissing) => {
            Link::to(PROOF_OF_ACCOUNT, language.second_title())
        }
        // A form's page that cannot be left for its own: the browser's way back leads there.
        _ if problem.to_person.is_some() && is_signed_in => Link::to("/account", language.oidc_to_account()),
        _ if problem.to_person.is_some() => Link::to("/login", language.shell_sign_in()),
        _ if is_signed_in => Link::dashboard(language),
        _ => Link::to("/", language.shell_see_prices()),
    }
}
