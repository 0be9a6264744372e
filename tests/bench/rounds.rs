//! What is measured, in which order: in each round everything once, the empty handler just before what is compared with
//! it, so that a machine that slows down or speeds up does so for both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::baseline::Baseline;
use super::books::Copy;
use super::caller::Means;
use super::figures::{Figure, Row};
use super::load::{Load, Round};
use super::options::{Options, Subject};
use super::process::cpu_seconds;
use super::product::Product;
use super::request::Request;
use super::{Outcome, blocking};

/// Rounds of each measurement.
const ROUNDS: u32 = 5;
/// Spends in one call of the batch.
const BATCH_ROWS: u32 = 1000;
/// Connections that send batches: the callers that gather their spends are few.
const BATCH_CONNECTIONS: u32 = 4;

/// All that was measured.
pub struct Measured {
    pub rows: Vec<Row>,
    /// What went wrong on the way, a line each.
    pub remarks: Vec<String>,
    /// Spends that were acknowledged.
    pub spends: u64,
}

/// What puts load on something: HTTP, or calls of the store.
enum By {
    Http { load: Load, process: u32 },
    Store { copy: Arc<Copy>, at_once: u32 },
}

/// One row of the table in the making.
struct Measurement {
    name: String,
    by: By,
    /// What one answer counts for in the rate.
    counts: u32,
    /// Whether those are spends in the product's books.
    is_spend: bool,
    /// The row of the empty handler that it is compared with.
    against: Option<String>,
    figures: Vec<Figure>,
    failures: u64,
    failure: Option<String>,
}

/// Measures what the options ask for.
pub async fn measure(options: &Options, product: &Product, copy: Option<Arc<Copy>>) -> Outcome<Measured> {
    let baseline = Baseline::start()?;
    let mut remarks = Vec::new();
    let mut spends = 0;
    let mut measurements = Vec::new();
    for mut measurement in plan(options, product, &baseline, copy) {
        match measurement.try_once(&mut spends).await? {
            None => measurements.push(measurement),
            Some(why) => remarks.push(format!("{}: not served: {why}", measurement.name)),
        }
    }
    let length = Duration::from_secs(options.seconds.into()) / ROUNDS;
    for round in 0..ROUNDS {
        for (number, measurement) in measurements.iter_mut().enumerate() {
            let seed = u64::from(round) << 56 | (number as u64) << 48;
            let answered = measurement.run(length, seed).await?;
            spends += answered;
        }
    }
    for measurement in measurements.iter().filter(|measurement| measurement.failures > 0) {
        let (name, failures) = (&measurement.name, measurement.failures);
        let first = measurement.failure.as_deref().unwrap_or("-");
        remarks.push(format!("{name}: {failures} failures, the first: {first}"));
    }
    Ok(Measured { rows: rows(measurements), remarks, spends })
}

fn plan(options: &Options, product: &Product, baseline: &Baseline, copy: Option<Arc<Copy>>) -> Vec<Measurement> {
    let (users, connections) = (options.users, options.connections);
    let wants = |subject| options.wants(subject);
    let mut plan = Vec::new();
    for means in options.means() {
        let (empty, ours) = (Side::empty(baseline, means), Side::ours(product, means));
        if wants(Subject::Reads) {
            let read = Request::read(product.token(), users);
            let nothing = empty.measures("an empty handler, GET", read.clone(), connections);
            let reads = ours.measures("GET /v1/users/{id}", read, connections).against(&nothing);
            plan.extend([nothing, reads]);
        }
        let with_batch = wants(Subject::Batch) && means == Means::Library;
        if !wants(Subject::Spends) && !with_batch {
            continue;
        }
        let spend = Request::spend(product.token(), users);
        let nothing = empty.measures("an empty handler, POST", spend.clone(), connections);
        let spends = ours.measures("POST /v1/users/{id}/spends", spend, connections).against(&nothing);
        let batch = Request::batch(product.token(), users, BATCH_ROWS);
        let name = format!("POST /v1/spends, {BATCH_ROWS} a call, {BATCH_CONNECTIONS} at once");
        let batches = ours.measures(&name, batch, BATCH_CONNECTIONS).against(&nothing);
        plan.push(nothing);
        plan.extend(wants(Subject::Spends).then(|| spends.of_spends(1)));
        plan.extend(with_batch.then(|| batches.of_spends(BATCH_ROWS)));
    }
    if let Some(copy) = copy {
        let name = format!("the database alone, {connections} spends a commit");
        plan.push(Measurement::new(&name, By::Store { copy, at_once: connections }).counting(connections));
    }
    plan
}

