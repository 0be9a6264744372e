//! `POST /v1/users/{id}/spends` and `POST /v1/spends`: units are used, by one user or by many users at once.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shapes::{ENTRY, EntryShape};
use super::{IDEMPOTENCY_KEY, created, keyed};
use crate::error::{Refused, Result};
use crate::http::body;
use crate::http::description::operation::{
    Access, Chapter, Header, Operation, RequestBody, Success, USER_ID, schema_of,
};
use crate::http::description::patterns::NOTE;
use crate::http::description::problems::{INSUFFICIENT, KEY_REUSED, UNKNOWN_USER};
use crate::http::guard::Bearer;
use crate::http::problem::{HandlerResult, Problem, ProblemShape};
use crate::http::request::PathSegment;
use crate::http::state::AppState;
use crate::ledger::UNITS_LIMIT;
use crate::usecase::units::request::{IdempotencyKey, NOTE_LIMIT};
use crate::usecase::units::spend::{self, BATCH_LIMIT, SpendRequest, SpendResult};
use crate::usecase::users::tokens::Scope;

/// Of the body of a batch, in bytes: room for a thousand spends, each with a long key and note.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Units to use up.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewSpend")]
struct Create {
    /// How many.
    #[schemars(range(min = 1, max = UNITS_LIMIT))]
    units: i64,
    /// For people to read, in the ledger and on the dashboard.
    #[schemars(length(min = 1, max = NOTE_LIMIT), pattern(NOTE))]
    note: Option<String>,
}

/// Spends of any users, each done or refused by itself.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewSpends")]
struct CreateBatch {
    /// In the order in which they are tried.
    #[schemars(with = "Vec<CreateOne>", length(min = 1, max = BATCH_LIMIT))]
    spends: Vec<body::Object<CreateOne>>,
}

/// A spend of a batch. An invalid one does not fail the batch: its result says what is wrong.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewSpendOfUser")]
struct CreateOne {
    /// Whose units.
    #[schemars(extend("examples" = ["alice"]))]
    user_id: String,
    /// How many: 1 to 1,000,000,000.
    units: i64,
    /// For people to read: 1 to 500 characters.
    note: Option<String>,
    /// As the header `Idempotency-Key` of a single spend.
    idempotency_key: String,
}

/// What a spend of a batch came to: as the single call would have answered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SpendResult")]
struct ResultShape {
    /// The status that the single call would have had: 201, or that of the problem.
    #[schemars(range(min = 201, max = 599))]
    status: u16,
    /// With 201.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<EntryShape>,
    /// With any other status.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemShape>,
    /// Whether an earlier call did this, and this is its answer again.
    replayed: bool,
}

/// What a batch came to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SpendResults")]
struct ResultsShape {
    /// One for each spend, in the same order.
    results: Vec<ResultShape>,
}

pub(crate) const CREATE: Operation = Operation {
    name: "createSpend",
    chapter: Chapter::Spends,
    summary: "Spend units",
    text: "Takes units from what is available, all of them or none. The lots that expire soonest are used first.",
    access: Access::Token(Scope::Spend),
    parameters: &[USER_ID, IDEMPOTENCY_KEY],
    body: Some(RequestBody {
        schema: schema_of::<Create>,
        is_required: true,
        limit: body::JSON_LIMIT,
        example: r#"{"units":1,"note":"a fox in the snow"}"#,
    }),
    answers: &[Success {
        status: 201,
        text: "The entry of the ledger.",
        content: Some((schema_of::<EntryShape>, ENTRY)),
        headers: &[Header::Replayed],
    }],
    problems: &[INSUFFICIENT, UNKNOWN_USER, KEY_REUSED],
};

pub(crate) const CREATE_BATCH: Operation = Operation {
    name: "createSpends",
    chapter: Chapter::Spends,
    summary: "Spend units of many users",
    text: "Up to 1000 spends in one request, at the price of one transaction. Each has its own key and its own result, and a \
           refused one does not hold up the others. The batch itself needs no key: sent again, it answers the same.",
    access: Access::Token(Scope::Spend),
    parameters: &[],
    body: Some(RequestBody {
        schema: schema_of::<CreateBatch>,
        is_required: true,
        limit: BATCH_BYTES,
        example: r#"{"spends":[{"user_id":"alice","units":1,"idempotency_key":"job-7f3b"},
            {"user_id":"nobody","units":2,"idempotency_key":"job-7f3c","note":"two lighthouses"}]}"#,
    }),
    answers: &[Success {
        status: 200,
        text: "A result for each spend, in the same order; also where all were refused.",
        content: Some((
            schema_of::<ResultsShape>,
            r#"{"results":[{"status":201,"replayed":false,"entry":{"id":"ent_1_6","user_id":"alice","kind":"spend",
            "delta":-1,"balance_after":96,"reason":"spend_job-7f3b","note":null,"created_at":"2027-01-31T09:30:00.125Z"}},
            {"status":404,"replayed":false,"problem":{"type":"urn:till:problem:unknown_user","title":"No such user",
            "status":404,"detail":"There is no user \"nobody\". Make it first: PUT /v1/users/{id}, or till user add.",
            "code":"unknown_user"}}]}"#,
        )),
        headers: &[],
    }],
    problems: &[],
};

pub(crate) async fn create(
    State(state): State<AppState>,
    bearer: Bearer,
    PathSegment(id): PathSegment,
    request: Request,
) -> HandlerResult {
    bearer.require(Scope::Spend)?;
    let (key, create) = keyed::<Create>(request).await?;
    let request = SpendRequest::new(id, create.units, create.note, key)?;
    let spent = state.write(move |app, on_commit| spend::spend(app, request, on_commit)).await?;
    Ok(created(EntryShape::of(spent.entry, &spent.user_id), spent.replayed))
}

pub(crate) async fn create_batch(State(state): State<AppState>, bearer: Bearer, request: Request) -> HandlerResult {
    bearer.require(Scope::Spend)?;
    let CreateBatch { spends } = body::json_up_to(BATCH_BYTES, request).await?;
    if !(1..=BATCH_LIMIT).contains(&spends.len()) {
        let detail = format!("spends has {} rows: 1 to {BATCH_LIMIT} were expected.", spends.len());
        return Err(Refused::InvalidRequest(detail).into());
    }
    let wanted = spends.into_iter().map(spend_of).collect();
    let results = state.write(move |app, on_commit| spend::batch(app, wanted, on_commit)).await?;
    Ok(Json(ResultsShape { results: results.into_iter().map(result_of).collect() }).into_response())
}

/// One spend of a batch. An invalid one does not fail the batch: its refusal becomes its result.
fn spend_of(body::Object(row): body::Object<CreateOne>) -> Result<SpendRequest, Refused> {
    let key = IdempotencyKey::parse(&row.idempotency_key)?;
    SpendRequest::new(row.user_id, row.units, row.note, key)
}

fn result_of(result: Result<SpendResult, Refused>) -> ResultShape {
    match result {
        Ok(spent) => ResultShape {
            status: StatusCode::CREATED.as_u16(),
            entry: Some(EntryShape::of(spent.entry, &spent.user_id)),
            problem: None,
            replayed: spent.replayed,
        },
        Err(refused) => {
            let problem = Problem::from(refused);
            ResultShape {
                status: problem.status.as_u16(),
                entry: None,
                problem: Some(problem.shape()),
                replayed: false,
            }
        }
    }
}
