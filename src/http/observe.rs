//! The one layer around every handler. It finds the client's address, renders problems, adds the security headers,
//! measures the request and logs it. It is one layer and not five, because each layer costs time on every request.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;

use super::audience::Audience;
use super::render::render;
use super::request::{ClientAddress, Peer, client_address};
use super::security_headers;
use super::state::AppState;
use crate::clock::Deadline;
use crate::metrics::RequestLabels;

/// What all routes of a group have in common.
#[derive(Clone)]
pub(super) struct Group {
    pub state: AppState,
    pub audience: Audience,
    /// One of the functions of `security_headers`.
    pub add_headers: fn(&mut HeaderMap),
}

/// The layer of a group of routes.
pub(super) async fn observe(State(group): State<Group>, request: Request, next: Next) -> Response {
    respond(&group, request, next).await
}

/// The layer of the fallback for unknown paths.
pub(super) async fn observe_unknown_path(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let audience = Audience::of_unknown_path(request.uri());
    respond(&Group { state, audience, add_headers: security_headers::for_browsers }, request, next).await
}

async fn respond(group: &Group, mut request: Request, next: Next) -> Response {
    let started = Deadline::after(std::time::Duration::ZERO);
    let app = group.state.app();
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let client = peer.map_or(ClientAddress(None), |peer| client_address(peer, request.headers(), &app.config));
    request.extensions_mut().insert(client);
    let method = method_label(request.method());
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "none".into(), |path| path.as_str().to_owned());
    let reads_json = group.audience.reads_json(request.headers());

    let response = next.run(request).await;

    let mut response = render(response, group.audience, reads_json);
    (group.add_headers)(response.headers_mut());
    let status = response.status().as_u16();
    let seconds = started.elapsed().as_secs_f64();
    tracing::debug!(event = "request", method, route, status, %client, seconds);
    app.metrics.requests.get_or_create(&RequestLabels { method, route, status }).observe(seconds);
    response
}

/// A client may send any word as its method, and the metrics must keep a bounded number of labels.
fn method_label(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
