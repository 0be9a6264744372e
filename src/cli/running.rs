//! An appliance at work in this process, for `serve` and `demo`: what it listens on, how it starts, and how it stops
//! in the order in which nothing is lost, within ten seconds.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use crate::app::App;
use crate::error::Fault;
use crate::http::server::Server;
use crate::worker::{DeliveryWorker, Worker};

/// How long requests under way may take to finish.
const SERVER_STOPS_WITHIN: Duration = Duration::from_secs(6);
/// How long the worker's round under way may then still take. Both together leave time for the last commit.
const WORKER_STOPS_WITHIN: Duration = Duration::from_secs(2);

/// Server, worker and deliverer on one till.
pub(super) struct Running {
    app: Arc<App>,
    server: Server,
    worker: Worker,
    hooks: DeliveryWorker,
}

impl Running {
    /// Starts to serve on `listener`, and the work that is done by itself.
    pub(super) fn start(app: App, listener: TcpListener) -> Result<Running, Fault> {
        let app = Arc::new(app);
        let server = Server::start(app.clone(), listener)?;
        let worker = Worker::start(app.clone())?;
        let hooks = DeliveryWorker::start(app.clone())?;
        Ok(Running { app, server, worker, hooks })
    }

    /// The till that is served.
    pub(super) fn app(&self) -> &App {
        &self.app
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Accepts nothing more, lets what is under way finish, ends the worker, and closes the books.
    pub(super) fn stop(self) {
        let (done, worker_is_done) = mpsc::channel();
        let (worker, hooks) = (self.worker, self.hooks);
        std::thread::spawn(move || {
            hooks.stop();
            worker.stop();
            // Nobody listens any more when it took too long.
            let _late = done.send(());
        });
        self.server.stop(SERVER_STOPS_WITHIN);
        if worker_is_done.recv_timeout(WORKER_STOPS_WITHIN).is_err() {
            tracing::warn!(event = "worker_not_finished");
        }
        match Arc::into_inner(self.app) {
            Some(app) => drop(app),
            // Each write is answered once it is durable, so nothing that was promised is lost.
            None => tracing::warn!(event = "books_still_in_use"),
        }
    }
}

/// Binds an address, or says in plain words why it cannot be.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(address).map_err(|cause| match cause.kind() {
        ErrorKind::AddrInUse => Fault::bare(format!(
            "cannot listen on {address}: another program does already. Stop that one, or choose another port with --listen"
        )),
        ErrorKind::PermissionDenied => Fault::bare(format!(
            "cannot listen on {address}: ports below 1024 are for root. Choose another port, or let systemd hand the \
             socket over"
        )),
        ErrorKind::AddrNotAvailable => Fault::bare(format!(
            "cannot listen on {address}: this machine does not have that address. Give one of its own, or 0.0.0.0 for all"
        )),
        _ => Fault::new(format!("cannot listen on {address}"), cause),
    })
}

/// The address that a listener got.
pub(super) fn address_of(listener: &TcpListener) -> Result<SocketAddr, Fault> {
    listener.local_addr().map_err(|cause| Fault::new("the address that is listened on is unknown", cause))
}

/// The address under which a browser on this machine reaches a listener: "all addresses" is none to go to.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(ip, address.port())
}
