//! Who asks: a program with the HTTP client of a library, as callers are. One client is shared by all who ask at once, and
//! keeps a connection open for each.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::request::Request;

/// The most of an answer.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// Why there is no answer.
type Lost = Box<dyn std::error::Error + Send + Sync>;

/// One who asks.
#[derive(Clone)]
pub struct Caller {
    client: Client<HttpConnector, Body>,
    address: SocketAddr,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: u16,
    /// How a refusal's body begins; of a good answer nothing.
    pub body: String,
}

impl Caller {
    /// Who asks the server at `address`.
    pub fn of(address: SocketAddr) -> Caller {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Caller { client: Client::builder(TokioExecutor::new()).build(connector), address }
    }

    /// Asks once, and reads the whole answer.
    pub async fn ask(&self, request: &Request) -> Result<Answer, Lost> {
        let answer = self.client.request(request.to(self.address)?).await?;
        let status = answer.status();
        let body = to_bytes(Body::new(answer.into_body()), ANSWER_BYTES).await?;
        let shown = if status.is_success() { &[][..] } else { &body[..body.len().min(300)] };
        Ok(Answer { status: status.as_u16(), body: String::from_utf8_lossy(shown).into_owned() })
    }
}
