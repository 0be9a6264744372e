//! `/v1/users`: made, read and listed by the pipeline.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::super::Rim;
use super::super::body;
use super::super::error::Answer;
use super::super::guard::Bearer;
use super::super::request::Segment;
use super::etag;
use super::page;
use super::shapes::{ListShape, UserShape};
use crate::app::App;
use crate::usecase::tokens::Scope;
use crate::usecase::users::{self, Given};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    email: Option<String>,
    name: Option<String>,
    /// `null` is the installation's threshold again.
    #[serde(default, deserialize_with = "given")]
    low_balance: Option<Option<i64>>,
}

/// A field that is there, be it `null`.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `PUT /v1/users/{id}`: `201` when the user is new. What is left out stays as it is.
pub(crate) async fn put(
    State(rim): State<Rim>,
    bearer: Bearer,
    Segment(id): Segment,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    bearer.must(Scope::Admin)?;
    let put: Put = body::json_or_default(&headers, body).await?;
    let put = move |app: &App| {
        let (email, name, low_balance) = (put.email.as_deref(), put.name.as_deref(), put.low_balance);
        users::put_given(app, &id, Given { email, name, low_balance })
    };
    let (member, is_new) = rim.books(put).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(UserShape::of(member))).into_response())
}

/// `GET /v1/users/{id}`: plan, features and units in one indexed read; `304` where `If-None-Match` has its `ETag`.
pub(crate) async fn show(State(rim): State<Rim>, bearer: Bearer, Segment(id): Segment, headers: HeaderMap) -> Answer {
    bearer.must(Scope::Read)?;
    let member = rim.look(move |tx, app| users::look(tx, &app.catalog, &id)).await?;
    let member = match users::is_due(&member, rim.app.clock.now()) {
        true => rim.books(move |app| users::up_to_date(app, member)).await?,
        false => member,
    };
    etag::answer(&headers, &UserShape::of(member))
}

/// `GET /v1/users?email=&limit=&after=`.
pub(crate) async fn list(State(rim): State<Rim>, bearer: Bearer, RawQuery(query): RawQuery) -> Answer {
    bearer.must(Scope::Read)?;
    let page = page::read(query.as_deref(), Some("email"))?;
    let (members, next) =
        rim.books(move |app| users::list(app, page.filter.as_deref(), page.after.as_deref(), page.limit)).await?;
    Ok(Json(ListShape { data: members.into_iter().map(UserShape::of).collect(), next }).into_response())
}
