//! The counters of `GET /metrics`, in Prometheus' text format. Names begin with `till_` and end in their unit.

mod commit_times;
mod exposition;
mod labels;

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::catalog::MailKind;
use crate::clock::Deadline;
use crate::error::{Fault, Result};
use crate::log_pace::LogPace;
use crate::store::{Engine, WriterFigures};
use crate::stripe::CallFigures;

pub use commit_times::CommitTimes;
pub use exposition::as_plain_text;
pub use labels::{DeliveryLabels, EventLabels, KindLabels, MailLabels, RefusalLabels, RequestLabels};

/// Between two counts of what takes long in large books.
const COUNT_PAUSE: Duration = Duration::from_secs(60);

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
    /// Of the books since their beginning, by what became of them; counted when `/metrics` is asked for.
    pub books_units: Family<KindLabels, Gauge>,
    /// Seconds since the last event arrived; -1 if none did. Asked for with `/metrics`, like the following.
    pub stripe_event_age_seconds: Gauge,
    /// Seconds since the last comparison with Stripe ended; -1 if none did.
    pub comparison_age_seconds: Gauge,
    /// What the last comparison found to differ, by kind.
    pub comparison_differences: Family<KindLabels, Gauge>,
    /// Payments in the books that Stripe does not confirm.
    pub doubtful_payments: Gauge,
    pub database_bytes: Gauge,
    /// By its name.
    database_engine: Family<KindLabels, Gauge>,
    pub disk_free_bytes: Gauge,
    pub disk_size_bytes: Gauge,
    /// When what takes long is counted next.
    next_count: Mutex<Option<Deadline>>,
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
    /// What is about a file alone is not there where the books are on a server: no alert can take its absence for a fault.
    pub fn new(writer: &WriterFigures, calls: &CallFigures, engine: Engine) -> Metrics {
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
            books_units: Family::default(),
            stripe_event_age_seconds: Gauge::default(),
            comparison_age_seconds: Gauge::default(),
            comparison_differences: Family::default(),
            doubtful_payments: Gauge::default(),
            database_bytes: Gauge::default(),
            database_engine: Family::default(),
            disk_free_bytes: Gauge::default(),
            disk_size_bytes: Gauge::default(),
            next_count: Mutex::new(None),
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
        let users_read = metrics.users_read.clone();
        registry.register("users_read", "Users read to be shown to a program; others came from memory", users_read);
        registry.register("http_request_seconds", "Requests answered", metrics.requests.clone());
        registry.register("refusals", "Tokens, presses, links and signatures refused", metrics.refusals.clone());
        metrics.register_books(&mut registry);
        if engine == Engine::Sqlite {
            metrics.register_file(&mut registry, writer);
        }
        registry.register("stripe_call_seconds", "Attempts to call Stripe", calls.attempt_seconds.clone());
        registry.register("commit_seconds", "Durable commits", writer.commit_seconds.clone());
        let flushes = writer.commit_flush_seconds.clone();
        registry.register("commit_flush_seconds", "The durable end of a commit, mostly a flush of the disk", flushes);
        registry.register("writer_queue_writes", "Writes that wait for the writer", writer.queued_writes.clone());
        registry.register("commit_writes", "Writes in one commit", writer.commit_writes.clone());
        registry.register("commit_failures", "Commits that failed", writer.commit_failures.clone());
        metrics.database_engine.get_or_create(&KindLabels { kind: engine.name() }).set(1);
        calls.begin_at_zero();
        metrics.begin_at_zero();
        Metrics { registry, ..metrics }
    }

    /// Counters of what an alert watches are there from the start: the first of something is a change only after a zero.
    fn begin_at_zero(&self) {
        let at_zero = |family: &Family<KindLabels, Counter>, kinds: &[&'static str]| {
            kinds.iter().for_each(|kind| drop(family.get_or_create(&KindLabels { kind })));
        };
        at_zero(&self.rate_limited, &["connections", "requests"]);
        at_zero(&self.units_credited, &["topup", "subscription", "grant"]);
        for status in ["delivered", "failed", "parked"] {
            drop(self.hook_deliveries.get_or_create(&DeliveryLabels { status }));
        }
        for kind in ["sign_in", "permission", "link", "signature"] {
            drop(self.refusals.get_or_create(&RefusalLabels { kind }));
        }
        for kind in MailKind::ALL.map(MailKind::as_str) {
            for status in ["sent", "delayed", "failed"] {
                drop(self.mails.get_or_create(&MailLabels { kind, status }));
            }
        }
    }

    /// What is looked at when `/metrics` is asked for.
    fn register_books(&self, registry: &mut Registry) {
        let units = "Units since the beginning of the books, by what became of them";
        registry.register("books_units", units, self.books_units.clone());
        let age = self.stripe_event_age_seconds.clone();
        registry.register("stripe_event_age_seconds", "Since the last event arrived; -1 without one", age);
        let age = self.comparison_age_seconds.clone();
        registry.register("comparison_age_seconds", "Since the last comparison with Stripe; -1 without one", age);
        let differences = self.comparison_differences.clone();
        registry.register(
            "comparison_differences",
            "What the last comparison with Stripe found to differ",
            differences,
        );
        let doubtful = self.doubtful_payments.clone();
        registry.register("doubtful_payments", "Payments in the books that Stripe does not confirm", doubtful);
        registry.register("database_bytes", "Size of the database", self.database_bytes.clone());
        registry.register("database_engine", "What keeps the books: 1 for it", self.database_engine.clone());
    }

    /// What is looked at of a file.
    fn register_file(&self, registry: &mut Registry, writer: &WriterFigures) {
        let backup_age = self.backup_age_seconds.clone();
        registry.register("backup_age_seconds", "Since the last backup; -1 without one", backup_age);
        registry.register("wal_bytes", "Size of the write-ahead log", writer.wal_bytes.clone());
        registry.register("disk_free_bytes", "Room that is left on the database's disk", self.disk_free_bytes.clone());
        registry.register("disk_size_bytes", "Size of the database's disk", self.disk_size_bytes.clone());
    }

    /// Whether what takes long in large books is to be counted now: once a minute.
    pub fn is_count_due(&self) -> bool {
        let mut next = self.next_count.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = next.as_ref().is_none_or(|next| next.left().is_zero());
        if is_due {
            *next = Some(Deadline::after(COUNT_PAUSE));
        }
        is_due
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

fn request_buckets() -> Histogram {
    Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
}
