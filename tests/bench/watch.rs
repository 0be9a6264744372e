//! What is watched around the load: the disk's own flush, the log, and the memory of the server.

use std::time::Duration;

use till::error::Fault;

use super::Outcome;
use super::disk::{LogWatch, flushes};
use super::figures::Percentiles;
use super::process::{Folder, resident_bytes};
use super::product::Product;

/// Under way.
pub struct Watch {
    server: u32,
    idle_bytes: u64,
    flushes: Vec<Duration>,
    log: LogWatch,
}

impl Watch {
    /// Begins before anything is asked of the server.
    pub fn start(product: &Product, folder: &Folder) -> Outcome<Watch> {
        let flushes = flushes(folder)?;
        let idle_bytes = resident_bytes(product.id());
        Ok(Watch { server: product.id(), idle_bytes, flushes, log: LogWatch::start(&folder.path("till.db")) })
    }

    /// Ends while the server still runs. Answers what there is to say, a line each.
    pub fn end(mut self, folder: &Folder, spends: Option<Percentiles>) -> Outcome<Vec<String>> {
        let loaded_bytes = resident_bytes(self.server);
        // Before and after the load, so that a disk that has become slower does not pass unseen.
        self.flushes.extend(flushes(folder)?);
        self.flushes.sort_unstable();
        let at = |place: usize| self.flushes.get(place).map(|flush| flush.as_secs_f64() * 1000.0);
        let last = self.flushes.len();
        let flush = at(last / 2).zip(at(last * 99 / 100)).ok_or_else(|| Fault::bare("no flush was timed"));
        let (median, p99) = flush?;
        let mut lines = vec![format!("The disk's own flush: p50 {median:.2} ms, p99 {p99:.2} ms, of {last}.")];
        lines.extend(spends.map(|Percentiles { p50, p99, worst_p99 }| {
            format!(
                "Spends: p50 {p50:.2} ms, p99 {p99:.2} ms ({worst_p99:.2} ms in the worst round). The p99 is {:.1} flushes.",
                p99 / median
            )
        }));
        lines.push(format!("The log's largest size: {:.1} MiB.", mebibytes(self.log.largest()?)));
        let [idle, loaded] = [self.idle_bytes, loaded_bytes].map(mebibytes);
        lines.push(format!("Resident memory of the server: {idle:.1} MiB idle, {loaded:.1} MiB after the load."));
        Ok(lines)
    }
}

/// For people to read.
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
