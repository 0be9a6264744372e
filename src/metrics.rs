//! The counters of `GET /metrics`, in Prometheus' text format. Names begin with `till_` and end in their unit.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::clock::Deadline;
use crate::error::{Fault, Result};
use crate::store::WriterFigures;

/// An event that Stripe sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EventLabels {
    /// Stripe's type; `other` for one that till does nothing with.
    pub kind: String,
    /// The inbox's status.
    pub status: &'static str,
}

/// The labels of a counter by kind of entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    /// The ledger's kind, the inbox's status, or what is bounded.
    pub kind: &'static str,
}

/// An attempt to deliver an outgoing webhook.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeliveryLabels {
    /// `delivered`, `failed`, or `parked`: failed, and given up.
    pub status: &'static str,
}

/// An attempt to send a letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MailLabels {
    /// The kind's word.
    pub kind: &'static str,
    /// `sent`, `delayed`, or `failed`: given up.
    pub status: &'static str,
}

/// A token, a press, a link or a signature that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusalLabels {
    /// `sign_in`, `permission`, `link` or `signature`.
    pub kind: &'static str,
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    pub method: &'static str,
    /// The route's pattern, never the path: paths hold ids.
    pub route: String,
    pub status: u16,
}

/// When a log line that strangers can cause may be written: once a second, so that they cannot fill the disk.
pub struct LogPace {
    running: Deadline,
    state: Mutex<(Option<Duration>, u64)>,
}

impl LogPace {
    /// At most one line in this time.
    const APART: Duration = Duration::from_secs(1);

    /// A pace of its own for one kind of line.
    pub fn new() -> LogPace {
        LogPace { running: Deadline::after(Duration::ZERO), state: Mutex::default() }
    }

    /// How many lines were left out since the last one, if a line may be written now. Otherwise this one is left out.
    pub fn next(&self) -> Option<u64> {
        let now = self.running.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, left_out) = &mut *state;
        if last.is_some_and(|last| now.saturating_sub(last) < LogPace::APART) {
            *left_out = left_out.saturating_add(1);
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(left_out))
    }
}

impl Default for LogPace {
    fn default() -> LogPace {
        LogPace::new()
    }
}

/// The counters and gauges that `/metrics` shows.
pub struct Metrics {
    registry: Registry,
    pub webhook_events: Family<EventLabels, Counter>,
    /// Webhooks refused for their signature or their form.
    pub webhook_rejected: Counter,
    pub webhook_rejected_lines: LogPace,
    /// Requests and connections refused because a client has too many, or asks too often.
    pub rate_limited: Family<KindLabels, Counter>,
    rate_limited_lines: LogPace,
    pub units_credited: Family<KindLabels, Counter>,
    /// By spends and captures.
    pub units_spent: Counter,
    /// By status; counted when `/metrics` is asked for.
    pub inbox_events: Family<KindLabels, Gauge>,
    pub hook_deliveries: Family<DeliveryLabels, Counter>,
    pub mails: Family<MailLabels, Counter>,
    /// 1 while things may happen by time, 0 while the clock is implausible.
    pub clock_plausible: Gauge,
    /// Seconds since the last backup; -1 if there is none. Asked for with `/metrics`.
    pub backup_age_seconds: Gauge,
    /// Users read from the database for the service API; other answers came from the cache.
    pub users_read: Counter,
    pub requests: Family<RequestLabels, Histogram>,
    pub refusals: Family<RefusalLabels, Counter>,
}

