//! `POST /v1/users/{id}/login-links`: a link that signs a user in to the dashboard, once, within five minutes.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::clock::rfc3339;
use crate::http::body;
use crate::http::description::operation::{Access, Chapter, Operation, RequestBody, Success, USER_ID, schema_of};
use crate::http::description::patterns::URL;
use crate::http::description::problems::{ORIGIN_NOT_ALLOWED, UNKNOWN_USER};
use crate::http::guard::Bearer;
use crate::http::problem::HandlerResult;
use crate::http::request::PathSegment;
use crate::http::state::{AppState, Pool};
use crate::usecase::users::sign_in::{self, URL_LIMIT};
use crate::usecase::users::tokens::Scope;

/// Where a sign-in link leads.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewLoginLink")]
struct Create {
    /// A URL on one of the allowed origins, or a path of this server; the dashboard where nothing is said.
    #[schemars(length(max = URL_LIMIT), pattern(URL))]
    return_to: Option<String>,
}

/// A sign-in link.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LoginLink")]
struct LinkShape {
    /// A page that says whom it signs in, with a button that does so, once, for 30 days. Anyone who has it can press the
    /// button: hand it to nobody else.
    #[schemars(extend("format" = "uri"))]
    url: String,
    /// Until when it works: 5 minutes from now.
    #[schemars(extend("format" = "date-time"))]
    expires_at: String,
}

pub(crate) const CREATE: Operation = Operation {
    name: "createLoginLink",
    chapter: Chapter::People,
    summary: "Make a sign-in link",
    text: "Redirect the user to it: its page says whom it signs in, and its button leads on to the dashboard. The body may be \
           left out. An operator is signed in only by a token with the scope `admin`.",
    access: Access::Token(Scope::Sell),
    parameters: &[USER_ID],
    body: Some(RequestBody {
        schema: schema_of::<Create>,
        is_required: false,
        limit: body::JSON_LIMIT,
        example: r#"{"return_to":"/dashboard"}"#,
    }),
    answers: &[Success {
        status: 201,
        text: "The link.",
        content: Some((
            schema_of::<LinkShape>,
            r#"{"url":"https://till.example.org/login?token=t2c7k4m9x1","expires_at":"2027-01-31T09:35:00.000Z"}"#,
        )),
        headers: &[],
    }],
    problems: &[ORIGIN_NOT_ALLOWED, UNKNOWN_USER],
};

pub(crate) async fn create(
    State(state): State<AppState>,
    bearer: Bearer,
    PathSegment(id): PathSegment,
    request: Request,
) -> HandlerResult {
    bearer.require(Scope::Sell)?;
    let create: Create = body::json_or_default(request).await?;
    let may_all = bearer.require(Scope::Admin).is_ok();
    let make = move |app: &App| match may_all {
        true => sign_in::make_link(app, &id, create.return_to.as_deref()),
        false => sign_in::make_buyers_link(app, &id, create.return_to.as_deref()),
    };
    let link = state.run(Pool::Db, make).await?;
    let shape = LinkShape { url: link.url, expires_at: rfc3339(link.expires_at) };
    Ok((StatusCode::CREATED, Json(shape)).into_response())
}
