//! The listener: accepts a bounded number of connections, in all and of one client, bounds how long each may take, and
//! finishes the requests under way when it is stopped. The accept loop is our own, because `axum::serve` has no bounds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Uri, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};
use tower::ServiceExt;

use super::drain::BodyShare;
use super::patience::{AnswerBody, Patience, PatientStream, Phase};
use super::request::{ClientAddress, Peer, client_address};
use super::shares::{Share, Shares};
use super::sockets::{AsyncListener, Stream, accept as accept_one};
use super::{Routers, drain, routers};
use crate::app::App;
use crate::error::Fault;
use crate::log_pace::LogPace;

pub use super::sockets::Listener;

/// Connections open at once, if there are enough file descriptors. Further ones wait to be accepted.
const CONNECTIONS: usize = 4096;
/// Of one client. The connections of a trusted proxy are not bounded apart: its clients share them.
const CONNECTIONS_OF_A_CLIENT: usize = 512;
/// File descriptors that are kept for the database, Stripe and outgoing webhooks.
const FILES_KEPT: usize = 256;
/// Bytes of bodies that are in memory at once, and of one client's: as much as four of the largest.
const BODY_BYTES: usize = 64 * 1024 * 1024;
const BODY_BYTES_OF_A_CLIENT: usize = 16 * 1024 * 1024;
/// Connections to the metrics' own address.
const METRICS_CONNECTIONS: usize = 16;
/// On a stop: how long answers that are already written may take to be sent.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
/// On a stop: how long connections that are open are still served, each answer saying that it is the last. So a client that
/// asks on and on learns of the end from an answer, and not from a connection that closes under its next request.
const FAREWELL: Duration = Duration::from_millis(250);

/// The running server.
pub struct Server {
    runtime: Runtime,
    address: Option<SocketAddr>,
    stop: oneshot::Sender<Duration>,
    stopped: std::sync::mpsc::Receiver<()>,
}

impl Server {
    /// Serves `app` on these sockets, and its metrics on `metrics_listener` if they have an address of their own, on its own
    /// threads. `open_files` is how many file descriptors this process may have.
    pub fn start(
        app: Arc<App>,
        listeners: Vec<Listener>,
        metrics_listener: Option<std::net::TcpListener>,
        open_files: usize,
    ) -> Result<Server, Fault> {
        let connections = open_files.saturating_sub(FILES_KEPT).clamp(METRICS_CONNECTIONS, CONNECTIONS);
        Server::start_with(app, listeners, metrics_listener, connections, Patience::USUAL)
    }

    pub(super) fn start_with(
        app: Arc<App>,
        listeners: Vec<Listener>,
        metrics_listener: Option<std::net::TcpListener>,
        connections: usize,
        patience: Patience,
    ) -> Result<Server, Fault> {
        let cannot = |cause: std::io::Error| Fault::new("cannot serve", cause);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(4))
            .max_blocking_threads(2)
            .thread_name("till-http")
            .enable_all()
            .build()
            .map_err(cannot)?;
        let mut address = None;
        for listener in &listeners {
            address = address.or(listener.address().map_err(cannot)?);
        }
        let Routers { public, metrics } = routers(Arc::clone(&app))?;
        let door = |router, connections: usize| Door {
            app: Arc::clone(&app),
            router,
            connections,
            by_client: Shares::new(connections, CONNECTIONS_OF_A_CLIENT.min(connections / 2)),
            bodies: Shares::new(BODY_BYTES, BODY_BYTES_OF_A_CLIENT),
            patience,
            is_stopping: AtomicBool::new(false),
        };
        let (stop, stopping) = oneshot::channel();
        let (done, stopped) = std::sync::mpsc::channel();
        let inside = |listener: Listener| {
            let _inside = runtime.enter();
            listener.into_async().map_err(cannot)
        };
        let listeners = listeners.into_iter().map(inside).collect::<Result<Vec<_>, Fault>>()?;
        if let Some(listener) = metrics_listener.map(Listener::Network).map(inside).transpose()? {
            // It ends with the runtime: an answer about the metrics is not waited for.
            let (running, never) = oneshot::channel();
            let door = door(metrics, METRICS_CONNECTIONS);
            runtime.spawn(async move {
                accept(vec![listener], door, never).await;
                drop(running);
            });
        }
        let door = door(public, connections);
        runtime.spawn(async move {
            accept(listeners, door, stopping).await;
            let _gone = done.send(());
        });
        Ok(Server { runtime, address, stop, stopped })
    }

    /// The address that it listens on; the first one if there are several, and none if there are only Unix sockets.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Stops accepting connections, waits up to `within` for the requests under way, and ends.
    pub fn stop(self, within: Duration) {
        if self.stop.send(within).is_ok() {
            let _late = self.stopped.recv_timeout(within + Duration::from_secs(1));
        }
        self.runtime.shutdown_timeout(Duration::from_millis(200));
    }
}

/// An answer that holds what has been gathered of its request until it is sent.
type Answer = hyper::Response<AnswerBody<Option<BodyShare>>>;

/// What all connections to one address share.
struct Door {
    app: Arc<App>,
    router: axum::Router,
    connections: usize,
    by_client: Arc<Shares>,
    bodies: Arc<Shares>,
    patience: Patience,
    is_stopping: AtomicBool,
}

