//! `/v1/users/{id}/holds` and `/v1/holds/{id}`: the pipeline sets units aside, then uses them or gives them back.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::super::Rim;
use super::super::body;
use super::super::error::Answer;
use super::super::guard::Bearer;
use super::super::request::Segment;
use super::shapes::HoldShape;
use super::{answered, created, idempotency_key};
use crate::usecase::hold::{self, Closing, Wanted};
use crate::usecase::tokens::Scope;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    units: i64,
    expires_in: Option<i64>,
    note: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Capture {
    units: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Sets `units` aside for `expires_in` seconds, once for each `Idempotency-Key`.
pub(crate) async fn create(
    State(rim): State<Rim>,
    bearer: Bearer,
    Segment(id): Segment,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    bearer.must(Scope::Spend)?;
    let key = idempotency_key(&headers)?;
    let create: Create = body::json(&headers, body).await?;
    let wanted = Wanted::new(id, create.units, create.expires_in, create.note, key)?;
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
pub(crate) async fn capture(
    State(rim): State<Rim>,
    bearer: Bearer,
    Segment(id): Segment,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    bearer.must(Scope::Spend)?;
    let capture: Capture = body::json_or_default(&headers, body).await?;
    close(&rim, id, Closing::capture(capture.units)?).await
}

/// Gives all of a hold back.
pub(crate) async fn release(
    State(rim): State<Rim>,
    bearer: Bearer,
    Segment(id): Segment,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    bearer.must(Scope::Spend)?;
    let Nothing {} = body::json_or_default(&headers, body).await?;
    close(&rim, id, Closing::Release).await
}

async fn close(rim: &Rim, id: String, closing: Closing) -> Answer {
    let receipt = rim.durable(move |app, then| hold::close(app, &id, closing, then)).await?;
    Ok(answered(StatusCode::OK, HoldShape::of(receipt.hold, receipt.user_id), receipt.replayed))
}
