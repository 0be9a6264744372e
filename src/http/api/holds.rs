//! `/v1/users/{id}/holds` and `/v1/holds/{id}`: the pipeline sets units aside, then uses them or gives them back.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Rim;
use super::super::body;
use super::super::error::Answer;
use super::super::guard::Bearer;
use super::super::request::Segment;
use super::description::operation::{
    Access, Body as Sent, Group, HOLD_ID, Header, IDEMPOTENCY_KEY, Method, Operation, Success, USER_ID, shape,
};
use super::description::{HOLD_CLOSED, INSUFFICIENT, KEY_REUSED, NO_HOLD, NOTE, UNKNOWN_USER};
use super::shapes::HoldShape;
use super::{answered, created, keyed};
use crate::ledger::UNITS_LIMIT;
use crate::usecase::units::hold::{self, Closing, DEFAULT_SECONDS, HoldRequest, SECONDS_LIMIT};
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
    #[schemars(range(min = 1, max = SECONDS_LIMIT), extend("default" = DEFAULT_SECONDS))]
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

pub(super) const CREATE: Operation = Operation {
    method: Method::Post,
    path: "/v1/users/{id}/holds",
    name: "createHold",
    group: Group::Holds,
    summary: "Hold units",
    text: "Sets units aside for work under way: nothing else can spend them. Close the hold with capture or release before it \
           expires; after that its units are free again.",
    access: Access::Token(Scope::Spend),
    parameters: &[USER_ID, IDEMPOTENCY_KEY],
    body: Some(Sent {
        schema: shape::<Create>,
        is_required: true,
        limit: body::JSON_LIMIT,
        example: r#"{"units":4,"expires_in":600,"note":"four lighthouses"}"#,
    }),
    answers: &[Success {
        status: 201,
        text: "The hold, open.",
        content: Some((shape::<HoldShape>, OPEN)),
        headers: &[Header::Replayed],
    }],
    refusals: &[INSUFFICIENT, UNKNOWN_USER, KEY_REUSED],
};

pub(super) const SHOW: Operation = Operation {
    method: Method::Get,
    path: "/v1/holds/{id}",
    name: "getHold",
    group: Group::Holds,
    summary: "Show a hold",
    text: "",
    access: Access::Token(Scope::Read),
    parameters: &[HOLD_ID],
    body: None,
    answers: &[Success {
        status: 200,
        text: "The hold as it is now.",
        content: Some((shape::<HoldShape>, OPEN)),
        headers: &[],
    }],
    refusals: &[NO_HOLD],
};

pub(super) const CAPTURE: Operation = Operation {
    method: Method::Post,
    path: "/v1/holds/{id}/capture",
    name: "captureHold",
    group: Group::Holds,
    summary: "Capture a hold",
    text: "Uses up to all of what is held; the rest goes back. The same call again answers the same. The body may be left out.",
    access: Access::Token(Scope::Spend),
    parameters: &[HOLD_ID],
    body: Some(Sent {
        schema: shape::<Capture>,
        is_required: false,
        limit: body::JSON_LIMIT,
        example: r#"{"units":3}"#,
    }),
    answers: &[Success {
        status: 200,
        text: "The hold, captured.",
        content: Some((shape::<HoldShape>, CAPTURED)),
        headers: &[Header::Replayed],
    }],
    refusals: &[NO_HOLD, HOLD_CLOSED],
};

pub(super) const RELEASE: Operation = Operation {
    method: Method::Post,
    path: "/v1/holds/{id}/release",
    name: "releaseHold",
    group: Group::Holds,
    summary: "Release a hold",
    text: "Gives all of it back. The same call again answers the same. The body may be left out.",
    access: Access::Token(Scope::Spend),
    parameters: &[HOLD_ID],
    body: Some(Sent { schema: shape::<Nothing>, is_required: false, limit: body::JSON_LIMIT, example: "{}" }),
    answers: &[Success {
        status: 200,
        text: "The hold, released.",
        content: Some((shape::<HoldShape>, RELEASED)),
        headers: &[Header::Replayed],
    }],
    refusals: &[NO_HOLD, HOLD_CLOSED],
};

const OPEN: &str = r#"{"id":"hld_1_1","user_id":"alice","units":4,"captured":0,"status":"open",
    "expires_at":"2027-01-31T09:40:00.000Z","created_at":"2027-01-31T09:30:00.000Z"}"#;
const CAPTURED: &str = r#"{"id":"hld_1_1","user_id":"alice","units":4,"captured":3,"status":"captured",
    "expires_at":"2027-01-31T09:40:00.000Z","created_at":"2027-01-31T09:30:00.000Z"}"#;
const RELEASED: &str = r#"{"id":"hld_1_1","user_id":"alice","units":4,"captured":0,"status":"released",
    "expires_at":"2027-01-31T09:40:00.000Z","created_at":"2027-01-31T09:30:00.000Z"}"#;

/// Sets `units` aside for `expires_in` seconds, once for each `Idempotency-Key`.
pub(crate) async fn create(State(rim): State<Rim>, bearer: Bearer, Segment(id): Segment, request: Request) -> Answer {
    bearer.must(Scope::Spend)?;
    let (key, create) = keyed::<Create>(request).await?;
    let wanted = HoldRequest::new(id, create.units, create.expires_in, create.note, key)?;
    let receipt = rim.durable(move |app, then| hold::hold(app, wanted, then)).await?;
    Ok(created(HoldShape::of(receipt.hold, receipt.user_id), receipt.replayed))
}

/// A hold as it is now.
pub(crate) async fn show(State(rim): State<Rim>, bearer: Bearer, Segment(id): Segment) -> Answer {
    bearer.must(Scope::Read)?;
    let receipt = rim.look(move |tx, app| hold::show(tx, &id, app.clock.now())).await?;
    Ok(Json(HoldShape::of(receipt.hold, receipt.user_id)).into_response())
}

/// Uses up to all of a hold; the rest goes back.
pub(crate) async fn capture(State(rim): State<Rim>, bearer: Bearer, Segment(id): Segment, request: Request) -> Answer {
    bearer.must(Scope::Spend)?;
    let capture: Capture = body::json_or_default(request).await?;
    close(&rim, id, Closing::capture(capture.units)?).await
}

/// Gives all of a hold back.
pub(crate) async fn release(State(rim): State<Rim>, bearer: Bearer, Segment(id): Segment, request: Request) -> Answer {
    bearer.must(Scope::Spend)?;
    let Nothing {} = body::json_or_default(request).await?;
    close(&rim, id, Closing::Release).await
}

async fn close(rim: &Rim, id: String, closing: Closing) -> Answer {
    let receipt = rim.durable(move |app, then| hold::close(app, &id, closing, then)).await?;
    Ok(answered(StatusCode::OK, HoldShape::of(receipt.hold, receipt.user_id), receipt.replayed))
}
