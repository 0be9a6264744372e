//! What is measured, in which order: in each round the empty handler just before what is compared with it, so that a
//! machine that slows down or speeds up does so for both; reads for themselves before anything is written.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::baseline::Baseline;
use super::books::Copy;
use super::disk::forget;
use super::figures::{Figure, Percentiles, Row};
use super::load::{Load, Round};
use super::options::{Options, Subject};
use super::process::cpu_seconds;
use super::product::Product;
use super::request::{Request, Who};
use super::{Outcome, blocking};

/// Rounds of each measurement.
const ROUNDS: u32 = 5;
/// Spends in one call of the batch.
const BATCH_ROWS: u32 = 1000;
/// Connections that send batches: the callers that gather their spends are few.
const BATCH_CONNECTIONS: u32 = 4;
/// The longest that reading each user once may take.
const FIRST_READS_LIMIT: Duration = Duration::from_secs(120);
const EMPTY_GET: &str = "empty GET handler";
const EMPTY_POST: &str = "empty POST handler";

/// All that was measured.
pub struct Measured {
    pub rows: Vec<Row>,
    /// What went wrong on the way, a line each.
    pub remarks: Vec<String>,
    /// Spends that were acknowledged.
    pub spends: u64,
    /// How long single spends took, if they were measured.
    pub of_spends: Option<Percentiles>,
}

/// What puts load on something: HTTP, or calls of the store.
enum By {
    Http { load: Box<Load>, process: u32 },
    Store { copy: Arc<Copy>, at_once: u32 },
}

/// One row of the table in the making.
struct Measurement {
    name: String,
    by: By,
    /// What one answer counts for in the rate.
    counts: u32,
    /// Whether it belongs to the reads, which are measured before anything is written.
    reads: bool,
    /// Whether those are spends in the product's books.
    is_spend: bool,
    /// The row of the empty handler that it is compared with.
    against: Option<&'static str>,
    figures: Vec<Figure>,
    failures: u64,
    failure: Option<String>,
}

/// Measures what the options ask for. `cold` is the database that is dropped from memory before each round.
pub async fn measure(
    options: &Options,
    product: &Product,
    copy: Option<Arc<Copy>>,
    cold: Option<PathBuf>,
) -> Outcome<Measured> {
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
    if options.wants(Subject::Reads) {
        remarks.push(first_reads(options, product).await?);
    }
    let length = Duration::from_secs(options.seconds.into()) / ROUNDS;
    let reads = measurements.iter().take_while(|one| one.reads).count();
    let (reads, writes) = measurements.split_at_mut(reads);
    for together in [reads, writes] {
        for round in 0..ROUNDS {
            for (number, measurement) in together.iter_mut().enumerate() {
                if let Some(database) = cold.clone() {
                    blocking(move || forget(&database)).await?;
                }
                let seed = u64::from(round) << 56 | (number as u64) << 48;
                spends += measurement.run(length, seed).await?;
            }
        }
    }
    for measurement in measurements.iter().filter(|measurement| measurement.failures > 0) {
        let (name, failures) = (&measurement.name, measurement.failures);
        let first = measurement.failure.as_deref().unwrap_or("-");
        remarks.push(format!("{name}: {failures} failures, the first: {first}"));
    }
    let single = measurements.iter().find(|measurement| measurement.is_spend && measurement.counts == 1);
    let of_spends = single.map(|measurement| Percentiles::of(&measurement.figures));
    Ok(Measured { rows: rows(measurements), remarks, spends, of_spends })
}

/// Asks about each user once, before anything about them is kept in memory: how many a second that were.
async fn first_reads(options: &Options, product: &Product) -> Outcome<String> {
    let who = Who::Each { next: Arc::default(), of: options.users };
    let request = Request::read(product.token(), who);
    let load = Load { addresses: vec![product.address()], request, connections: options.connections };
    let (started, used) = (Instant::now(), cpu_seconds(product.id()));
    let round = blocking(move || load.run(FIRST_READS_LIMIT, 0)).await?;
    let (seconds, used) = (started.elapsed().as_secs_f64(), cpu_seconds(product.id()) - used);
    let answered = round.answered.max(1) as f64;
    let (rate, cost) = (answered / seconds, used * 1e6 / answered);
    Ok(format!("Each of {} users read for the first time: {rate:.0} a second, {cost:.1} CPU µs each.", round.answered))
}

fn plan(options: &Options, product: &Product, baseline: &Baseline, copy: Option<Arc<Copy>>) -> Vec<Measurement> {
    let (users, connections) = (options.users, options.connections);
    let wants = |subject| options.wants(subject);
    let http = |address, process, request: Request, connections| By::Http {
        load: Box::new(Load { addresses: vec![address], request, connections }),
        process,
    };
    let empty = |name: &str, request| {
        Measurement::new(name, http(baseline.address(), baseline.id(), request, connections), None)
    };
    let ours = |name: &str, request, connections, against: &'static str| {
        Measurement::new(name, http(product.address(), product.id(), request, connections), Some(against))
    };
    let mut plan = Vec::new();
    if wants(Subject::Reads) {
        let read = Request::read(product.token(), Who::Among(users));
        plan.push(empty(EMPTY_GET, read.clone()).of_reads());
        plan.push(ours("GET /v1/users/{id}", read, connections, EMPTY_GET).of_reads());
    }
    if [Subject::Spends, Subject::Batch, Subject::Sqlite].into_iter().any(wants) {
        let spend = Request::spend(product.token(), Who::Among(users));
        plan.push(empty(EMPTY_POST, spend.clone()));
        if wants(Subject::Spends) {
            plan.push(ours("POST /v1/users/{id}/spends", spend, connections, EMPTY_POST).of_spends(1));
        }
        if wants(Subject::Batch) {
            let batch = Request::batch(product.token(), Who::Among(users), BATCH_ROWS);
            let name = format!("POST /v1/spends, {BATCH_ROWS} a call, {BATCH_CONNECTIONS} connections");
            plan.push(ours(&name, batch, BATCH_CONNECTIONS, EMPTY_POST).of_spends(BATCH_ROWS));
        }
        if let Some(copy) = copy {
            let name = format!("the database alone, {connections} spends a commit");
            let by = By::Store { copy, at_once: connections };
            plan.push(Measurement::new(&name, by, Some(EMPTY_POST)).counting(connections));
        }
    }
    plan
}

impl Measurement {
    fn new(name: &str, by: By, against: Option<&'static str>) -> Measurement {
        let name = name.to_owned();
        Measurement {
            name,
            by,
            counts: 1,
            reads: false,
            is_spend: false,
            against,
            figures: vec![],
            failures: 0,
            failure: None,
        }
    }

    fn counting(mut self, counts: u32) -> Measurement {
        self.counts = counts;
        self
    }

    fn of_reads(mut self) -> Measurement {
        self.reads = true;
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
        let against = measurement.against.and_then(|name| measurements.iter().find(|row| row.name == name));
        Row::of(measurement.name.clone(), &measurement.figures, against.map(|row| row.figures.as_slice()))
    };
    measurements.iter().map(row).collect()
}
