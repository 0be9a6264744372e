//! The counters of `GET /metrics`, in Prometheus' text format. Names begin with `till_` and end in their unit.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

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
    /// The ledger's kind, or the inbox's status.
    pub kind: &'static str,
}

/// An attempt to deliver an outgoing webhook.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeliveryLabels {
    /// `delivered`, `failed`, or `parked`: failed, and given up.
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

/// The counters and gauges that `/metrics` shows.
pub struct Metrics {
    registry: Registry,
    pub webhook_events: Family<EventLabels, Counter>,
    /// Webhooks refused for their signature or their form.
    pub webhook_rejected: Counter,
    pub units_credited: Family<KindLabels, Counter>,
    /// By spends and captures.
    pub units_spent: Counter,
    /// By status; counted when `/metrics` is asked for.
    pub inbox_events: Family<KindLabels, Gauge>,
    pub hook_deliveries: Family<DeliveryLabels, Counter>,
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
            units_credited: Family::default(),
            units_spent: Counter::default(),
            inbox_events: Family::default(),
            hook_deliveries: Family::default(),
            users_read: Counter::default(),
            requests,
            refusals: Family::default(),
            registry: Registry::default(),
        };
        registry.register("webhook_events", "Stripe's events received", metrics.webhook_events.clone());
        registry.register("webhook_rejected", "Webhooks refused", metrics.webhook_rejected.clone());
        registry.register("units_credited", "Units credited", metrics.units_credited.clone());
        registry.register("units_spent", "Units spent", metrics.units_spent.clone());
        registry.register("inbox_events", "Events in the inbox", metrics.inbox_events.clone());
        let deliveries = metrics.hook_deliveries.clone();
        registry.register("hook_deliveries", "Attempts to deliver outgoing webhooks", deliveries);
        let users_read = metrics.users_read.clone();
        registry.register("users_read", "Users read to be shown to a program; others came from memory", users_read);
        registry.register("http_request_seconds", "Requests answered", metrics.requests.clone());
        registry.register("refusals", "Tokens, presses, links and signatures refused", metrics.refusals.clone());
        registry.register("commit_seconds", "Durable commits", writer.commit_seconds.clone());
        registry.register("commit_writes", "Writes in one commit", writer.commit_writes.clone());
        registry.register("commit_failures", "Commits that failed", writer.commit_failures.clone());
        Metrics { registry, ..metrics }
    }

    /// The body of `GET /metrics`.
    pub fn text(&self) -> Result<String, Fault> {
        let mut text = String::new();
        encode(&mut text, &self.registry).map_err(|cause| Fault::new("cannot write the metrics", cause))?;
        Ok(text)
    }
}

fn request_buckets() -> Histogram {
    Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
}
