//! `/v1/users`: made, read and listed by the pipeline.

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::Rim;
use super::super::body;
use super::super::error::Answer;
use super::super::guard::Bearer;
use super::super::request::Segment;
use super::description::operation::{
    Access, Body as Sent, Group, Header, IF_NONE_MATCH, LIMIT, Method, Operation, Parameter, Success, USER_ID, shape,
};
use super::description::{EMAIL, TEXT, UNKNOWN_AFTER, UNKNOWN_USER};
use super::etag::{self, Tagged};
use super::page;
use super::shapes::{ListShape, USER, UserShape};
use crate::app::App;
use crate::clock::Timestamp;
use crate::ledger::UNITS_LIMIT;
use crate::store::{CacheKey, ReadVersion, Store};
use crate::usecase::users::tokens::Scope;
use crate::usecase::users::{self, EMAIL_LIMIT, NAME_LIMIT, UserPatch};

/// What is known of a user. What is left out stays as it is.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UserChanges")]
struct Put {
    /// For people to read, and for Stripe's receipts.
    #[schemars(length(min = 1, max = EMAIL_LIMIT), pattern(EMAIL))]
    email: Option<String>,
    /// For people to read.
    #[schemars(length(min = 1, max = NAME_LIMIT), pattern(TEXT))]
    name: Option<String>,
    /// Below how many units their balance is low; `null` is the installation's threshold again.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<i64>", range(min = 0, max = UNITS_LIMIT))]
    low_balance: Option<Option<i64>>,
}

/// A field that is there, be it `null`.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub(super) const PUT: Operation = Operation {
    method: Method::Put,
    path: "/v1/users/{id}",
    name: "putUser",
    group: Group::Users,
    summary: "Make or change a user",
    text: "Makes the user when there is none with this id. What is left out stays as it is; the body may be left out.",
    access: Access::Token(Scope::Admin),
    parameters: &[USER_ID],
    body: Some(Sent {
        schema: shape::<Put>,
        is_required: false,
        limit: body::JSON_LIMIT,
        example: r#"{"email":"alice@example.org","name":"Alice Example"}"#,
    }),
    answers: &[
        Success {
            status: 200,
            text: "The user, who was known before.",
            content: Some((shape::<UserShape>, USER)),
            headers: &[],
        },
        Success {
            status: 201,
            text: "The user, who is new.",
            content: Some((
                shape::<UserShape>,
                r#"{"id":"alice","email":"alice@example.org","name":"Alice Example","plan":"free","features":["byok"],
                "units":{"total":0,"remaining":0,"held":0,"available":0},"subscription":null,
                "created_at":"2026-11-14T08:00:00.000Z"}"#,
            )),
            headers: &[],
        },
    ],
    refusals: &[],
};

pub(super) const SHOW: Operation = Operation {
    method: Method::Get,
    path: "/v1/users/{id}",
    name: "getUser",
    group: Group::Users,
    summary: "Show a user",
    text: "Plan, features and units. Cheap enough to ask before each job.",
    access: Access::Token(Scope::Read),
    parameters: &[USER_ID, IF_NONE_MATCH],
    body: None,
    answers: &[
        Success {
            status: 200,
            text: "The user as they are now.",
            content: Some((shape::<UserShape>, USER)),
            headers: &[Header::ETag],
        },
        Success { status: 304, text: "You have this answer already.", content: None, headers: &[Header::ETag] },
    ],
    refusals: &[UNKNOWN_USER],
};

