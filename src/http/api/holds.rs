//! `/v1/users/{id}/holds` and `/v1/holds/{id}`: units are set aside, then used or given back.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::Deserialize;

use super::shapes::HoldShape;
use super::{IDEMPOTENCY_KEY, answered, created, keyed};
use crate::http::body;
use crate::http::description::operation::{
    Access, Chapter, HOLD_ID, Header, Operation, RequestBody, Success, USER_ID, schema_of,
};
use crate::http::description::patterns::NOTE;
use crate::http::description::problems::{HOLD_CLOSED, INSUFFICIENT, KEY_REUSED, NO_HOLD, UNKNOWN_USER};
use crate::http::guard::Bearer;
use crate::http::problem::HandlerResult;
use crate::http::request::PathSegment;
use crate::http::state::AppState;
use crate::ledger::UNITS_LIMIT;
use crate::usecase::units::hold::{self, Closing, HoldRequest, SECONDS_LIMIT};
use crate::usecase::units::request::NOTE_LIMIT;
use crate::usecase::users::tokens::Scope;

/// Units to set aside.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewHold")]
struct Create {
    /// How many.
    #[schemars(range(min = 1, max = UNITS_LIMIT))]
    units: i64,
    /// For how many seconds; 900 where nothing is said.
    #[schemars(range(min = 1, max = SECONDS_LIMIT))]
    expires_in: Option<i64>,
    /// For people to read; the entry's note once units are captured.
    #[schemars(length(min = 1, max = NOTE_LIMIT), pattern(NOTE))]
    note: Option<String>,
}

/// How much of a hold was used.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Capture {
    /// At most what is held; all of it where nothing is said.
    #[schemars(range(min = 1, max = UNITS_LIMIT))]
    units: Option<i64>,
}

/// An object without fields.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(crate) const CREATE: Operation = Operation {
    name: "createHold",
    chapter: Chapter::Holds,
    summary: "Hold units",
    text: "Sets units aside for work under way: nothing else can spend them. Close the hold with capture or release before it \
           expires; after that its units are free again.",
    access: Access::Token(Scope::Spend),
    parameters: &[USER_ID, IDEMPOTENCY_KEY],
    body: Some(RequestBody {
        schema: schema_of::<Create>,
        is_required: true,
        limit: body::JSON_LIMIT,
        example: r#"{"units":4,"expires_in":600,"note":"four lighthouses"}"#,
    }),
    answers: &[Success {
        status: 201,
        text: "The hold, open.",
        content: Some((schema_of::<HoldShape>, OPEN)),
        headers: &[Header::Replayed],
    }],
    problems: &[INSUFFICIENT, UNKNOWN_USER, KEY_REUSED],
};

pub(crate) const SHOW: Operation = Operation {
    name: "getHold",
    chapter: Chapter::Holds,
    summary: "Show a hold",
    text: "",
    access: Access::Token(Scope::Read),
    parameters: &[HOLD_ID],
    body: None,
    answers: &[Success {
        status: 200,
        text: "The hold as it is now.",
        content: Some((schema_of::<HoldShape>, OPEN)),
        headers: &[],
    }],
    problems: &[NO_HOLD],
};

pub(crate) const CAPTURE: Operation = Operation {
    name: "captureHold",
    chapter: Chapter::Holds,
    summary: "Capture a hold",
    text: "Uses up to all of what is held; the rest goes back. The same call again answers the same. The body may be left out.",
    access: Access::Token(Scope::Spend),
    parameters: &[HOLD_ID],
    body: Some(RequestBody {
        schema: schema_of::<Capture>,
        is_required: false,
        limit: body::JSON_LIMIT,
        example: r#"{"units":3}"#,
    }),
    answers: &[Success {
        status: 200,
        text: "The hold, captured.",
        content: Some((schema_of::<HoldShape>, CAPTURED)),
        headers: &[Header::Replayed],
    }],
    problems: &[NO_HOLD, HOLD_CLOSED],
};

pub(crate) const RELEASE: Operation = Operation {
    name: "releaseHold",
    chapter: Chapter::Holds,
    summary: "Release a hold",
    text: "Gives all of it back. The same call again answers the same. The body may be left out.",
    access: Access::Token(Scope::Spend),
    parameters: &[HOLD_ID],
    body: Some(RequestBody {
        schema: schema_of::<Nothing>,
        is_required: false,
        limit: body::JSON_LIMIT,
        example: "{}",
    }),
    answers: &[Success {
        status: 200,
        text: "The hold, released.",
        content: Some((schema_of::<HoldShape>, RELEASED)),
        headers: &[Header::Replayed],
    }],
    problems: &[NO_HOLD, HOLD_CLOSED],
};

const OPEN: &str = r#"{"id":"hld_1_1","user_id":"alice","units":4,"captured":0,"status":"open",
    "expires_at":"2027-01-31T09:40:00.000Z","created_at":"2027-01-31T09:30:00.000Z"}"#;
const CAPTURED: &str = r#"{"id":"hld_1_1","user_id":"alice","units":4,"captured":3,"status":"captured",
    "expires_at":"2027-01-31T09:40:00.000Z","created_at":"2027-01-31T09:30:00.000Z"}"#;
const RELEASED: &str = r#"{"id":"hld_1_1","user_id":"alice","units":4,"captured":0,"status":"released",
    "expires_at":"2027-01-31T09:40:00.000Z","created_at":"2027-01-31T09:30:00.000Z"}"#;

pub(crate) async fn create(
    State(state): State<AppState>,
    bearer: Bearer,
    PathSegment(id): PathSegment,
    request: Request,
) -> HandlerResult {
    bearer.require(Scope::Spend)?;
    let (key, create) = keyed::<Create>(request).await?;
    let wanted = HoldRequest::new(id, create.units, create.expires_in, create.note, key)?;
    let receipt = state.write(move |app, on_commit| hold::hold(app, wanted, on_commit)).await?;
    Ok(created(HoldShape::of(receipt.hold, receipt.user_id), receipt.replayed))
}

pub(crate) async fn show(State(state): State<AppState>, bearer: Bearer, PathSegment(id): PathSegment) -> HandlerResult {
    bearer.require(Scope::Read)?;
    let receipt = state.read_one(move |tx, app| hold::show(tx, &id, app.clock.now())).await?;
    Ok(Json(HoldShape::of(receipt.hold, receipt.user_id)).into_response())
}

pub(crate) async fn capture(
    State(state): State<AppState>,
    bearer: Bearer,
    PathSegment(id): PathSegment,
    request: Request,
) -> HandlerResult {
    bearer.require(Scope::Spend)?;
    let capture: Capture = body::json_or_default(request).await?;
    close(&state, id, Closing::capture(capture.units)?).await
}

pub(crate) async fn release(
    State(state): State<AppState>,
    bearer: Bearer,
    PathSegment(id): PathSegment,
    request: Request,
) -> HandlerResult {
    bearer.require(Scope::Spend)?;
    let Nothing {} = body::json_or_default(request).await?;
    close(&state, id, Closing::Release).await
}

async fn close(state: &AppState, id: String, closing: Closing) -> HandlerResult {
    let receipt = state.write(move |app, on_commit| hold::close(app, &id, closing, on_commit)).await?;
    Ok(answered(StatusCode::OK, HoldShape::of(receipt.hold, receipt.user_id), receipt.replayed))
}
