//! `GET /docs`: the service API for people, read from the document that programs get.

mod json;
mod read;

use axum::extract::State;
use axum::http::StatusCode;

use super::super::Rim;
use super::super::error::Answer;
use super::super::guard::Visitor;
use super::view::ReferencePage;
use super::{html, shell};

pub(crate) use read::reference;

/// The reference, for a visitor as for whoever is signed in.
pub(crate) async fn show(State(rim): State<Rim>, visitor: Visitor) -> Answer {
    let user = visitor.user.as_ref().map(|(member, cookie)| (member, cookie.as_str()));
    let page = ReferencePage { shell: shell("Service API", user)?, reference: &rim.reference };
    Ok(html(StatusCode::OK, &page)?)
}
