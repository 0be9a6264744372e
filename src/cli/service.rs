//! A till that serves from this process, for `serve` and `demo`: its socket, its start, and its stop within ten seconds, in an
//! order that loses nothing.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use crate::app::App;
use crate::error::{Fault, Result};
use crate::http::server::{Listener, Server};
use crate::worker::{DeliveryWorker, Worker};

use super::watchdog::Watchdog;

/// How long requests under way may take to finish after a signal.
const SERVER_STOPS_WITHIN: Duration = Duration::from_secs(6);
/// How long the worker's current round may then still take. Both together leave time for the last commit.
const WORKER_STOPS_WITHIN: Duration = Duration::from_secs(2);

/// How many files a process may have open if the system does not say.
const USUAL_OPEN_FILES: usize = 1024;

/// Server, worker and webhook deliveries of one till.
pub(super) struct Service {
    app: Arc<App>,
    server: Server,
    worker: Worker,
    deliveries: DeliveryWorker,
    watchdog: Option<Watchdog>,
}

impl Service {
    /// Starts the server on these sockets, the metrics on their own address if they have one, the worker and the deliveries.
    pub(super) fn start(app: App, listeners: Vec<Listener>) -> Result<Service, Fault> {
        let app = Arc::new(app);
        let metrics_listener = app.config.metrics_listen.map(bind).transpose()?;
        let server = Server::start(app.clone(), listeners, metrics_listener, raise_open_files())?;
        let worker = Worker::start(app.clone())?;
        let deliveries = DeliveryWorker::start(app.clone())?;
        let watchdog = Watchdog::start(&app)?;
        Ok(Service { app, server, worker, deliveries, watchdog })
    }

    pub(super) fn app(&self) -> &App {
        &self.app
    }

    /// Accepts nothing more, lets requests under way finish, stops the worker, and closes the database.
    pub(super) fn stop(self) {
        let Service { app, server, worker, deliveries, watchdog } = self;
        drop(watchdog);
        let (done, worker_is_done) = mpsc::channel();
        std::thread::spawn(move || {
            deliveries.stop();
            worker.stop();
            // The receiver is gone if this took too long.
            let _late = done.send(());
        });
        server.stop(SERVER_STOPS_WITHIN);
        if worker_is_done.recv_timeout(WORKER_STOPS_WITHIN).is_err() {
            tracing::warn!(event = "worker_not_finished");
        }
        match Arc::into_inner(app) {
            Some(app) => drop(app),
            // Every write was durable before it was answered, so nothing is lost.
            None => tracing::warn!(event = "books_still_in_use"),
        }
    }
}

/// Allows this process as many open files as the system lets it have, and says how many: the usual limit of 1024 is for
/// programs that wait by select(2) (systemd's "File Descriptor Limits").
fn raise_open_files() -> usize {
    let files = rlimit::increase_nofile_limit(rlimit::INFINITY).or_else(|_| rlimit::Resource::NOFILE.get_soft());
    files.map_or(USUAL_OPEN_FILES, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// Binds an address. The fault says what to do.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(address).map_err(|cause| match cause.kind() {
        ErrorKind::AddrInUse => Fault::bare(format!(
            "cannot listen on {address}: another program does already. Stop that one, or choose another port with --listen"
        )),
        ErrorKind::PermissionDenied => Fault::bare(format!(
            "cannot listen on {address}: ports below 1024 are for root. Choose another port, or let systemd pass the socket"
        )),
        ErrorKind::AddrNotAvailable => Fault::bare(format!(
            "cannot listen on {address}: this machine does not have that address. Give one of its own, or 0.0.0.0 for all"
        )),
        _ => Fault::new(format!("cannot listen on {address}"), cause),
    })
}

/// The address that a listener is bound to.
pub(super) fn address_of(listener: &TcpListener) -> Result<SocketAddr, Fault> {
    listener.local_addr().map_err(|cause| Fault::new("the address of the listener is unknown", cause))
}

/// The address at which a browser on this machine reaches a listener: 0.0.0.0 becomes 127.0.0.1.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(ip, address.port())
}
