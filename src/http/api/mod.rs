//! The service API under `/v1`: JSON in, JSON out, one file for each resource. Here is what calls that move units share.

pub(crate) mod catalog;
pub(super) mod checkout;
pub(super) mod grants;
pub(super) mod holds;
pub(super) mod ledger;
pub(super) mod login_links;
pub(super) mod me;
pub(super) mod openapi;
mod page;
pub(super) mod portal;
pub(super) mod router;
pub(crate) mod shapes;
pub(super) mod spends;
pub(super) mod users;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::body;
use super::description::operation::{Parameter, Place};
use crate::error::{Refused, Result};
use crate::usecase::units::request::{IdempotencyKey, KEY_LIMIT};

const IDEMPOTENCY_KEY: Parameter = Parameter {
    name: "Idempotency-Key",
    place: Place::Header,
    is_required: true,
    text: "What makes it happen once: 1 to 255 printable ASCII characters, new for each movement and the same when the \
           movement is asked for again. A job's id is a good one. Keys are per user and kind of call, and never expire.",
    schema: || {
        let inner = KEY_LIMIT - 2;
        json!({ "type": "string", "pattern": format!("^[!-~]([ -~]{{0,{inner}}}[!-~])?$") })
    },
    example: "job-7f3a",
};

/// Reads a call that moves units: its `Idempotency-Key` first, then its body.
async fn keyed<T: DeserializeOwned>(request: Request) -> Result<(IdempotencyKey, T)> {
    let key = idempotency_key(request.headers())?;
    Ok((key, body::json(request).await?))
}

fn idempotency_key(headers: &HeaderMap) -> Result<IdempotencyKey> {
    let mut values = headers.get_all("idempotency-key").iter();
    let (first, second) = (values.next(), values.next());
    let refused = |what: &str| Refused::InvalidRequest(format!("{what}: {}.", IdempotencyKey::expected()));
    let value = first.ok_or_else(|| refused("The Idempotency-Key header is missing"))?;
    if second.is_some() {
        return Err(refused("There are two Idempotency-Key headers").into());
    }
    let key = value.to_str().map_err(|_| refused("The Idempotency-Key is not ASCII"))?;
    Ok(IdempotencyKey::parse(key)?)
}

/// The answer of a call that moves units. The same key and body get the same bytes again.
fn created(body: impl Serialize, replayed: bool) -> Response {
    answered(StatusCode::CREATED, body, replayed)
}

fn answered(status: StatusCode, body: impl Serialize, replayed: bool) -> Response {
    let mut response = (status, Json(body)).into_response();
    if replayed {
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    response
}
