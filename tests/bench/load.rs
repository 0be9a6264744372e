//! The load: connections that are kept, each sending its next request when the last is answered, as cheaply as can be, so
//! that what is measured is the server.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Spend,
    Read,
    Batch,
}

/// One round.
pub struct Load {
    pub address: SocketAddr,
    /// The server's process.
    pub server: u32,
    pub token: String,
    pub request: Request,
    pub users: usize,
    pub connections: usize,
    pub lasts: Duration,
}

/// What a round came to.
pub struct Figures {
    pub per_second: f64,
    pub p50: f64,
    pub p99: f64,
    /// Microseconds of processor time that the server used for one.
    pub cpu: f64,
    pub failures: Option<String>,
}

impl Figures {
    /// The round in the middle; failures of any.
    pub fn median(mut rounds: Vec<Figures>) -> Figures {
        rounds.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
        let failures = rounds.iter_mut().find_map(|round| round.failures.take());
        let middle = rounds.swap_remove(rounds.len() / 2);
        Figures { failures, ..middle }
    }
}

/// splitmix64: numbers that are the same in each run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        // Mixed once: streams of neighbouring seeds would be the same numbers, shifted.
        Random(Random(seed).next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

impl Load {
    /// Runs it, on one thread.
    pub fn run(self, round: usize) -> Figures {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let local = tokio::task::LocalSet::new();
        let connections = if self.request == Request::Batch { self.connections.min(8) } else { self.connections };
        let used = cpu_seconds(self.server);
        let (load, began) = (Rc::new(self), Instant::now());
        let ends = began + load.lasts;
        let call = |number: usize| {
            let (load, random) = (Rc::clone(&load), Random::new((round * 1000 + number) as u64 + 1));
            local.spawn_local(async move { load.caller(random, ends).await })
        };
        let callers: Vec<_> = (0..connections).map(call).collect();
        let (mut times, mut failures) = (vec![], vec![]);
        local.block_on(&runtime, async {
            for caller in callers {
                let (took, failed) = caller.await.unwrap();
                times.push(took);
                failures.push(failed);
            }
        });
        let lasted = began.elapsed().as_secs_f64();
        let mut times: Vec<u32> = times.concat();
        times.sort_unstable();
        let at = |share: f64| {
            times.get((times.len() as f64 * share) as usize).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
        };
        let each = if load.request == Request::Batch { 1000.0 } else { 1.0 };
        let failures = failures.into_iter().flatten().next();
        let done = times.len() as f64 * each;
        let cpu = (cpu_seconds(load.server) - used) * 1e6 / done;
        Figures { per_second: done / lasted, p50: at(0.5), p99: at(0.99), cpu, failures }
    }

    async fn caller(&self, mut random: Random, ends: Instant) -> (Vec<u32>, Option<String>) {
        let (mut times, mut failure) = (Vec::with_capacity(65_536), None);
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut sent, mut answer) = (Vec::new(), Vec::new());
        while Instant::now() < ends {
            sent.clear();
            self.write(&mut sent, &mut random);
            let began = Instant::now();
            stream.write_all(&sent).await.unwrap();
            read_answer(&mut stream, &mut answer).await;
            times.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
            let is_good = answer.starts_with(b"HTTP/1.1 20")
                && !(self.request == Request::Batch && answer.windows(9).any(|word| word == b"\"problem\""));
            if !is_good && failure.is_none() {
                failure = Some(String::from_utf8_lossy(&answer).into_owned());
            }
        }
        (times, failure)
    }

    fn write(&self, out: &mut Vec<u8>, random: &mut Random) {
        use std::io::Write;
        let (user, token) = (random.below(self.users), &self.token);
        let result = match self.request {
            Request::Read => write!(
                out,
                "GET /v1/users/user_{user} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
            ),
            Request::Spend => write!(
                out,
                "POST /v1/users/user_{user}/spends HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
                Content-Type: application/json\r\nIdempotency-Key: {:016x}\r\nContent-Length: 11\r\n\r\n{{\"units\":1}}",
                random.next()
            ),
            Request::Batch => {
                let rows: Vec<String> = (0..1000)
                    .map(|_| {
                        format!(
                            "{{\"user_id\":\"user_{}\",\"units\":1,\"idempotency_key\":\"{:016x}\"}}",
                            random.below(self.users),
                            random.next()
                        )
                    })
                    .collect();
                let body = format!("{{\"spends\":[{}]}}", rows.join(","));
                write!(
                    out,
                    "POST /v1/spends HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
                    Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
            }
        };
        result.unwrap();
    }
}

/// Processor time that a process has used, in seconds ("proc(5)": fields 14 and 15, in hundredths).
fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    [11, 12].iter().map(|at| fields[*at].parse::<f64>().unwrap() / 100.0).sum()
}

/// Reads one answer, whole.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) {
    answer.clear();
    let mut whole = None;
    while whole.is_none_or(|length| answer.len() < length) {
        assert!(stream.read_buf(answer).await.unwrap() > 0, "the server hung up: {}", String::from_utf8_lossy(answer));
        if whole.is_none() {
            whole = length(answer);
        }
    }
}

/// How long the answer is with its head, once the head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).unwrap();
    let named = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some(head + named.unwrap_or("0").parse::<usize>().unwrap())
}
