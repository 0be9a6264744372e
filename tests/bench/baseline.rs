//! The empty handler: the most that axum does here, on a runtime like the product's (`src/http/server.rs`), with nothing
//! of ours in between. It runs in a process of its own, as the product does.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use till::error::Fault;
use tokio::net::TcpListener;

use super::Outcome;
use super::process::{Process, cores};

/// As long as an entry is on the wire.
const ENTRY: &str = r#"{"id":"e_000001_00000002","user_id":"u0000001","kind":"spend","delta":-1,"balance_after":999999,"reason":"spend_0000000000000000a5a5a5a5a5a5a5a5","note":null,"created_at":"2026-11-24T05:23:00.000Z"}"#;

/// The process of the empty handler.
pub struct Baseline {
    process: Process,
    address: SocketAddr,
}

impl Baseline {
    /// Starts this program again, as the handler, and waits until it listens.
    pub fn start() -> Outcome<Baseline> {
        let cannot = |cause| Fault::new("cannot start the empty handler", cause);
        let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
        command.arg("--baseline").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process(command.spawn().map_err(cannot)?);
        let mut line = String::new();
        let said = process.0.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
        said.transpose().map_err(cannot)?;
        let address = line.trim().parse();
        let address = address.map_err(|cause| Fault::new("the empty handler did not say where it listens", cause))?;
        Ok(Baseline { process, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Is the empty handler, until standard input ends: with whoever started it, however that ends.
pub fn serve() -> Outcome<()> {
    let cannot = |cause| Fault::new("the empty handler cannot serve", cause);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores().min(4))
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .map_err(cannot)?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).map_err(cannot)?;
    println!("{}", listener.local_addr().map_err(cannot)?);
    std::io::stdout().flush().map_err(cannot)?;
    runtime.spawn(accept(listener));
    let _ended = std::io::stdin().read(&mut [0]);
    Ok(())
}

async fn accept(listener: TcpListener) {
    let router = Router::new()
        .route("/v1/users/{id}", get(|| answer(StatusCode::OK)))
        .route("/v1/users/{id}/spends", post(|| answer(StatusCode::CREATED)));
    while let Ok((stream, _)) = listener.accept().await {
        let _not_worth_failing = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn answer(status: StatusCode) -> Result<impl IntoResponse, Infallible> {
    Ok((status, [(header::CONTENT_TYPE, "application/json")], ENTRY))
}
