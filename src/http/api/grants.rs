//! `POST /v1/users/{id}/grants`: an operator's gift or correction.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;

use super::super::Rim;
use super::super::body;
use super::super::error::Answer;
use super::super::guard::Bearer;
use super::super::request::Segment;
use super::shapes::EntryShape;
use super::{created, idempotency_key};
use crate::clock::parse_rfc3339;
use crate::error::Refused;
use crate::usecase::grant::{self, Grant};
use crate::usecase::tokens::Scope;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    units: i64,
    note: String,
    expires_at: Option<String>,
}

/// Grants `units`, negative for a correction, once for each `Idempotency-Key`.
pub(crate) async fn create(
    State(rim): State<Rim>,
    bearer: Bearer,
    Segment(id): Segment,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    bearer.must(Scope::Admin)?;
    let key = idempotency_key(&headers)?;
    let create: Create = body::json(&headers, body).await?;
    let expires_at = create.expires_at.as_deref().map(|text| {
        parse_rfc3339(text).ok_or_else(|| {
            Refused::InvalidRequest(
                "expires_at is no RFC 3339 time: one such as 2027-01-31T00:00:00Z was expected.".into(),
            )
        })
    });
    let grant = Grant { units: create.units, note: create.note, expires_at: expires_at.transpose()?, key };
    let receipt = rim.books(move |app| grant::grant(app, &id, &grant)).await?;
    Ok(created(EntryShape::of(receipt.entry, &receipt.user.id), receipt.replayed))
}