pub(super) const LIST: Operation = Operation {
    method: Method::Get,
    path: "/v1/users",
    name: "listUsers",
    group: Group::Users,
    summary: "List users",
    text: "In the order in which they became known. Units are as stored: a lot or a hold that is over may still be in them \
           for some seconds.",
    access: Access::Token(Scope::Read),
    parameters: &[
        Parameter {
            name: "email",
            place: "query",
            is_required: false,
            text: "Only those with this address, upper and lower case alike.",
            schema: || json!({ "type": "string" }),
            example: "alice@example.org",
        },
        LIMIT,
        Parameter {
            name: "after",
            place: "query",
            is_required: false,
            text: "The `next` of the page before: a user's id.",
            schema: || json!({ "type": "string" }),
            example: "alice",
        },
    ],
    body: None,
    answers: &[Success {
        status: 200,
        text: "A page of users.",
        content: Some((
            shape::<ListShape<UserShape>>,
            r#"{"data":[{"id":"alice","email":"alice@example.org","name":null,"plan":"free","features":["byok"],
            "units":{"total":100,"remaining":97,"held":0,"available":97},"subscription":null,
            "created_at":"2026-11-14T08:00:00.000Z"}],"next":null}"#,
        )),
        headers: &[],
    }],
    refusals: &[UNKNOWN_AFTER],
};

/// `PUT /v1/users/{id}`: `201` when the user is new. What is left out stays as it is.
pub(crate) async fn put(State(rim): State<Rim>, bearer: Bearer, Segment(id): Segment, request: Request) -> Answer {
    bearer.must(Scope::Admin)?;
    let put: Put = body::json_or_default(request).await?;
    let put = move |app: &App| {
        let (email, name, low_balance) = (put.email.as_deref(), put.name.as_deref(), put.low_balance);
        users::put(app, &id, UserPatch { email, name, low_balance })
    };
    let (member, is_new) = rim.books(put).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(UserShape::of(member))).into_response())
}

/// `GET /v1/users/{id}`: plan, features and units in one indexed read; `304` where `If-None-Match` has its `ETag`.
pub(crate) async fn show(State(rim): State<Rim>, bearer: Bearer, Segment(id): Segment, request: Request) -> Answer {
    bearer.must(Scope::Read)?;
    let headers = request.headers();
    let (store, now) = (&rim.app.store, rim.app.clock.now());
    let read_at = store.read_version();
    if let Some(shown) = rim.users.get(id.as_str(), |shown| shown.is_true(store, now)) {
        return Ok(etag::answer(headers, &shown.answer));
    }
    rim.app.metrics.users_read.inc();
    let wanted = id.clone();
    let member = rim.look(move |tx, app| users::fetch(tx, &app.catalog, &wanted)).await?;
    if member.is_due(now) {
        let member = rim.books(move |app| users::up_to_date(app, member)).await?;
        return Ok(etag::answer(headers, &Tagged::of(&UserShape::of(member))?));
    }
    let (account, next_due) = (member.user.account, member.balance.next_due);
    let shown = Shown { answer: Tagged::of(&UserShape::of(member))?, read_at, account, next_due };
    let response = etag::answer(headers, &shown.answer);
    rim.users.put(id, shown);
    Ok(response)
}

/// A user's answer, and until when it holds.
#[derive(Clone)]
pub(crate) struct Shown {
    answer: Tagged,
    read_at: ReadVersion,
    account: i64,
    next_due: Option<Timestamp>,
}

impl Shown {
    /// Whether nothing of the user's has changed, and nothing has ended by itself.
    fn is_true(&self, store: &Store, now: Timestamp) -> bool {
        store.is_current(CacheKey::User(self.account), self.read_at) && self.next_due.is_none_or(|due| due > now)
    }
}

/// `GET /v1/users?email=&limit=&after=`.
pub(crate) async fn list(State(rim): State<Rim>, bearer: Bearer, RawQuery(query): RawQuery) -> Answer {
    bearer.must(Scope::Read)?;
    let page = page::read(query.as_deref(), Some("email"))?;
    let listing =
        rim.books(move |app| users::list(app, page.filter.as_deref(), page.after.as_deref(), page.limit)).await?;
    let data = listing.rows.into_iter().map(UserShape::of).collect();
    Ok(Json(ListShape { data, next: listing.next }).into_response())
}
