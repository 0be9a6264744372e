//! Who asks. Either a program's way, by the HTTP client of a library, or by a bare socket that knows one form of answer
//! and costs next to nothing: the first is what callers are like, the second leaves the machine to what is measured.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use clap::ValueEnum;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::request::{Dice, Request};

/// The most of an answer.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

type Asked<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Means {
    /// By a library's client, as programs ask
    Library,
    /// By a bare socket, which costs next to nothing
    Bare,
}

/// One who asks, over a connection that is kept open.
pub enum Caller {
    Library { client: Client<HttpConnector, Body>, address: SocketAddr },
    Bare { connection: Option<Connection>, address: SocketAddr },
}

impl Caller {
    pub fn new(means: Means, address: SocketAddr) -> Caller {
        match means {
            Means::Library => {
                let mut connector = HttpConnector::new();
                connector.set_nodelay(true);
                Caller::Library { client: Client::builder(TokioExecutor::new()).build(connector), address }
            }
            Means::Bare => Caller::Bare { connection: None, address },
        }
    }

    /// One more of the same program: a library's client is shared, and has a connection for each who asks.
    pub fn another(&self) -> Caller {
        match self {
            Caller::Library { client, address } => Caller::Library { client: client.clone(), address: *address },
            Caller::Bare { address, .. } => Caller::Bare { connection: None, address: *address },
        }
    }

    /// Asks once, and reads the whole answer.
    pub async fn ask(&mut self, request: &mut Request, dice: &mut Dice) -> Asked<Answer> {
        match self {
            Caller::Library { client, address } => {
                let answer = client.request(request.next_whole(dice, *address)?).await?;
                let status = answer.status();
                let body = to_bytes(Body::new(answer.into_body()), ANSWER_BYTES).await?;
                let body = if status.is_success() { &[][..] } else { &body[..body.len().min(300)] };
                Ok(Answer { status: status.as_u16(), body: String::from_utf8_lossy(body).into_owned() })
            }
            Caller::Bare { connection, address } => {
                let open = match connection {
                    Some(open) => open,
                    None => connection.insert(Connection::open(*address).await?),
                };
                Ok(open.ask(request.next(dice)).await?)
            }
        }
    }
}

/// An answer, read as far as it must be.
pub struct Answer {
    pub status: u16,
    /// How a refusal's body begins; of a good answer nothing.
    pub body: String,
}

/// A socket, and what came in on it.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: vec![0; 4096] })
    }

    /// Sends a request and reads the whole answer.
    async fn ask(&mut self, request: &[u8]) -> std::io::Result<Answer> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let mut whole = None;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err(std::io::Error::other("it was closed within an answer"));
            }
            filled += read;
            if whole.is_none() {
                whole = lengths(&self.buffer[..filled])?;
            }
            match whole {
                Some((head, length)) if filled >= head + length => return self.answer(head, head + length),
                Some((head, length)) if head + length > self.buffer.len() => self.buffer.resize(head + length, 0),
                None if filled == self.buffer.len() => return Err(std::io::Error::other("its head is too long")),
                _ => {}
            }
        }
    }

    fn answer(&self, head: usize, end: usize) -> std::io::Result<Answer> {
        let status = std::str::from_utf8(&self.buffer[9..12]).ok().and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| std::io::Error::other("its first line has no status"))?;
        let body = if (200..300).contains(&status) { &[][..] } else { &self.buffer[head..end.min(head + 300)] };
        Ok(Answer { status, body: String::from_utf8_lossy(body).into_owned() })
    }
}

/// How long the head and the body of an answer are; `None` while the head is not all there. Servers that are measured
/// say the length first; one that does not is not understood.
fn lengths(bytes: &[u8]) -> std::io::Result<Option<(usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let name = b"content-length:";
    let mut lines = bytes[..end].split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name));
    let length = line.and_then(|line| std::str::from_utf8(&line[name.len()..]).ok()?.trim().parse().ok());
    match length {
        Some(length) if length <= ANSWER_BYTES => Ok(Some((end + 4, length))),
        _ => Err(std::io::Error::other("it does not say how long it is")),
    }
}
