//! Receives Stripe's events. The handler decides nothing: it hands the bytes to one use case, and its status tells Stripe
//! whether to send the event again ("Receive Stripe events in your webhook endpoint").

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::json;

use super::body;
use super::problem::{HandlerResult, Problem};
use super::state::{AppState, Pool};
use crate::error::{Error, Refused};
use crate::usecase::stripe_events::receive;

/// Bodies of this size and more are refused.
const LIMIT: usize = 1024 * 1024;

/// `POST /billing/webhook`.
pub(super) async fn receive(State(state): State<AppState>, headers: HeaderMap, body: Body) -> HandlerResult {
    let app = state.app();
    let mut signatures = headers.get_all("stripe-signature").iter();
    let signature = signatures.next().map(|value| value.as_bytes().to_vec());
    if signatures.next().is_some() {
        let detail = "There are two Stripe-Signature headers: one was expected.";
        return Err(receive::reject(app, Refused::InvalidRequest(detail.into())).into());
    }
    receive::check_header(app, signature.as_deref())?;
    let bytes = body::read(body, LIMIT - 1).await.map_err(|error| match error {
        Error::Refused(Refused::TooLarge(_)) => receive::reject(app, Refused::TooLarge(LIMIT as u64)),
        Error::Refused(refused @ Refused::InvalidRequest(_)) => receive::reject(app, refused),
        other => other,
    })?;
    let received = state.run(Pool::Webhooks, move |app| receive::receive(app, signature.as_deref(), &bytes)).await;
    match received {
        Ok(_) => Ok(Json(json!({ "received": true })).into_response()),
        // The database failed, so Stripe must send the event again.
        Err(Error::Refused(refused @ Refused::Unavailable { .. })) => {
            Err(Problem { status: StatusCode::INTERNAL_SERVER_ERROR, ..Problem::from(refused) })
        }
        Err(error) => Err(error.into()),
    }
}
