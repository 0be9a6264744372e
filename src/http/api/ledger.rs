//! `GET /v1/users/{id}/ledger`: a user's movements, newest first.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;

use super::super::Rim;
use super::super::error::Answer;
use super::super::guard::Bearer;
use super::super::request::Segment;
use super::page;
use super::shapes::{EntryShape, ListShape};
use crate::usecase::tokens::Scope;
use crate::usecase::users;

/// A page of the ledger.
pub(crate) async fn list(
    State(rim): State<Rim>,
    bearer: Bearer,
    Segment(id): Segment,
    RawQuery(query): RawQuery,
) -> Answer {
    bearer.must(Scope::Read)?;
    let page = page::read(query.as_deref(), None)?;
    let (user, entries, next) =
        rim.books(move |app| users::ledger_page(app, &id, page.after.as_deref(), page.limit)).await?;
    let data = entries.into_iter().map(|entry| EntryShape::of(entry, &user.id)).collect();
    Ok(Json(ListShape { data, next }).into_response())
}
