//! pgbench, which does the same work by hand-written SQL on a copy of the same books.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use till::error::Fault;

use super::server::{Server, outputs};
use crate::Outcome;
use crate::load::Round;
use crate::process::Folder;

/// The spend.
const SCRIPT: &str = include_str!("spend.sql");
/// One transaction in so many is timed: writing down each would cost what is measured.
const TIMED: f64 = 0.1;
/// Seconds that are not counted. till keeps its connections from one round to the next; those of pgbench are new in each, and
/// plan and read everything for the first time.
const WARM_UP: u64 = 3;

/// The copy of the books that it spends from.
pub const COPY: &str = "by_hand";

/// Copies books that nobody has open.
pub fn copy_books(server: &Server, folder: &Folder) -> Outcome<()> {
    fs::write(folder.path("spend.sql"), SCRIPT).map_err(|cause| Fault::new("cannot write pgbench's script", cause))?;
    server.ask("postgres", &format!("CREATE DATABASE {COPY} TEMPLATE till")).map(drop)
}

/// Spends for whole seconds, with so many clients, of which each has a connection. All transactions are counted, and the window is
/// what they would have taken at the rate after the warm-up.
pub fn run(server: &Server, folder: &Path, users: u32, clients: u32, length: Duration, seed: u64) -> Outcome<Round> {
    let mut pgbench = server.program("pgbench", COPY);
    let seconds = length.as_secs().max(1) + WARM_UP;
    pgbench.args(["-n", "-M", "prepared", "-f", "spend.sql", "-j", "1", "-P", "1"]);
    pgbench.args(["-c", &clients.to_string(), "-T", &seconds.to_string(), "-D", &format!("users={users}")]);
    pgbench.args([&format!("--random-seed={seed}"), "-l", &format!("--sampling-rate={TIMED}")]);
    let [printed, progress] = outputs(pgbench.current_dir(folder).stdin(Stdio::null()))?;
    let figure = |name: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let count = figure("number of transactions actually processed: ");
    let (Some(count), Some(rate)) = (count, rate_after_warm_up(&progress)) else {
        return Err(Fault::bare(format!("cannot read what pgbench says: {printed}{progress}")));
    };
    let failures = figure("number of failed transactions: ").unwrap_or(0.0) as u64;
    let mut round = Round { window: Duration::from_secs_f64(count / rate), answered: count as u64, ..Round::default() };
    round.failures = failures;
    round.latencies = latencies(folder)?;
    Ok(round)
}

/// What it made a second, by its line for each: `progress: 4.0 s, 812.0 tps, …`.
fn rate_after_warm_up(progress: &str) -> Option<f64> {
    let lines = progress.lines().filter_map(|line| line.strip_prefix("progress: ")?.split_once(" s, "));
    let rates = lines.filter_map(|(at, rest)| {
        let rate = rest.split_once(" tps")?.0.parse::<f64>().ok()?;
        (at.parse::<f64>().ok()? >= WARM_UP as f64 + 0.5).then_some(rate)
    });
    let rates: Vec<f64> = rates.collect();
    let sum: f64 = rates.iter().sum();
    (sum > 0.0).then(|| sum / rates.len() as f64)
}

/// Of the transactions after the warm-up: the third field of each line of its log, in microseconds. The fifth and sixth say when
/// it ended, in seconds and microseconds. The log is removed.
fn latencies(folder: &Path) -> Outcome<Vec<u32>> {
    let cannot = |cause| Fault::new("cannot read pgbench's log", cause);
    let mut transactions: Vec<(u64, u32)> = vec![];
    for entry in fs::read_dir(folder).map_err(cannot)?.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with("pgbench_log.") {
            let text = fs::read_to_string(entry.path()).map_err(cannot)?;
            transactions.extend(text.lines().filter_map(|line| {
                let fields: Vec<&str> = line.split(' ').collect();
                Some((fields.get(4)?.parse().ok()?, fields.get(2)?.parse().ok()?))
            }));
            fs::remove_file(entry.path()).map_err(cannot)?;
        }
    }
    let first = transactions.iter().map(|(second, _)| *second).min().unwrap_or(0);
    transactions.retain(|(second, _)| *second >= first + WARM_UP);
    Ok(transactions.into_iter().map(|(_, latency)| latency).collect())
}
