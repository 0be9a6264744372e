//! Receives Stripe's events. The handler decides nothing: it hands the bytes to one use case, and its status tells Stripe
//! whether to send the event again ("Receive Stripe events in your webhook endpoint").

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::json;

use super::body;
use super::problem::{HandlerResult, Problem};
use super::request::{ClientAddress, Peer};
use super::state::{AppState, Pool};
use crate::config::Config;
use crate::error::{Error, Refused};
use crate::stripe::probe::ArrivalReport;
use crate::usecase::stripe_events::receive::{self, Receipt};

/// The longest header that a probe is answered with, in characters.
const HEADER_LIMIT: usize = 300;

/// Larger bodies are refused, in bytes.
const LIMIT: usize = 1024 * 1024;

/// `POST /billing/webhook`.
pub(super) async fn receive(State(state): State<AppState>, request: Request) -> HandlerResult {
    let (parts, body) = request.into_parts();
    let app = state.app();
    let mut signatures = parts.headers.get_all("stripe-signature").iter();
    let signature = signatures.next().map(|value| value.as_bytes().to_vec());
    if signatures.next().is_some() {
        let detail = "There are two Stripe-Signature headers: one was expected.";
        return Err(receive::reject(app, Refused::InvalidRequest(detail.into())).into());
    }
    receive::check_header(app, signature.as_deref())?;
    let bytes = body::read(body, LIMIT).await.map_err(|error| match error {
        Error::Refused(Refused::TooLarge(_)) => receive::reject(app, Refused::TooLarge(LIMIT as u64)),
        Error::Refused(refused @ Refused::InvalidRequest(_)) => receive::reject(app, refused),
        other => other,
    })?;
    let received = state.run(Pool::Webhooks, move |app| receive::receive(app, signature.as_deref(), &bytes)).await;
    match received {
        // Only who knows the secret learns how the request arrived, and it is its own.
        Ok(Receipt { is_probe: true, .. }) => {
            let seen = seen(&parts, state.config());
            Ok(Json(json!({ "received": true, "seen": seen })).into_response())
        }
        Ok(_) => Ok(Json(json!({ "received": true })).into_response()),
        // The database failed, so Stripe must send the event again.
        Err(Error::Refused(refused @ (Refused::Unavailable { .. } | Refused::DatabaseUnavailable { .. }))) => {
            Err(Problem { status: StatusCode::INTERNAL_SERVER_ERROR, ..Problem::from(refused) })
        }
        Err(error) => Err(error.into()),
    }
}

/// How a request arrived.
fn seen(parts: &Parts, config: &Config) -> ArrivalReport {
    let peer = parts.extensions.get::<Peer>();
    let client = parts.extensions.get::<ClientAddress>().and_then(|client| client.0);
    let forwarded = all(&parts.headers, "x-forwarded-for");
    let one = |name: &str| all(&parts.headers, name).into_iter().next();
    ArrivalReport {
        peer: peer.map(ToString::to_string),
        is_peer_trusted: peer.is_some_and(|peer| peer.is_trusted(config)),
        client: client.map(|client| client.to_string()),
        forwarded_for: forwarded.iter().flat_map(|value| value.split(',')).map(|item| item.trim().to_owned()).collect(),
        scheme: one("x-forwarded-proto"),
        host: one("host"),
    }
}

/// The values of a header, none of them too long.
fn all(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    values.map(|value| value.chars().take(HEADER_LIMIT).collect()).collect()
}
