//! For the machine's operator: liveness, readiness and metrics.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::json;

use super::guard::Bearer;
use super::problem::HandlerResult;
use super::request::{ClientAddress, Peer};
use super::state::{AppState, Pool};
use crate::clock::Deadline;
use crate::error::Refused;
use crate::metrics::as_plain_text;
use crate::usecase::operator::gauges;
use crate::usecase::users::tokens::Scope;

/// The type of the format that counters and units are described in more closely.
const OPEN_METRICS: &str = "application/openmetrics-text";

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// How long it is known whether the database takes writes. Anybody may ask, and each look is a flush of the disk.
const READINESS_LASTS: Duration = Duration::from_secs(1);

/// `GET /readyz`: the database takes writes and has this program's schema.
pub(super) async fn ready(State(state): State<AppState>) -> HandlerResult {
    let mut last = state.readiness().lock().await;
    match *last {
        Some((looked, true)) if looked.elapsed() < READINESS_LASTS => {}
        Some((looked, false)) if looked.elapsed() < READINESS_LASTS => {
            let detail = "The database took no writes a moment ago. Try again shortly.".to_owned();
            return Err(Refused::Unavailable { retry_after: 1, detail }.into());
        }
        _ => {
            let checked = state.run(Pool::Db, |app| app.store.check_writable(&app.clock)).await;
            *last = Some((Deadline::after(READINESS_LASTS), checked.is_ok()));
            checked?;
        }
    }
    Ok(Json(json!({ "status": "ready" })).into_response())
}

/// `GET /metrics`: Prometheus' text. It shows how business is going, so it needs a token with the scope `read`. Local
/// callers of a till whose base URL is this machine need none. If it has an address of its own, it is only there.
pub(super) async fn metrics(State(state): State<AppState>, request: Request) -> HandlerResult {
    if state.config().metrics_listen.is_some() {
        return Err(Refused::NotFound("There is nothing at /metrics.".into()).into());
    }
    let (mut parts, _) = request.into_parts();
    if !is_local(&state, &parts) {
        match Bearer::from_request_parts(&mut parts, &state).await {
            Ok(bearer) => bearer.require(Scope::Read)?,
            Err(problem) if problem.status == StatusCode::UNAUTHORIZED => {
                return Ok(([(header::WWW_AUTHENTICATE, "Bearer")], problem).into_response());
            }
            Err(problem) => return Err(problem),
        }
    }
    text(&state, &parts.headers).await
}

/// `GET /metrics` on the address of its own. The operator decides who can reach that.
pub(super) async fn metrics_alone(State(state): State<AppState>, headers: HeaderMap) -> HandlerResult {
    text(&state, &headers).await
}

/// Whether this till is for this machine alone, and the caller is on it. A proxy on this machine that names no client
/// does not change that, because the base URL says that there is none.
fn is_local(state: &AppState, parts: &Parts) -> bool {
    let peer = parts.extensions.get::<Peer>().is_some_and(|peer| peer.is_on_this_machine());
    let client = match parts.extensions.get::<ClientAddress>() {
        Some(ClientAddress(Some(address))) => address.is_loopback(),
        // A header that cannot be read comes from a proxy all the same.
        _ => !parts.headers.contains_key("x-forwarded-for"),
    };
    state.config().base_url.is_loopback() && peer && client
}

/// In the format that the caller reads: OpenMetrics, or else Prometheus' older text.
async fn text(state: &AppState, headers: &HeaderMap) -> HandlerResult {
    let text = state
        .run(Pool::Db, |app| {
            gauges::refresh(app)?;
            Ok(app.metrics.text()?)
        })
        .await?;
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (kind, text) = match accepted.flat_map(|value| value.split(',')).any(|kind| kind.contains(OPEN_METRICS)) {
        true => ("application/openmetrics-text; version=1.0.0; charset=utf-8", text),
        false => ("text/plain; version=0.0.4; charset=utf-8", as_plain_text(&text)),
    };
    Ok(([(header::CONTENT_TYPE, kind), (header::VARY, "Accept")], text).into_response())
}
