//! The load: callers that ask again as soon as they are answered. It shares the machine with what it measures, and it is
//! the same for whatever it measures.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use till::error::Fault;
use tokio::task::JoinSet;

use super::Outcome;
use super::caller::{Answer, Caller};
use super::process::cores;
use super::request::{Dice, Request};

/// How long beyond its end a round may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who is asked, what, and by how many.
#[derive(Clone)]
pub struct Load {
    /// More than one where several processes are asked in turn, each by its share of the connections.
    pub addresses: Vec<SocketAddr>,
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
            let callers: Vec<Caller> = self.addresses.iter().copied().map(Caller::of).collect();
            for (number, caller) in (0..connections).zip(callers.iter().cycle()) {
                let (load, window, dice) = (self.clone(), window.clone(), Dice::new(seed ^ u64::from(number) << 16));
                asking.spawn(load.ask(caller.clone(), window, dice));
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

    /// One caller's part.
    async fn ask(mut self, caller: Caller, window: std::ops::Range<Instant>, mut dice: Dice) -> Round {
        let mut round = Round::default();
        let mut started = Instant::now();
        while started < window.end && self.request.turn(&mut dice) {
            let answer = caller.ask(&self.request).await;
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
        let mut request = self.request.clone();
        request.turn(&mut Dice::new(0));
        let address = self.addresses.first().copied().ok_or_else(|| Fault::bare("nobody is asked"))?;
        let answer = Caller::of(address).ask(&request).await;
        answer.map_err(|why| Fault::bare(format!("cannot ask {address}: {why}")))
    }
}
