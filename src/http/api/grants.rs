//! `POST /v1/users/{id}/grants`: an operator gives units or corrects a balance.

use axum::extract::{Request, State};
use schemars::JsonSchema;
use serde::Deserialize;

use super::shapes::EntryShape;
use super::{IDEMPOTENCY_KEY, created, keyed};
use crate::clock::parse_rfc3339;
use crate::error::Refused;
use crate::http::body;
use crate::http::description::operation::{
    Access, Chapter, Header, Operation, RequestBody, Success, USER_ID, schema_of,
};
use crate::http::description::patterns::NOTE;
use crate::http::description::problems::{KEY_REUSED, UNKNOWN_USER};
use crate::http::guard::Bearer;
use crate::http::problem::HandlerResult;
use crate::http::request::PathSegment;
use crate::http::state::{AppState, Pool};
use crate::ledger::UNITS_LIMIT;
use crate::usecase::units::grant::{self, GrantRequest};
use crate::usecase::units::request::NOTE_LIMIT;
use crate::usecase::users::tokens::Scope;

/// Units to give, or to take back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewGrant")]
struct Create {
    /// How many. Negative ones are a correction, which may leave a debt. Not 0.
    #[schemars(range(min = -UNITS_LIMIT, max = UNITS_LIMIT), extend("not" = { "const": 0 }))]
    units: i64,
    /// Why, for people to read.
    #[schemars(length(min = 1, max = NOTE_LIMIT), pattern(NOTE))]
    note: String,
    /// When what is left of them expires: a time to come, RFC 3339, at the latest 9999-12-31T23:59:59.999Z. With positive units only; never
    /// where nothing is said.
    #[schemars(extend("format" = "date-time"))]
    expires_at: Option<String>,
}

pub(crate) const CREATE: Operation = Operation {
    name: "createGrant",
    chapter: Chapter::Books,
    summary: "Grant units, or take some back",
    text: "",
    access: Access::Token(Scope::Admin),
    parameters: &[USER_ID, IDEMPOTENCY_KEY],
    body: Some(RequestBody {
        schema: schema_of::<Create>,
        is_required: true,
        limit: body::JSON_LIMIT,
        example: r#"{"units":5,"note":"sorry for the outage"}"#,
    }),
    answers: &[Success {
        status: 201,
        text: "The entry of the ledger.",
        content: Some((
            schema_of::<EntryShape>,
            r#"{"id":"ent_1_6","user_id":"alice","kind":"grant","delta":5,"balance_after":102,"reason":"grant_sorry-1",
            "note":"sorry for the outage","created_at":"2027-01-31T09:30:00.000Z"}"#,
        )),
        headers: &[Header::Replayed],
    }],
    problems: &[UNKNOWN_USER, KEY_REUSED],
};

pub(crate) async fn create(
    State(state): State<AppState>,
    bearer: Bearer,
    PathSegment(id): PathSegment,
    request: Request,
) -> HandlerResult {
    bearer.require(Scope::Admin)?;
    let (key, create) = keyed::<Create>(request).await?;
    let expires_at = create.expires_at.as_deref().map(|text| {
        parse_rfc3339(text).ok_or_else(|| {
            Refused::InvalidRequest(
                "expires_at is no RFC 3339 time: one such as 2027-01-31T00:00:00Z was expected.".into(),
            )
        })
    });
    let request = GrantRequest::new(create.units, create.note, expires_at.transpose()?, key)?;
    let receipt = state.run(Pool::Db, move |app| grant::grant(app, &id, &request)).await?;
    Ok(created(EntryShape::of(receipt.entry, &receipt.user.id), receipt.replayed))
}
