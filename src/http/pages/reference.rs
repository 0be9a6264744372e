//! `GET /docs`: the service API for people. Its content is made once at the start, from the same constants and types as
//! the OpenAPI document.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

use super::html;
use super::shell::Shell;
use crate::http::description::reference::Reference;
use crate::http::description::reference::text::Piece;
use crate::http::guard::Visitor;
use crate::http::problem::HandlerResult;
use crate::http::state::AppState;

#[derive(Debug, Template)]
#[template(path = "reference.html")]
pub(super) struct ReferencePage<'a> {
    pub shell: Shell,
    pub reference: &'a Reference,
}

pub(crate) async fn show(State(state): State<AppState>, visitor: Visitor) -> HandlerResult {
    let page = ReferencePage {
        shell: Shell::for_visitor(state.app(), visitor.language.shell_service_api(), &visitor)?,
        reference: state.reference(),
    };
    Ok(html(StatusCode::OK, &page)?)
}