impl Metrics {
    pub fn new(writer: &WriterFigures) -> Metrics {
        let mut registry = Registry::with_prefix("till");
        let requests: Family<RequestLabels, Histogram> = Family::new_with_constructor(request_buckets);
        let metrics = Metrics {
            webhook_events: Family::default(),
            webhook_rejected: Counter::default(),
            webhook_rejected_lines: LogPace::new(),
            rate_limited: Family::default(),
            rate_limited_lines: LogPace::new(),
            units_credited: Family::default(),
            units_spent: Counter::default(),
            inbox_events: Family::default(),
            hook_deliveries: Family::default(),
            mails: Family::default(),
            clock_plausible: Gauge::default(),
            backup_age_seconds: Gauge::default(),
            users_read: Counter::default(),
            requests,
            refusals: Family::default(),
            registry: Registry::default(),
        };
        registry.register("webhook_events", "Stripe's events received", metrics.webhook_events.clone());
        registry.register("webhook_rejected", "Webhooks refused", metrics.webhook_rejected.clone());
        let rate_limited = metrics.rate_limited.clone();
        registry.register(
            "rate_limited",
            "Connections and requests refused to a client that has too many",
            rate_limited,
        );
        registry.register("units_credited", "Units credited", metrics.units_credited.clone());
        registry.register("units_spent", "Units spent", metrics.units_spent.clone());
        registry.register("inbox_events", "Events in the inbox", metrics.inbox_events.clone());
        let deliveries = metrics.hook_deliveries.clone();
        registry.register("hook_deliveries", "Attempts to deliver outgoing webhooks", deliveries);
        registry.register("mails", "Attempts to send letters to people", metrics.mails.clone());
        let plausible = "Whether units expire and are credited by time: not while the clock is implausible";
        registry.register("clock_plausible", plausible, metrics.clock_plausible.clone());
        let backup_age = metrics.backup_age_seconds.clone();
        registry.register("backup_age_seconds", "Since the last backup; -1 without one", backup_age);
        let users_read = metrics.users_read.clone();
        registry.register("users_read", "Users read to be shown to a program; others came from memory", users_read);
        registry.register("http_request_seconds", "Requests answered", metrics.requests.clone());
        registry.register("refusals", "Tokens, presses, links and signatures refused", metrics.refusals.clone());
        registry.register("commit_seconds", "Durable commits", writer.commit_seconds.clone());
        registry.register("commit_writes", "Writes in one commit", writer.commit_writes.clone());
        registry.register("wal_bytes", "Size of the write-ahead log", writer.wal_bytes.clone());
        registry.register("commit_failures", "Commits that failed", writer.commit_failures.clone());
        Metrics { registry, ..metrics }
    }

    /// Counts that a client was refused something that it has too much of, and logs it now and then.
    pub fn refuse_client(&self, what: &'static str, client: &dyn Display) {
        self.rate_limited.get_or_create(&KindLabels { kind: what }).inc();
        if let Some(left_out) = self.rate_limited_lines.next() {
            tracing::warn!(event = "rate_limited", what, %client, left_out);
        }
    }

    /// The body of `GET /metrics`.
    pub fn text(&self) -> Result<String, Fault> {
        let mut text = String::new();
        encode(&mut text, &self.registry).map_err(|cause| Fault::new("cannot write the metrics", cause))?;
        Ok(text)
    }

    /// How long durable commits took since the start of the process.
    pub fn commit_times(&self) -> Result<CommitTimes, Fault> {
        Ok(CommitTimes::of_text(&self.text()?))
    }
}

/// How long durable commits took since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CommitTimes {
    pub count: i64,
    /// In seconds.
    pub mean: Option<f64>,
    /// In seconds: 99 of 100 took at most so long. `None` if there was none, or if it was longer than the last bucket.
    pub slow: Option<f64>,
    /// Writes that one commit held, on average: above one, writes had to wait for each other.
    pub writes: Option<f64>,
}

impl CommitTimes {
    /// Reads it from the text of the metrics.
    fn of_text(text: &str) -> CommitTimes {
        let name = "till_commit_seconds";
        let value = |name: &str| -> Option<f64> {
            let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
            line.rsplit(' ').next()?.parse().ok()
        };
        let count = value("till_commit_seconds_count").unwrap_or_default();
        let bucket = |line: &str| -> Option<(f64, f64)> {
            let (end, number) = line.strip_prefix(name)?.strip_prefix("_bucket{le=\"")?.split_once("\"} ")?;
            Some((end.parse().ok()?, number.parse().ok()?))
        };
        let slow = text.lines().filter_map(bucket).find(|(_, number)| count > 0.0 && *number >= count * 0.99);
        CommitTimes {
            count: count as i64,
            mean: value("till_commit_seconds_sum").filter(|_| count > 0.0).map(|sum| sum / count),
            writes: value("till_commit_writes_sum").filter(|_| count > 0.0).map(|sum| sum / count),
            slow: slow.map(|(end, _)| end).filter(|end| end.is_finite()),
        }
    }
}

fn request_buckets() -> Histogram {
    Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_times_are_read_from_what_is_counted() {
        let text = "# TYPE till_commit_seconds histogram\n\
            till_commit_seconds_sum 0.5\ntill_commit_seconds_count 100\n\
            till_commit_seconds_bucket{le=\"0.001\"} 98\ntill_commit_seconds_bucket{le=\"0.003\"} 99\n\
            till_commit_seconds_bucket{le=\"+Inf\"} 100\ntill_commit_writes_sum 250.0\n";
        let times = CommitTimes { count: 100, mean: Some(0.005), slow: Some(0.003), writes: Some(2.5) };
        assert_eq!(CommitTimes::of_text(text), times);
        let slow = text.replace("99\n", "98\n");
        assert_eq!(CommitTimes::of_text(&slow), CommitTimes { slow: None, ..times }, "longer than the last bucket");
        assert_eq!(CommitTimes::of_text(""), CommitTimes::default());
    }
}
