//! `POST /billing/checkout?plan=KEY`: the user buys a plan or a pack. A browser is redirected to Stripe, a program gets
//! the address as JSON.

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;

use super::{see_other, single_query_field};
use crate::app::App;
use crate::error::{Error, Refused};
use crate::http::api::checkout::CheckoutShape;
use crate::http::audience::prefers_json;
use crate::http::body;
use crate::http::csrf::check_csrf;
use crate::http::guard::SignedIn;
use crate::http::problem::{HandlerResult, Problem};
use crate::http::rates::Costly;
use crate::http::request::ClientAddress;
use crate::http::state::AppState;
use crate::usecase::checkout::start::{self, PurchaseRequest};

pub(crate) async fn open(
    State(state): State<AppState>,
    signed_in: SignedIn,
    Extension(client): Extension<ClientAddress>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    let form = body::form(body).await?;
    check_csrf(state.config(), &headers, &signed_in.cookie, &form)?;
    let plan = single_query_field(query.as_deref(), "plan")?.ok_or_else(|| {
        Refused::InvalidRequest("The query field plan is missing: the key of a plan or a pack was expected.".into())
    })?;
    let return_url = single_query_field(query.as_deref(), "return_url")?;
    let user = signed_in.member.user;
    let account = user.account;
    // A press that is refused does not wait for its turn.
    let request = PurchaseRequest::new(state.app(), &plan, return_url.as_deref()).map_err(before_payment)?;
    state.charge(Costly::Press, Some(account), client).await.map_err(before_payment)?;
    let start = move |app: &App, deadline| start::start_checkout(app, &user, request, deadline);
    let checkout = state.ask_stripe(account, start).await.map_err(before_payment)?;
    if prefers_json(&headers) {
        return Ok(Json(CheckoutShape::of(checkout)).into_response());
    }
    Ok(see_other(&checkout.checkout_url)?)
}

/// A plan or pack that the user has already may have been charged before; any other refusal comes before a charge.
fn before_payment(error: Error) -> Problem {
    let is_first = !matches!(error, Error::Refused(Refused::AlreadySubscribed { .. }));
    let problem = Problem::from(error);
    if is_first { problem.before_payment() } else { problem }
}
