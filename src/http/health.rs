//! For the machine: is it alive, is it ready, what has it counted.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::json;

use super::Rim;
use super::error::Answer;
use super::request::ClientAddress;
use crate::error::Refused;
use crate::metrics::KindLabels;
use crate::usecase::stripe_events::inbox;

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database takes writes and has this program's schema.
pub(super) async fn ready(State(rim): State<Rim>) -> Answer {
    rim.books(|app| app.store.check_writable(&app.clock)).await?;
    Ok(Json(json!({ "status": "ready" })).into_response())
}

/// `GET /metrics`: Prometheus' text, for this machine and the trusted networks only; it tells of the trade.
pub(super) async fn metrics(State(rim): State<Rim>, Extension(client): Extension<ClientAddress>) -> Answer {
    let trusted = rim.app.config.trusted_proxies.iter().any(|network| network.contains(&client.0));
    if !client.0.is_loopback() && !trusted {
        return Err(Refused::NotFound("There is nothing at /metrics.".into()).into());
    }
    let text = rim
        .books(|app| {
            for (status, count) in inbox::count(app)? {
                app.metrics.inbox_events.get_or_create(&KindLabels { kind: status.as_str() }).set(count);
            }
            Ok(app.metrics.text()?)
        })
        .await?;
    let kind = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    Ok((kind, text).into_response())
}
