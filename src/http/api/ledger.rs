//! `GET /v1/users/{id}/ledger`: the entries of a user, newest first.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;
use serde_json::json;

use super::page::{self, LIMIT};
use super::shapes::{EntryShape, ListShape};
use crate::http::description::operation::{Access, Chapter, Operation, Parameter, Place, Success, USER_ID, schema_of};
use crate::http::description::problems::UNKNOWN_USER;
use crate::http::guard::Bearer;
use crate::http::problem::HandlerResult;
use crate::http::request::PathSegment;
use crate::http::state::{AppState, Pool};
use crate::usecase::users::statement;
use crate::usecase::users::tokens::Scope;

pub(crate) const LIST: Operation = Operation {
    name: "listEntries",
    chapter: Chapter::Books,
    summary: "List a user's ledger",
    text: "Everything that moved, newest first. Entries are never changed or removed.",
    access: Access::TokenOrOwn(Scope::Read),
    parameters: &[
        USER_ID,
        LIMIT,
        Parameter {
            name: "after",
            place: Place::Query,
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
            schema_of::<ListShape<EntryShape>>,
            r#"{"data":[{"id":"ent_1_5","user_id":"alice","kind":"spend","delta":-1,"balance_after":97,
            "reason":"spend_job-7f3a","note":"a fox in the snow","created_at":"2027-01-31T09:30:00.000Z"}],
            "next":"ent_1_5"}"#,
        )),
        headers: &[],
    }],
    problems: &[UNKNOWN_USER],
};

pub(crate) async fn list(
    State(state): State<AppState>,
    bearer: Bearer,
    PathSegment(id): PathSegment,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    bearer.require_for(Scope::Read, &id)?;
    let page = page::read(query.as_deref(), None)?;
    let (user, listing) =
        state.run(Pool::Db, move |app| statement::ledger_page(app, &id, page.after.as_deref(), page.limit)).await?;
    let data = listing.rows.into_iter().map(|entry| EntryShape::of(entry, &user.id)).collect();
    Ok(Json(ListShape { data, next: listing.next }).into_response())
}
