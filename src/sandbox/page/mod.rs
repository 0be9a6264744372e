//! What the pages of the stand-in share: plain forms, no scripts, strict headers.

pub mod checkout;
pub mod control;
pub mod link;
pub mod portal;
pub mod receipt;
pub mod steps;

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::form::{BODY_LIMIT, RequestForm};

const STYLE: &str = include_str!("../../../assets/sandbox.css");

/// `GET /sandbox.css`.
pub async fn stylesheet() -> Response {
    respond(StatusCode::OK, "text/css; charset=utf-8", STYLE.to_owned(), "'self'")
}

#[derive(Template)]
#[template(path = "sandbox/message.html")]
struct MessagePage<'a> {
    title: &'a str,
    message: &'a str,
}

/// A page that says why something was not done.
fn error_page(error: &ApiError) -> Response {
    page(error.status, &MessagePage { title: "That was not done", message: error.message() }, "'self'")
}

/// A page with a title and one sentence.
fn message_page(title: &str, message: &str) -> Response {
    page(200, &MessagePage { title, message }, "'self'")
}

/// A page. `form_targets` is where its forms may lead, as in a content security policy.
fn page(status: u16, template: &impl Template, form_targets: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match template.render() {
        Ok(html) => respond(status, "text/html; charset=utf-8", html, form_targets),
        Err(_) => respond(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "The page failed.".to_owned(), "'none'"),
    }
}

fn respond(status: StatusCode, kind: &'static str, body: String, form_targets: &str) -> Response {
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action {form_targets}; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// `303` to another page.
fn see_other(url: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(url) = HeaderValue::from_str(url) {
        response.headers_mut().insert(LOCATION, url);
    }
    response
}

/// A form sent from one of these pages, or by a program. A form that a browser sends from another site is refused.
pub struct SameSiteForm(RequestForm);

impl<S: Send + Sync> FromRequest<S> for SameSiteForm {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<SameSiteForm, Response> {
        if is_foreign(request.headers()) {
            let message = "This form came from another site, so nothing was done. Open this page and use its buttons.";
            return Err(error_page(&ApiError::invalid(message).status(403)));
        }
        let bytes = to_bytes(request.into_body(), BODY_LIMIT).await.unwrap_or_default();
        Ok(SameSiteForm(RequestForm::decode(&String::from_utf8_lossy(&bytes)).unwrap_or_default()))
    }
}

/// Whether a browser says that the form comes from another site.
fn is_foreign(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}
