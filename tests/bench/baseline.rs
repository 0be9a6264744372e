//! The measure: an axum handler that does nothing, in a process of its own, on the runtime that the product has.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::{get, post};

/// The argument that makes this program the empty handler.
pub const WORD: &str = "empty-handler";

/// As long as an entry, and as a user.
const ENTRY: &str = r#"{"id":"ent_12345_3","user_id":"user_12345","kind":"spend","delta":-1,"balance_after":999999,"reason":"spend_0123456789abcdef","note":null,"created_at":"2026-11-24T10:00:00.000Z"}"#;
const USER: &str = r#"{"id":"user_12345","email":null,"name":null,"plan":"free","features":["byok"],"units":{"total":1000000,"remaining":999999,"held":0,"available":999999},"subscription":null,"created_at":"2026-11-24T10:00:00.000Z"}"#;

/// The empty handler, running.
pub struct Empty {
    child: Child,
    pub address: SocketAddr,
}

pub fn start() -> Empty {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child = command.arg(WORD).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Empty { child, address: line.trim().parse().unwrap() }
}

impl Empty {
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Serves until the other end of standard input goes away.
pub fn serve() {
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(4);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
    const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];
    let router = Router::new()
        .route("/v1/users/{id}/spends", post(|| async { (StatusCode::CREATED, JSON, ENTRY) }))
        .route("/v1/users/{id}", get(|| async { (JSON, USER) }));
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let service = hyper_util::service::TowerToHyperService::new(router.clone());
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(hyper_util::rt::TokioIo::new(stream), service));
        }
    });
    let _ended = std::io::stdin().read_line(&mut String::new());
}
