//! What browsers see: for each page a handler that fills its view. The views and their words are in `view`.

pub(super) mod checkout;
pub(super) mod dashboard;
pub(super) mod error;
pub(super) mod login;
mod offers;
pub(super) mod portal;
pub(super) mod pricing;
pub(super) mod reference;
pub(super) mod returned;
pub mod view;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::guard::form_token;
use crate::error::{Fault, Result};
use crate::usecase::users::UserSnapshot;
use view::{Person, Shell};

/// A page as an answer.
fn html(status: StatusCode, page: &impl Template) -> Result<Response> {
    let text = page.render().map_err(|cause| Fault::new("a page could not be written", cause))?;
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
    Ok((status, kind, text).into_response())
}

/// The frame of a page, for a visitor or for whoever is signed in.
fn shell(title: &str, user: Option<(&UserSnapshot, &str)>) -> Result<Shell> {
    let Some((member, cookie)) = user else { return Ok(Shell::visitor(title)) };
    let user = &member.user;
    let person = Person { id: user.id.clone(), name: user.name.clone(), email: user.email.clone() };
    Ok(Shell::signed_in(title, &form_token(cookie)?, person))
}

/// An answer that sends a browser on with a GET (RFC 9110, section 15.4.4).
fn see_other(to: &str) -> Result<Response> {
    let location = HeaderValue::from_str(to).map_err(|cause| Fault::new("a redirect has no usable address", cause))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}
