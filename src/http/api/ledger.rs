//! `GET /v1/users/{id}/ledger`: a user's movements, newest first.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;
use serde_json::json;

use super::super::Rim;
use super::super::error::Answer;
use super::super::guard::Bearer;
use super::super::request::Segment;
use super::description::UNKNOWN_USER;
use super::description::operation::{Access, Group, LIMIT, Method, Operation, Parameter, Success, USER_ID, shape};
use super::page;
use super::shapes::{EntryShape, ListShape};
use crate::usecase::users::statement;
use crate::usecase::users::tokens::Scope;

pub(super) const LIST: Operation = Operation {
    method: Method::Get,
    path: "/v1/users/{id}/ledger",
    name: "listEntries",
    group: Group::Books,
    summary: "List a user's ledger",
    text: "Everything that moved, newest first. Entries are never changed or removed.",
    access: Access::Token(Scope::Read),
    parameters: &[
        USER_ID,
        LIMIT,
        Parameter {
            name: "after",
            place: "query",
            is_required: false,
            text: "The `next` of the page before: an entry's id.",
            schema: || json!({ "type": "string", "pattern": "^ent_[1-9][0-9]{0,17}_[1-9][0-9]{0,17}$" }),
            example: "ent_1_5",
        },
    ],
    body: None,
    answers: &[Success {
        status: 200,
        text: "A page of entries.",
        content: Some((
            shape::<ListShape<EntryShape>>,
            r#"{"data":[{"id":"ent_1_5","user_id":"alice","kind":"spend","delta":-1,"balance_after":97,
            "reason":"spend_job-7f3a","note":"a fox in the snow","created_at":"2027-01-31T09:30:00.000Z"}],
            "next":"ent_1_5"}"#,
        )),
        headers: &[],
    }],
    refusals: &[UNKNOWN_USER],
};

/// A page of the ledger.
pub(crate) async fn list(
    State(rim): State<Rim>,
    bearer: Bearer,
    Segment(id): Segment,
    RawQuery(query): RawQuery,
) -> Answer {
    bearer.must(Scope::Read)?;
    let page = page::read(query.as_deref(), None)?;
    let (user, listing) =
        rim.books(move |app| statement::ledger_page(app, &id, page.after.as_deref(), page.limit)).await?;
    let data = listing.rows.into_iter().map(|entry| EntryShape::of(entry, &user.id)).collect();
    Ok(Json(ListShape { data, next: listing.next }).into_response())
}
