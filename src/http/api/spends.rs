//! `POST /v1/users/{id}/spends` and `POST /v1/spends`: the pipeline uses units, one user's or many users' at once.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::Rim;
use super::super::body;
use super::super::error::{Answer, Problem};
use super::super::guard::Bearer;
use super::super::request::Segment;
use super::shapes::EntryShape;
use super::{check_key, created, idempotency_key};
use crate::error::{Error, Refused, Result};
use crate::usecase::spend::{self, BATCH_LIMIT, Outcome, Spend, Spent};
use crate::usecase::tokens::Scope;

/// The most that a batch may have: a thousand spends, each with a long key and note.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    units: i64,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBatch {
    spends: Vec<CreateOne>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateOne {
    user_id: String,
    units: i64,
    note: Option<String>,
    idempotency_key: String,
}

/// What a spend of a batch came to: as the single call would have answered.
#[derive(Serialize)]
struct ResultShape {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<EntryShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Value>,
    replayed: bool,
}

#[derive(Serialize)]
struct ResultsShape {
    results: Vec<ResultShape>,
}

/// Spends `units`, once for each `Idempotency-Key`.
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
    let wanted = Spend::new(id, create.units, create.note, key)?;
    let spent = rim.durable(move |app, then| spend::spend(app, wanted, then)).await?;
    Ok(created(EntryShape::of(spent.entry, &spent.user_id), spent.replayed))
}

/// Up to a thousand spends, each with its own key and its own result, in order. The batch itself needs no key.
pub(crate) async fn create_batch(State(rim): State<Rim>, bearer: Bearer, headers: HeaderMap, body: Body) -> Answer {
    bearer.must(Scope::Spend)?;
    let CreateBatch { spends } = body::json_up_to(BATCH_BYTES, &headers, body).await?;
    if !(1..=BATCH_LIMIT).contains(&spends.len()) {
        let detail = format!("spends has {} rows: 1 to {BATCH_LIMIT} were expected.", spends.len());
        return Err(Refused::InvalidRequest(detail).into());
    }
    let wanted = spends.into_iter().map(read_one).collect::<Result<Vec<_>>>()?;
    let results = rim.durable(move |app, then| spend::batch(app, wanted, then)).await?;
    Ok(Json(ResultsShape { results: results.into_iter().map(shape).collect() }).into_response())
}

/// A row of a batch; what is wrong with it is its own result.
fn read_one(row: CreateOne) -> Result<Outcome<Spend>> {
    let read = check_key(&row.idempotency_key)
        .map_err(Error::from)
        .and_then(|()| Spend::new(row.user_id, row.units, row.note, row.idempotency_key));
    match read {
        Ok(spend) => Ok(Ok(spend)),
        Err(Error::Refused(refused)) => Ok(Err(refused)),
        Err(fault) => Err(fault),
    }
}

fn shape(result: Outcome<Spent>) -> ResultShape {
    match result {
        Ok(spent) => ResultShape {
            status: StatusCode::CREATED.as_u16(),
            entry: Some(EntryShape::of(spent.entry, &spent.user_id)),
            problem: None,
            replayed: spent.replayed,
        },
        Err(refused) => {
            let problem = Problem::from(refused);
            ResultShape { status: problem.status.as_u16(), entry: None, problem: Some(problem.json()), replayed: false }
        }
    }
}
