//! `POST /v1/users/{id}/checkout`: a server makes a checkout for a user.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::http::body;
use crate::http::description::operation::{Access, Chapter, Operation, RequestBody, Success, USER_ID, schema_of};
use crate::http::description::patterns::URL;
use crate::http::description::problems::{
    ALREADY_SUBSCRIBED, ORIGIN_NOT_ALLOWED, RATE_LIMITED, STRIPE_REJECTED, STRIPE_UNAVAILABLE, UNKNOWN_PLAN,
    UNKNOWN_USER,
};
use crate::http::guard::Bearer;
use crate::http::problem::HandlerResult;
use crate::http::rates::Costly;
use crate::http::request::{ClientAddress, PathSegment};
use crate::http::state::{AppState, Pool};
use crate::usecase::checkout::start::{self, PurchaseRequest};
use crate::usecase::users;
use crate::usecase::users::sign_in::URL_LIMIT;
use crate::usecase::users::tokens::Scope;

/// What the user wants to buy.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewCheckout")]
struct Create {
    /// The key of a plan or of a pack.
    plan: String,
    /// Where the page after the payment leads back to: a URL on one of the allowed origins, or a path of this server.
    #[schemars(length(max = URL_LIMIT), pattern(URL))]
    return_url: Option<String>,
}

/// Where the user pays.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Checkout")]
pub(crate) struct CheckoutShape {
    /// Stripe's page: send the user there.
    #[schemars(extend("format" = "uri"))]
    checkout_url: String,
    /// Stripe's id of it.
    session_id: String,
}

impl CheckoutShape {
    pub(crate) fn of(checkout: start::Checkout) -> CheckoutShape {
        CheckoutShape { checkout_url: checkout.checkout_url, session_id: checkout.session_id }
    }
}

pub(crate) const CREATE: Operation = Operation {
    name: "createCheckout",
    chapter: Chapter::People,
    summary: "Make a checkout",
    text: "Makes a page of Stripe's on which the user pays for a plan or a pack. Units are credited once the payment is made. \
           Waits for Stripe, up to 20 seconds.",
    access: Access::TokenOrOwn(Scope::Sell),
    parameters: &[USER_ID],
    body: Some(RequestBody {
        schema: schema_of::<Create>,
        is_required: true,
        limit: body::JSON_LIMIT,
        example: r#"{"plan":"topup_100"}"#,
    }),
    answers: &[Success {
        status: 200,
        text: "The checkout.",
        content: Some((
            schema_of::<CheckoutShape>,
            r#"{"checkout_url":"https://checkout.stripe.com/c/pay/cs_test_a1","session_id":"cs_test_a1"}"#,
        )),
        headers: &[],
    }],
    problems: &[
        ORIGIN_NOT_ALLOWED,
        UNKNOWN_USER,
        UNKNOWN_PLAN,
        ALREADY_SUBSCRIBED,
        RATE_LIMITED,
        STRIPE_UNAVAILABLE,
        STRIPE_REJECTED,
    ],
};

pub(crate) async fn create(
    State(state): State<AppState>,
    bearer: Bearer,
    PathSegment(id): PathSegment,
    request: Request,
) -> HandlerResult {
    bearer.require_for(Scope::Sell, &id)?;
    let create: Create = body::json(request).await?;
    let user = state.run(Pool::Db, move |app| users::show(app, &id)).await?.user;
    let account = user.account;
    // A press that is refused does not wait for its turn. The caller's address is the app's, which speaks for many users.
    let request = PurchaseRequest::new(state.app(), &create.plan, create.return_url.as_deref())?;
    state.charge(Costly::Press, Some(account), ClientAddress(None)).await?;
    let start = move |app: &App, deadline| start::start_checkout(app, &user, request, deadline);
    let checkout = state.ask_stripe(account, start).await?;
    Ok(Json(CheckoutShape::of(checkout)).into_response())
}