async fn accept(listeners: Vec<AsyncListener>, door: Door, mut stopping: oneshot::Receiver<Duration>) {
    let graceful = GracefulShutdown::new();
    let door = Arc::new(door);
    let places = Arc::new(Semaphore::new(door.connections));
    // One permit for each request under way. A connection has one request at a time, so no request waits for a permit.
    let requests = Arc::new(Semaphore::new(door.connections));
    let failures = LogPace::new();
    let mut turn = 0;
    let within = loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        tokio::select! {
            accepted = accept_one(&listeners, &mut turn) => match accepted {
                Ok((stream, peer)) => {
                    let Some(share) = admit(&door, &stream, peer) else { continue };
                    let connection = graceful.watch(connection(Arc::clone(&door), stream, peer, Arc::clone(&requests)));
                    tokio::spawn(async move {
                        // A client that breaks the connection is not an error of ours.
                        let _ended = connection.await;
                        drop((place, share));
                    });
                }
                // Out of file descriptors, or the client has gone: the next connection may succeed.
                Err(cause) => {
                    if let Some(left_out) = failures.next() {
                        tracing::warn!(event = "accept_failed", cause = %cause, left_out);
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            within = &mut stopping => break within.unwrap_or_default(),
        }
    };
    drop(listeners);
    door.is_stopping.store(true, Ordering::Release);
    if places.available_permits() < door.connections {
        tokio::time::sleep(FAREWELL.min(within)).await;
    }
    let all = u32::try_from(door.connections).unwrap_or(u32::MAX);
    if tokio::time::timeout(within, requests.acquire_many(all)).await.is_err() {
        tracing::warn!(event = "stopped_with_requests_under_way");
    }
    // Answers already written are sent. Idle connections are not waited for.
    let _idle = tokio::time::timeout(FLUSH_TIMEOUT, graceful.shutdown()).await;
}

/// The share of a client's new connection, or nothing if it has too many: then it is answered and closed.
fn admit(door: &Door, stream: &Stream, peer: Peer) -> Option<Share> {
    const REFUSAL: &[u8] =
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let client = ClientAddress(peer.address());
    let is_proxy = peer.is_trusted(&door.app.config);
    let share = door.by_client.take(client.key().filter(|_| !is_proxy), 1).ok();
    if share.is_none() {
        door.app.metrics.refuse_client("connections", &client);
        // The buffer of a new connection is empty, so this does not wait. If it fails all the same, the close says enough.
        let _closed_already = stream.try_write(REFUSAL);
    }
    share
}

fn connection(
    door: Arc<Door>,
    stream: Stream,
    peer: Peer,
    requests: Arc<Semaphore>,
) -> hyper::server::conn::http1::Connection<
    TokioIo<PatientStream>,
    impl hyper::service::Service<
        hyper::Request<Incoming>,
        Response = Answer,
        Error = std::convert::Infallible,
        Future: Send,
    > + Send,
> {
    let _without_is_slower = stream.set_nodelay();
    let phase = Phase::default();
    let stream = PatientStream::new(stream, door.patience, Arc::clone(&door.by_client), phase.clone());
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        phase.request_begins();
        let (parts, body) = request.into_parts();
        let client = client_address(peer, &parts.headers, &door.app.config);
        let share = || door.bodies.take(client.key(), 0);
        let (body, drain, gathered) = drain::drainable(&parts.headers, body, share);
        let mut request = Request::from_parts(parts, Body::new(body));
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(client);
        if let Some(folded) = webhook_path(request.uri()) {
            *request.uri_mut() = folded;
        }
        let router = door.router.clone();
        let requests = Arc::clone(&requests);
        let phase = phase.clone();
        let door = Arc::clone(&door);
        async move {
            let _under_way = requests.acquire().await;
            let response = router.oneshot(request).await;
            drain.run().await;
            response.map(|mut response| {
                if door.is_stopping.load(Ordering::Acquire) {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                response.map(|body| AnswerBody::new(body, phase, gathered))
            })
        }
    });
    hyper::server::conn::http1::Builder::new()
        .max_buf_size(64 * 1024)
        // Answers are small, and one write of one buffer costs less than a vectored write of two.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service)
}

/// The webhook's address, if the path is that with doubled or trailing slashes. It is taken as meant and without a redirect,
/// because Stripe counts a redirect as a failed delivery. No other path is folded: a proxy's rule about `/metrics` must not
/// be passed by as `/metrics/`, nor a call for one user with an empty id become a call for all.
fn webhook_path(uri: &Uri) -> Option<Uri> {
    const WEBHOOK: &str = "/billing/webhook";
    let path = uri.path();
    if path == WEBHOOK || !path.split('/').filter(|part| !part.is_empty()).eq(["billing", "webhook"]) {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut whole = uri.clone().into_parts();
    whole.path_and_query = Some(format!("{WEBHOOK}{query}").parse::<PathAndQuery>().ok()?);
    Uri::from_parts(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_too_many_are_taken_away_from_the_webhook_alone_and_without_a_redirect() {
        for (given, folded) in [
            ("/billing/webhook/", Some("/billing/webhook")),
            ("//billing//webhook", Some("/billing/webhook")),
            ("/billing/webhook//?a=b//c", Some("/billing/webhook?a=b//c")),
            ("/billing/webhook", None),
            ("/billing/webhook/x", None),
            ("/billing/return/?session_id=a//b", None),
            ("/metrics/", None),
            ("//metrics", None),
            ("/v1/users/", None),
            ("/", None),
        ] {
            let uri: Uri = given.parse::<PathAndQuery>().map(Uri::from).unwrap();
            assert_eq!(webhook_path(&uri).map(|uri| uri.to_string()), folded.map(str::to_owned), "{given}");
        }
    }
}
