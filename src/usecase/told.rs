//! What is told after a commit: log lines with fixed names and fields, and counters. A write closure may run again, so
//! it collects what is to be told, and the use case tells it once the work is durable.

use crate::app::App;
use crate::ledger::Kind;
use crate::metrics::KindLabels;

/// Something worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A pack was credited.
    ToppedUp {
        /// Whose.
        user_id: String,
        /// The pack's key.
        plan: String,
        /// Units credited.
        units: i64,
        /// Stripe's payment intent, if there is one.
        payment_intent: Option<String>,
        /// The ledger's reason.
        reason: String,
        /// The balance after it.
        balance: i64,
    },
    /// Somebody paid, and it cannot be told who or for what.
    Unmatched {
        /// Stripe's id of what was paid.
        object: String,
        /// Why it cannot be told.
        why: String,
    },
}

impl Told {
    /// Writes the line and moves the counters.
    pub fn tell(&self, app: &App) {
        match self {
            Told::ToppedUp { user_id, plan, units, payment_intent, reason, balance } => {
                let payment_intent = payment_intent.as_deref();
                tracing::info!(event = "topup_processed", user_id, plan, units, payment_intent, reason, balance);
                credited(app, Kind::Topup, *units);
            }
            Told::Unmatched { object, why } => tracing::warn!(event = "payment_unmatched", object, why),
        }
    }
}

/// Counts units that came in.
pub fn credited(app: &App, kind: Kind, units: i64) {
    let counter = app.metrics.units_credited.get_or_create(&KindLabels { kind: kind.as_str() });
    counter.inc_by(u64::try_from(units).unwrap_or(0));
}
