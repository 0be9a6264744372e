//! The load: connections that are kept open, each of which asks again as soon as it is answered. It costs as little as it
//! can, because it shares the machine with what it measures, and it is the same for whatever it measures.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use till::error::Fault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Outcome;
use super::process::cores;
use super::request::{Dice, Request};

/// How long beyond its end a round may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most of an answer.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// Who is asked, what, and by how many.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub request: Request,
    pub connections: u32,
}

/// What came of one round.
#[derive(Default)]
pub struct Round {
    /// How long each answer took that came in the time measured, in microseconds.
    pub latencies: Vec<u32>,
    /// The time measured.
    pub window: Duration,
    /// Every good answer, before and after that time too.
    pub answered: u64,
    /// Answers that were not good, and connections that were lost.
    pub failures: u64,
    /// The first of them.
    pub failure: Option<String>,
}

impl Round {
    /// Notes an answer within the time measured.
    pub fn keep(&mut self, took: Duration) {
        self.latencies.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    fn fail(&mut self, what: String) {
        self.failures += 1;
        self.failure.get_or_insert(what);
    }

    fn add(&mut self, other: Round) {
        self.latencies.extend(other.latencies);
        self.answered += other.answered;
        self.failures += other.failures;
        self.failure = self.failure.take().or(other.failure);
    }
}

impl Load {
    /// Asks for `length`, after a tenth of that to get going. With few processors one thread asks.
    pub fn run(&self, length: Duration, seed: u64) -> Outcome<Round> {
        let threads = u32::try_from(cores() / 2).unwrap_or(1).clamp(1, self.connections);
        let begin = Instant::now() + length / 10;
        let window = begin..begin + length;
        let ask = |thread: u32| {
            let share = self.connections / threads + u32::from(thread < self.connections % threads);
            let seed = seed ^ u64::from(thread) << 32;
            self.run_thread(share, window.clone(), seed)
        };
        let rounds: Vec<Outcome<Round>> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..threads).map(|thread| scope.spawn(move || ask(thread))).collect();
            let panicked = |_| Err(Fault::bare("a thread of the load panicked"));
            asking.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
        });
        let mut whole = Round { window: length, ..Round::default() };
        for round in rounds {
            whole.add(round?);
        }
        Ok(whole)
    }

    fn run_thread(&self, connections: u32, window: std::ops::Range<Instant>, seed: u64) -> Outcome<Round> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| Fault::new("cannot start a thread of the load", cause))?;
        runtime.block_on(async {
            let mut asking = JoinSet::new();
            for number in 0..connections {
                let (load, window, dice) = (self.clone(), window.clone(), Dice::new(seed ^ u64::from(number) << 16));
                asking.spawn(load.ask(window, dice));
            }
            let mut whole = Round::default();
            let last = window.end + PATIENCE;
            while let Ok(Some(round)) = tokio::time::timeout_at(last.into(), asking.join_next()).await {
                whole.add(round.map_err(|cause| Fault::new("a connection of the load panicked", cause))?);
            }
            for _ in 0..asking.len() {
                whole.fail(format!("no answer within {PATIENCE:?} of the round's end"));
            }
            Ok(whole)
        })
    }

    /// One connection's part.
    async fn ask(mut self, window: std::ops::Range<Instant>, mut dice: Dice) -> Round {
        let mut round = Round::default();
        let mut connection = match Connection::open(self.address).await {
            Ok(connection) => connection,
            Err(why) => {
                round.fail(format!("cannot connect: {why}"));
                return round;
            }
        };
        let mut started = Instant::now();
        while started < window.end {
            let answer = connection.ask(self.request.next(&mut dice)).await;
            let ended = Instant::now();
            match answer {
                Ok(Answer { status: 200..=299, .. }) => {
                    round.answered += 1;
                    if window.contains(&ended) {
                        round.keep(ended - started);
                    }
                }
                Ok(answer) => round.fail(format!("{} {}", answer.status, answer.body)),
                Err(why) => {
                    round.fail(format!("a connection was lost: {why}"));
                    break;
                }
            }
            started = ended;
        }
        round
    }

    /// Asks once.
    pub async fn ask_once(&self) -> Outcome<Answer> {
        let cannot = |cause| Fault::new(format!("cannot ask {}", self.address), cause);
        let mut connection = Connection::open(self.address).await.map_err(cannot)?;
        connection.ask(self.request.clone().next(&mut Dice::new(0))).await.map_err(cannot)
    }
}

/// An answer, read as far as it must be.
pub struct Answer {
    pub status: u16,
    /// How a refusal's body begins; of a good answer nothing.
    pub body: String,
}

struct Connection {
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
