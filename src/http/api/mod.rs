//! The service API under `/v1`: JSON in, JSON out, one file for each thing that is called.

pub(super) mod checkout;
pub(super) mod description;
mod etag;
pub(super) mod grants;
pub(super) mod holds;
pub(super) mod ledger;
pub(super) mod login_links;
pub(super) mod me;
mod page;
pub(crate) mod shapes;
pub(super) mod spends;
pub(super) mod users;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::body;
use crate::error::{Refused, Result};
use crate::usecase::units::request::IdempotencyKey;

/// What a call that moves units brings: its `Idempotency-Key`, and then its body.
async fn keyed<T: DeserializeOwned>(request: Request) -> Result<(IdempotencyKey, T)> {
    let (head, body) = request.into_parts();
    let key = idempotency_key(&head.headers)?;
    Ok((key, body::json(&head.headers, body).await?))
}

/// The `Idempotency-Key` of a call that moves units.
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

/// The answer of a call that moves units: the same bytes again for the same key and body.
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
