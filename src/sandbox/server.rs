//! The stand-in's HTTP server: connections, routes, headers. It decides nothing else.
//!
//! | route | what it does |
//! | --- | --- |
//! | `/v1/…` | Stripe's API (`api`, `resource`) |
//! | `GET /receipts/{charge}`, `/i/{invoice}` | a receipt, an invoice (`page::receipt`) |
//! | `GET`, `POST /c/pay/{session}` | the checkout page (`page::checkout`) |
//! | `GET /buy/{name}` | a payment link (`page::link`) |
//! | `GET`, `POST /p/session/{secret}` | the portal page (`page::portal`) |
//! | `GET /`, `GET /control`, `POST /control/…` | the control page (`page::control`, `page::steps`) |
//! | `GET /sandbox.css` | their style |

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Version};
use axum::response::Response;
use axum::routing::{any, get, post};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tower::ServiceExt;

use crate::sandbox::api::{self, ApiReply};
use crate::sandbox::form::BODY_LIMIT;
use crate::sandbox::page::{checkout, control, link, portal, receipt, steps, stylesheet};
use crate::sandbox::shared::Shared;
use crate::sandbox::state::API_VERSION;

const CONNECTIONS_LIMIT: usize = 512;
const HEADERS_TIME: Duration = Duration::from_secs(30);

/// Notified to close a connection without an answer.
type CloseSignal = Arc<Notify>;

/// Serves until the runtime ends.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let router = routes(shared);
    let permits = Arc::new(Semaphore::new(CONNECTIONS_LIMIT));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    serve_connection(stream, router).await;
                    drop(permit);
                });
            }
            // Probably out of file descriptors. Others must close theirs first.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve_connection(stream: TcpStream, router: Router) {
    let close: CloseSignal = Arc::default();
    let signal = close.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(signal.clone());
        let router = router.clone();
        async move {
            if !names_host(&request) {
                return Ok(status(StatusCode::BAD_REQUEST));
            }
            router.oneshot(request.map(Body::new)).await
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_TIME);
    let _ = stream.set_nodelay(true);
    tokio::select! {
        _ = http.serve_connection(TokioIo::new(stream), service) => {}
        () = close.notified() => {}
    }
}

/// Whether a request names one host, as HTTP/1.1 demands (RFC 9112, section 3.2).
fn names_host(request: &hyper::Request<Incoming>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => request.version() != Version::HTTP_11,
        (Some(host), None) => {
            host.to_str().is_ok_and(|host| !host.contains('@') && host.parse::<Authority>().is_ok_and(has_good_port))
        }
        (Some(_), Some(_)) => false,
    }
}

/// Whether the port of an authority is a number that a port can have, if it has one.
fn has_good_port(authority: Authority) -> bool {
    authority.port_u16().is_some() || authority.as_str().ends_with(authority.host())
}

fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/{*rest}", any(answer))
        .route("/receipts/{charge}", get(receipt::charge))
        .route("/i/{invoice}", get(receipt::invoice))
        .route("/c/pay/{session}", get(checkout::show).post(checkout::submit))
        .route("/buy/{name}", get(link::visit))
        .route("/buy/{name}/done", get(link::done))
        .route("/p/session/{secret}", get(portal::show).post(portal::submit))
        .route("/", get(control::show))
        .route("/control", get(control::show))
        .route("/control/state", get(control::state))
        .route("/control/events/{event}/resend", post(control::resend))
        .route("/control/events/forget", post(steps::forget))
        .route("/control/deliveries/{delivery}/send", post(control::send))
        .route("/control/webhooks/{switch}", post(control::switch))
        .route("/control/sessions/{session}/{step}", post(control::step))
        .route("/control/charges/{charge}/{step}", post(steps::charge))
        .route("/control/disputes/{dispute}/{step}", post(steps::dispute))
        .route("/control/refunds/{refund}/{step}", post(steps::refund))
        .route("/control/payment_intents/{intent}/authenticate", post(steps::authenticate))
        .route("/control/clock/advance", post(steps::advance))
        .route("/control/retries/{ending}", post(steps::retries))
        .route("/control/account", post(steps::account))
        .route("/control/keys", post(steps::restrict))
        .route("/control/settlement", post(control::settle_in))
        .route("/control/faults", post(control::set_fault))
        .route("/control/faults/clear", post(control::clear_faults))
        .route("/sandbox.css", get(stylesheet))
        .fallback(answer)
        .with_state(shared)
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Extension(close): Extension<CloseSignal>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let id = shared.with(|state| state.new_id("req_", 14));
    let version = header(&head.headers, "stripe-version").unwrap_or_else(|| API_VERSION.to_owned());
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return status(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let call = api::ApiRequest {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
        authorization: header(&head.headers, AUTHORIZATION.as_str()),
        idempotency_key: header(&head.headers, "idempotency-key"),
        version: version.clone(),
        id: id.clone(),
    };
    let key = call.idempotency_key.clone();
    // A caller that hangs up does not undo its call, as at Stripe. So the work has its own task.
    let work = tokio::spawn(async move { api::answer(&shared, &call).await });
    match work.await {
        Ok(reply) if reply.closes_connection => {
            close.notify_one();
            std::future::pending().await
        }
        Ok(reply) => response(reply, &id, &version, key.as_deref()),
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn response(reply: ApiReply, id: &str, version: &str, key: Option<&str>) -> Response {
    let mut response = Response::new(Body::from(reply.answer.body));
    *response.status_mut() = StatusCode::from_u16(reply.answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let replayed = reply.is_replay.then_some("true");
    for (name, value) in [
        (CONTENT_TYPE, Some("application/json")),
        (HeaderName::from_static("request-id"), Some(id)),
        (HeaderName::from_static("stripe-version"), Some(version)),
        (HeaderName::from_static("idempotency-key"), key),
        (HeaderName::from_static("idempotent-replayed"), replayed),
    ] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
