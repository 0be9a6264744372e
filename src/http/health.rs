//! For the machine's operator: liveness, readiness and metrics.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::json;

use super::problem::HandlerResult;
use super::request::ClientAddress;
use super::state::{AppState, Pool};
use crate::error::Refused;
use crate::metrics::KindLabels;
use crate::usecase::stripe_events::inbox;

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database takes writes and has this program's schema.
pub(super) async fn ready(State(state): State<AppState>) -> HandlerResult {
    state.run(Pool::Db, |app| app.store.check_writable(&app.clock)).await?;
    Ok(Json(json!({ "status": "ready" })).into_response())
}

/// `GET /metrics`: Prometheus' text. Only this machine and the trusted proxies may read it, because it shows how business
/// is going.
pub(super) async fn metrics(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
) -> HandlerResult {
    let trusted = state.config().trusted_proxies.iter().any(|network| network.contains(&client.0));
    if !client.0.is_loopback() && !trusted {
        return Err(Refused::NotFound("There is nothing at /metrics.".into()).into());
    }
    let text = state
        .run(Pool::Db, |app| {
            for (kind, count) in inbox::count(app)? {
                app.metrics.inbox_events.get_or_create(&KindLabels { kind }).set(count);
            }
            Ok(app.metrics.text()?)
        })
        .await?;
    let kind = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    Ok((kind, text).into_response())
}
