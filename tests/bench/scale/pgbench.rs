//! pgbench, which does the same work by hand-written SQL on a copy of the same books.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use till::error::Fault;

use super::server::{Server, output};
use crate::Outcome;
use crate::load::Round;
use crate::process::Folder;

/// The spend.
const SCRIPT: &str = include_str!("spend.sql");
/// One transaction in so many is timed: writing down each would cost what is measured.
const TIMED: f64 = 0.1;

/// The copy of the books that it spends from.
pub const COPY: &str = "by_hand";

/// Copies books that nobody has open.
pub fn copy_books(server: &Server, folder: &Folder) -> Outcome<()> {
    fs::write(folder.path("spend.sql"), SCRIPT).map_err(|cause| Fault::new("cannot write pgbench's script", cause))?;
    server.ask("postgres", &format!("CREATE DATABASE {COPY} TEMPLATE till")).map(drop)
}

/// Spends for whole seconds, with so many clients, of which each has a connection.
pub fn run(server: &Server, folder: &Path, users: u32, clients: u32, length: Duration, seed: u64) -> Outcome<Round> {
    let mut pgbench = server.program("pgbench", COPY);
    let seconds = length.as_secs().max(1);
    pgbench.args(["-n", "-M", "prepared", "-f", "spend.sql", "-j", "1"]);
    pgbench.args(["-c", &clients.to_string(), "-T", &seconds.to_string(), "-D", &format!("users={users}")]);
    pgbench.args([&format!("--random-seed={seed}"), "-l", &format!("--sampling-rate={TIMED}")]);
    let printed = output(pgbench.current_dir(folder).stdin(Stdio::null()))?;
    let figure = |name: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let (Some(rate), Some(count)) = (figure("tps = "), figure("number of transactions actually processed: ")) else {
        return Err(Fault::bare(format!("cannot read what pgbench says: {printed}")));
    };
    let failures = figure("number of failed transactions: ").unwrap_or(0.0) as u64;
    let mut round = Round { window: Duration::from_secs_f64(count / rate), answered: count as u64, ..Round::default() };
    round.failures = failures;
    round.latencies = latencies(folder)?;
    Ok(round)
}

/// The third field of each line of its log, in microseconds. The log is removed.
fn latencies(folder: &Path) -> Outcome<Vec<u32>> {
    let cannot = |cause| Fault::new("cannot read pgbench's log", cause);
    let mut latencies = vec![];
    for entry in fs::read_dir(folder).map_err(cannot)?.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with("pgbench_log.") {
            let text = fs::read_to_string(entry.path()).map_err(cannot)?;
            latencies.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u32>().ok()));
            fs::remove_file(entry.path()).map_err(cannot)?;
        }
    }
    Ok(latencies)
}
