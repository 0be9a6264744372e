//! The listener: accepts a bounded number of connections, gives each a bounded time to send its headers, and finishes
//! the requests under way when it is stopped. The accept loop is our own, because `axum::serve` has no time-out for
//! headers and no bound on connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};
use tower::ServiceExt;

use super::request::Peer;
use super::{Routers, drain, routers};
use crate::app::App;
use crate::error::Fault;

/// Connections open at once. Further ones wait to be accepted.
const CONNECTIONS: usize = CONNECTIONS_U32 as usize;
const CONNECTIONS_U32: u32 = 4096;
/// On a stop: how long answers that are already written may take to be sent.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a client may take to send a request's headers. Idle connections are closed after it, too.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// The running server.
pub struct Server {
    runtime: Runtime,
    address: SocketAddr,
    stop: oneshot::Sender<Duration>,
    stopped: std::sync::mpsc::Receiver<()>,
}

impl Server {
    /// Serves `app` on `listener`, and its metrics on `metrics_listener` if they have an address of their own, on its own
    /// threads.
    pub fn start(
        app: Arc<App>,
        listener: std::net::TcpListener,
        metrics_listener: Option<std::net::TcpListener>,
    ) -> Result<Server, Fault> {
        let cannot = |cause: std::io::Error| Fault::new("cannot serve", cause);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(4))
            .max_blocking_threads(2)
            .thread_name("till-http")
            .enable_all()
            .build()
            .map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let Routers { public, metrics } = routers(app)?;
        let (stop, stopping) = oneshot::channel();
        let (done, stopped) = std::sync::mpsc::channel();
        let inside = |listener: std::net::TcpListener| {
            listener.set_nonblocking(true).map_err(cannot)?;
            let _inside = runtime.enter();
            TcpListener::from_std(listener).map_err(cannot)
        };
        let listener = inside(listener)?;
        if let Some(listener) = metrics_listener.map(inside).transpose()? {
            // It ends with the runtime: an answer about the metrics is not waited for.
            let (running, never) = oneshot::channel();
            runtime.spawn(async move {
                accept(listener, metrics, never).await;
                drop(running);
            });
        }
        runtime.spawn(async move {
            accept(listener, public, stopping).await;
            let _gone = done.send(());
        });
        Ok(Server { runtime, address, stop, stopped })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
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

async fn accept(listener: TcpListener, router: axum::Router, mut stopping: oneshot::Receiver<Duration>) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // One permit for each request under way. A connection has one request at a time, so no request waits for a permit.
    let requests = Arc::new(Semaphore::new(CONNECTIONS));
    let within = loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let connection = graceful.watch(connection(stream, peer, router.clone(), Arc::clone(&requests)));
                    tokio::spawn(async move {
                        // A client that breaks the connection is not an error of ours.
                        let _ended = connection.await;
                        drop(place);
                    });
                }
                // Out of file descriptors, or the client has gone: the next connection may succeed.
                Err(cause) => {
                    tracing::warn!(event = "accept_failed", cause = %cause);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            within = &mut stopping => break within.unwrap_or_default(),
        }
    };
    drop(listener);
    if tokio::time::timeout(within, requests.acquire_many(CONNECTIONS_U32)).await.is_err() {
        tracing::warn!(event = "stopped_with_requests_under_way");
    }
    // Answers already written are sent. Idle connections are not waited for.
    let _idle = tokio::time::timeout(FLUSH_TIMEOUT, graceful.shutdown()).await;
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: axum::Router,
    requests: Arc<Semaphore>,
) -> hyper::server::conn::http1::Connection<
    TokioIo<TcpStream>,
    impl hyper::service::Service<
        hyper::Request<Incoming>,
        Response = axum::response::Response,
        Error = std::convert::Infallible,
        Future: Send,
    > + Send,
> {
    let _without_is_slower = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (parts, body) = request.into_parts();
        let (body, drain) = drain::drainable(&parts.headers, body);
        let mut request = Request::from_parts(parts, Body::new(body));
        request.extensions_mut().insert(Peer(peer));
        if let Some(folded) = webhook_path(request.uri()) {
            *request.uri_mut() = folded;
        }
        let router = router.clone();
        let requests = Arc::clone(&requests);
        async move {
            let _under_way = requests.acquire().await;
            let response = router.oneshot(request).await;
            drain.run().await;
            response
        }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
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
