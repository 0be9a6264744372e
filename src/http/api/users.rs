//! `/v1/users`: users are made, changed, read and listed.

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::page::{self, LIMIT};
use super::shapes::{ListShape, USER, UserShape};
use crate::app::App;
use crate::http::body;
use crate::http::description::operation::{
    Access, Chapter, Header, IF_NONE_MATCH, Operation, Parameter, Place, RequestBody, Success, USER_ID, schema_of,
};
use crate::http::description::patterns::{EMAIL, TEXT};
use crate::http::description::problems::{UNKNOWN_AFTER, UNKNOWN_USER};
use crate::http::etag::TaggedBody;
use crate::http::guard::Bearer;
use crate::http::problem::HandlerResult;
use crate::http::request::PathSegment;
use crate::http::state::{AppState, CachedUser, Pool};
use crate::ledger::UNITS_LIMIT;
use crate::usecase::users::tokens::Scope;
use crate::usecase::users::{self, EMAIL_LIMIT, NAME_LIMIT, UserPatch};

/// What is known of a user. What is left out stays as it is.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UserChanges")]
struct Put {
    /// For people to read, and for Stripe's receipts; `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>", length(min = 1, max = EMAIL_LIMIT), pattern(EMAIL))]
    email: Option<Option<String>>,
    /// For people to read; `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>", length(min = 1, max = NAME_LIMIT), pattern(TEXT))]
    name: Option<Option<String>>,
    /// Below how many units their balance is low; `null` is the installation's threshold again.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<i64>", range(min = 0, max = UNITS_LIMIT))]
    low_balance: Option<Option<i64>>,
}

/// Tells `null` from a field that is left out.
fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

pub(crate) const PUT: Operation = Operation {
    name: "putUser",
    chapter: Chapter::Users,
    summary: "Make or change a user",
    text: "Makes the user when there is none with this id. What is left out stays as it is, and `null` takes a field away; the body \
           may be left out.",
    access: Access::Token(Scope::Sell),
    parameters: &[USER_ID],
    body: Some(RequestBody {
        schema: schema_of::<Put>,
        is_required: false,
        limit: body::JSON_LIMIT,
        example: r#"{"email":"alice@example.org","name":"Alice Example"}"#,
    }),
    answers: &[
        Success {
            status: 200,
            text: "The user, who was known before.",
            content: Some((schema_of::<UserShape>, USER)),
            headers: &[],
        },
        Success {
            status: 201,
            text: "The user, who is new.",
            content: Some((
                schema_of::<UserShape>,
                r#"{"id":"alice","email":"alice@example.org","name":"Alice Example","plan":"free","features":["byok"],
                "units":{"total":0,"remaining":0,"held":0,"available":0,"expiring":[]},"subscription":null,
                "created_at":"2026-11-14T08:00:00.000Z"}"#,
            )),
            headers: &[],
        },
    ],
    problems: &[],
};

pub(crate) const SHOW: Operation = Operation {
    name: "getUser",
    chapter: Chapter::Users,
    summary: "Show a user",
    text: "Plan, features and units. Cheap enough to ask before each job.",
    access: Access::TokenOrOwn(Scope::Read),
    parameters: &[USER_ID, IF_NONE_MATCH],
    body: None,
    answers: &[
        Success {
            status: 200,
            text: "The user as they are now.",
            content: Some((schema_of::<UserShape>, USER)),
            headers: &[Header::ETag],
        },
        Success { status: 304, text: "You have this answer already.", content: None, headers: &[Header::ETag] },
    ],
    problems: &[UNKNOWN_USER],
};

pub(crate) const LIST: Operation = Operation {
    name: "listUsers",
    chapter: Chapter::Users,
    summary: "List users",
    text: "In the order in which they became known. Units are as stored: a lot or a hold that is over may still be in them \
           for some seconds.",
    access: Access::Token(Scope::Read),
    parameters: &[
        Parameter {
            name: "email",
            place: Place::Query,
            is_required: false,
            text: "Only those with this address, upper and lower case alike.",
            schema: || json!({ "type": "string" }),
            example: "alice@example.org",
        },
        LIMIT,
        Parameter {
            name: "after",
            place: Place::Query,
            is_required: false,
            text: "The `next` of the page before: a user's id.",
            schema: USER_ID.schema,
            example: "alice",
        },
    ],
    body: None,
    answers: &[Success {
        status: 200,
        text: "A page of users.",
        content: Some((
            schema_of::<ListShape<UserShape>>,
            r#"{"data":[{"id":"alice","email":"alice@example.org","name":null,"plan":"free","features":["byok"],
            "units":{"total":100,"remaining":97,"held":0,"available":97,"expiring":[]},"subscription":null,
            "created_at":"2026-11-14T08:00:00.000Z"}],"next":null}"#,
        )),
        headers: &[],
    }],
    problems: &[UNKNOWN_AFTER],
};

/// `PUT /v1/users/{id}`: `201` when the user is new.
pub(crate) async fn put(
    State(state): State<AppState>,
    bearer: Bearer,
    PathSegment(id): PathSegment,
    request: Request,
) -> HandlerResult {
    bearer.require(Scope::Sell)?;
    let put: Put = body::json_or_default(request).await?;
    let put = move |app: &App| {
        let (email, name) = (put.email.as_ref().map(Option::as_deref), put.name.as_ref().map(Option::as_deref));
        let patch = UserPatch { email, name, low_balance: put.low_balance };
        users::put(app, &id, patch)
    };
    let (member, is_new) = state.run(Pool::Db, put).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(UserShape::of(member))).into_response())
}

/// `GET /v1/users/{id}`: plan, features and units with one indexed read, or from the cache.
pub(crate) async fn show(
    State(state): State<AppState>,
    bearer: Bearer,
    PathSegment(id): PathSegment,
    request: Request,
) -> HandlerResult {
    bearer.require_for(Scope::Read, &id)?;
    let headers = request.headers();
    let store = &state.app().store;
    let now = state.app().clock.now();
    let read_at = store.read_version();
    if let Some(cached) = state.users().get(id.as_str(), |cached| cached.is_current(store, now)) {
        return Ok(cached.answer.private_answer(headers));
    }
    state.app().metrics.users_read.inc();
    let wanted = id.clone();
    let member = state.read_one(move |tx, app| users::fetch(tx, &app.catalog, &wanted)).await?;
    if member.is_due(now) {
        let member = state.run(Pool::Db, move |app| users::up_to_date(app, member)).await?;
        return Ok(TaggedBody::of(&UserShape::of(member))?.private_answer(headers));
    }
    let cached = CachedUser {
        read_at,
        account: member.user.account,
        next_due: member.balance.next_due,
        answer: TaggedBody::of(&UserShape::of(member))?,
    };
    let response = cached.answer.private_answer(headers);
    state.users().put(id, cached);
    Ok(response)
}

/// `GET /v1/users?email=&limit=&after=`.
pub(crate) async fn list(State(state): State<AppState>, bearer: Bearer, RawQuery(query): RawQuery) -> HandlerResult {
    bearer.require(Scope::Read)?;
    let page = page::read(query.as_deref(), Some("email"))?;
    let listing = state
        .run(Pool::Db, move |app| users::list(app, page.filter.as_deref(), page.after.as_deref(), page.limit))
        .await?;
    let data = listing.rows.into_iter().map(UserShape::of).collect();
    Ok(Json(ListShape { data, next: listing.next }).into_response())
}
