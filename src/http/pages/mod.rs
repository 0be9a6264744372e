//! What browsers see. A page is a handler and a page struct in one file here, and the template of the same name in
//! `templates/`. A page struct knows neither the request nor the store; it may know the catalogue.
//!
//! To add a page: that file, that template, a `mod` line here, a line in `http/mod.rs`, and a sample in
//! `tests/samples.rs` so that the tests check the page's markup and size.

pub(super) mod accent;
pub(super) mod account;
pub(super) mod activity;
pub(super) mod admin;
pub(super) mod balance;
pub(super) mod checkout;
pub(super) mod dashboard;
pub(super) mod error;
pub(super) mod language;
pub(super) mod letters;
pub(super) mod login;
mod lot_words;
pub(super) mod month;
mod offers;
pub(super) mod oidc;
mod owner;
pub(super) mod passkeys;
pub(super) mod portal;
pub(super) mod preview;
pub(super) mod pricing;
pub(super) mod reference;
pub(super) mod returned;
pub(super) mod second;
mod shell;
pub(super) mod unsubscribe;
mod words;

#[cfg(test)]
mod tests;

use askama::Template;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::audience::prefers_json;
use super::guard::not_signed_in;
use super::problem::{HandlerResult, no_such_page};
use super::security_headers::policy_with_forms_to;
use crate::error::{Fault, Refused, Result};
use crate::http::fields::twice;

fn html(status: StatusCode, page: &impl Template) -> Result<Response> {
    Ok(html_of(status, written(page)?.into()))
}

/// The text of a page.
fn written(page: &impl Template) -> Result<String> {
    page.render().map_err(|cause| Fault::new("a page could not be written", cause).into())
}

fn html_of(status: StatusCode, text: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        // A page is in the language that the browser asks for, or that a cookie or the account names.
        (header::VARY, HeaderValue::from_static("accept-language, cookie")),
    ];
    (status, headers, text).into_response()
}

/// A page with forms that lead on to other origins, which are separated by spaces.
fn html_with_forms_to(origins: &str, page: &impl Template) -> Result<Response> {
    with_forms_to(origins, written(page)?.into())
}

/// The same of a page's text.
fn with_forms_to(origins: &str, text: Bytes) -> Result<Response> {
    let mut response = html_of(StatusCode::OK, text);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy_with_forms_to(origins)?);
    Ok(response)
}

/// The address of a button, opened like a page, as by a tab that was restored or a reader who signed in meanwhile: the
/// dashboard has the button. A program gets the refusal.
pub(super) async fn reopened(method: Method, uri: Uri, headers: HeaderMap) -> HandlerResult {
    if prefers_json(&headers) {
        return Ok(
            ([(header::ALLOW, HeaderValue::from_static("POST"))], no_such_page(method, uri).await).into_response()
        );
    }
    Ok(see_other("/dashboard")?)
}

/// Sends a visitor to the sign-in page, and tells a program that it is not signed in.
fn to_sign_in(headers: &HeaderMap) -> HandlerResult {
    if prefers_json(headers) {
        return Err(not_signed_in());
    }
    Ok(see_other("/login")?)
}

/// A field of the query.
fn query_field(query: Option<&str>, wanted: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    fields.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
}

/// A field of a query that says what to do, so that it may not say it twice.
fn single_query_field(query: Option<&str>, wanted: &str) -> Result<Option<String>> {
    let fields = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut values = fields.filter(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Refused::InvalidRequest(twice(wanted)).into()),
        (value, None) => Ok(value),
    }
}

/// A redirect that the browser follows with GET (RFC 9110, section 15.4.4).
fn see_other(to: &str) -> Result<Response> {
    let location = HeaderValue::from_str(to).map_err(|cause| Fault::new("a redirect has no usable address", cause))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}