/// A server, and how it is asked.
struct Side {
    address: SocketAddr,
    process: u32,
    means: Means,
}

impl Side {
    fn empty(baseline: &Baseline, means: Means) -> Side {
        Side { address: baseline.address(), process: baseline.id(), means }
    }

    fn ours(product: &Product, means: Means) -> Side {
        Side { address: product.address(), process: product.id(), means }
    }

    fn measures(&self, name: &str, request: Request, connections: u32) -> Measurement {
        let Side { address, process, means } = *self;
        let name = match means {
            Means::Library => name.to_owned(),
            Means::Bare => format!("{name}, bare sockets"),
        };
        Measurement::new(&name, By::Http { load: Load { address, request, connections, means }, process })
    }
}

impl Measurement {
    fn new(name: &str, by: By) -> Measurement {
        let name = name.to_owned();
        Measurement { name, by, counts: 1, is_spend: false, against: None, figures: vec![], failures: 0, failure: None }
    }

    fn against(mut self, other: &Measurement) -> Measurement {
        self.against = Some(other.name.clone());
        self
    }

    fn counting(mut self, counts: u32) -> Measurement {
        self.counts = counts;
        self
    }

    /// Each answer stands for so many spends in the product's books.
    fn of_spends(mut self, counts: u32) -> Measurement {
        self.is_spend = true;
        self.counting(counts)
    }

    /// Asks once before anything is measured: why it cannot be, if it cannot.
    async fn try_once(&mut self, spends: &mut u64) -> Outcome<Option<String>> {
        let By::Http { load, .. } = &self.by else { return Ok(None) };
        let answer = load.ask_once().await?;
        if !(200..300).contains(&answer.status) {
            return Ok(Some(format!("{} {}", answer.status, answer.body)));
        }
        *spends += u64::from(self.counts) * u64::from(self.is_spend);
        Ok(None)
    }

    /// One round; how many spends were acknowledged in it.
    async fn run(&mut self, length: Duration, seed: u64) -> Outcome<u64> {
        let process = match &self.by {
            By::Http { process, .. } => *process,
            By::Store { .. } => std::process::id(),
        };
        let used = cpu_seconds(process);
        let round = match &self.by {
            By::Http { load, .. } => {
                let load = load.clone();
                blocking(move || load.run(length, seed)).await?
            }
            By::Store { copy, at_once } => {
                let (copy, at_once) = (Arc::clone(copy), *at_once);
                blocking(move || copy.spend_alone(at_once, length, seed)).await?
            }
        };
        let used = cpu_seconds(process) - used;
        let Round { answered, failures, .. } = round;
        self.failures += failures;
        self.figures.push(Figure::of(&round, self.counts, used));
        self.failure = self.failure.take().or(round.failure);
        Ok(if self.is_spend { answered * u64::from(self.counts) } else { 0 })
    }
}

/// The rows, each with the median over the rounds of its ratio to the empty handler in the same round.
fn rows(measurements: Vec<Measurement>) -> Vec<Row> {
    let row = |measurement: &Measurement| {
        let against = measurement.against.as_ref().and_then(|name| measurements.iter().find(|row| row.name == *name));
        Row::of(measurement.name.clone(), &measurement.figures, against.map(|row| row.figures.as_slice()))
    };
    measurements.iter().map(row).collect()
}
