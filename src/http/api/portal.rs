//! `POST /v1/users/{id}/portal`: a server opens Stripe's customer portal for a user.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::body;
use crate::http::description::operation::{Access, Chapter, Operation, RequestBody, Success, USER_ID, schema_of};
use crate::http::description::problems::{
    NO_CUSTOMER, RATE_LIMITED, STRIPE_REJECTED, STRIPE_UNAVAILABLE, UNKNOWN_USER,
};
use crate::http::guard::Bearer;
use crate::http::problem::HandlerResult;
use crate::http::rates::Costly;
use crate::http::request::{ClientAddress, PathSegment};
use crate::http::state::{AppState, Pool};
use crate::usecase::checkout::portal;
use crate::usecase::users;
use crate::usecase::users::tokens::Scope;

/// Nothing is asked for so far.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPortal")]
struct Create {}

/// Where the user manages what they bought.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Portal")]
struct PortalShape {
    /// Stripe's page: send the user there within minutes.
    #[schemars(extend("format" = "uri"))]
    portal_url: String,
}

pub(crate) const CREATE: Operation = Operation {
    name: "createPortal",
    chapter: Chapter::People,
    summary: "Open the customer portal",
    text: "A page of Stripe's on which the user finds invoices, changes the card or the plan, or ends a subscription. It leads \
           back to the dashboard. The body may be left out. Waits for Stripe, up to 20 seconds.",
    access: Access::Token(Scope::Sell),
    parameters: &[USER_ID],
    body: Some(RequestBody { schema: schema_of::<Create>, is_required: false, limit: body::JSON_LIMIT, example: "{}" }),
    answers: &[Success {
        status: 200,
        text: "The portal.",
        content: Some((schema_of::<PortalShape>, r#"{"portal_url":"https://billing.stripe.com/p/session/test_a1"}"#)),
        headers: &[],
    }],
    problems: &[UNKNOWN_USER, NO_CUSTOMER, RATE_LIMITED, STRIPE_UNAVAILABLE, STRIPE_REJECTED],
};

pub(crate) async fn create(
    State(state): State<AppState>,
    bearer: Bearer,
    PathSegment(id): PathSegment,
    request: Request,
) -> HandlerResult {
    bearer.require(Scope::Sell)?;
    let Create {} = body::json_or_default(request).await?;
    let user = state.run(Pool::Db, move |app| users::show(app, &id)).await?.user;
    // The caller's address is the app's, which speaks for many users.
    state.charge(Costly::Press, Some(user.account), ClientAddress(None)).await?;
    let portal_url = state.ask_stripe(user.account, move |app, deadline| portal::open(app, &user, deadline)).await?;
    Ok(Json(PortalShape { portal_url }).into_response())
}
