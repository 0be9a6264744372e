//! What became of the calls to Stripe, for the metrics.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use crate::stripe::StripeError;

/// An attempt to call Stripe.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabels {
    /// `answered`, `refused` (400 to 499), `limited` (429), `failed` (500 and more, or what cannot be read), or `unanswered`.
    pub outcome: &'static str,
}

/// How long each attempt took, by its outcome. Clones count together.
#[derive(Clone)]
pub struct CallFigures {
    pub attempt_seconds: Family<AttemptLabels, Histogram>,
}

impl Default for CallFigures {
    fn default() -> CallFigures {
        CallFigures { attempt_seconds: Family::new_with_constructor(buckets) }
    }
}

/// What an attempt can come to.
const OUTCOMES: [&str; 5] = ["answered", "refused", "limited", "failed", "unanswered"];

impl CallFigures {
    /// Shows each outcome from the start, also those that did not happen yet.
    pub fn begin_at_zero(&self) {
        OUTCOMES.iter().for_each(|outcome| drop(self.attempt_seconds.get_or_create(&AttemptLabels { outcome })));
    }

    /// Counts one.
    pub fn count(&self, failure: Option<&StripeError>, took: Duration) {
        let outcome = match failure.map(|failure| failure.status) {
            None => "answered",
            Some(None) => "unanswered",
            Some(Some(429)) => "limited",
            Some(Some(400..=499)) => "refused",
            Some(Some(_)) => "failed",
        };
        self.attempt_seconds.get_or_create(&AttemptLabels { outcome }).observe(took.as_secs_f64());
    }
}

fn buckets() -> Histogram {
    Histogram::new([0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0])
}
