//! Log lines with fixed names and fields, and counters, that are written after a commit. A write closure may run again,
//! so it returns events, and the use case logs them once the work is durable. A crash between the two loses the
//! line, never the entry: the ledger is the record, the log is not.

use crate::app::App;
use crate::ledger::Kind;
use crate::metrics::KindLabels;
use crate::notification::body::LowBalance;
use crate::store::customers::LinkSource;

/// Something that is worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// A pack was credited.
    ToppedUp { user_id: String, plan: String, units: i64, payment_intent: Option<String>, reason: String, balance: i64 },
    /// A plan's invoice was allotted, or a downgrade took units back.
    Allotted {
        user_id: String,
        plan: String,
        /// Negative when taken back.
        units: i64,
        invoice: String,
        reason: String,
        balance: i64,
    },
    /// A refund or a dispute moved units.
    Reversed {
        user_id: String,
        /// `Refund` or `Dispute`.
        kind: Kind,
        payment: String,
        /// Positive when given back.
        units: i64,
        reason: String,
        balance: i64,
    },
    /// A dispute was opened, or went a step further.
    Disputed {
        user_id: String,
        dispute: String,
        /// Stripe's status.
        status: String,
        closed: bool,
    },
    /// A subscription has another plan or status than before.
    PlanChanged {
        user_id: String,
        plan: String,
        /// Stripe's status.
        status: String,
        subscription: String,
    },
    /// A user has more than one subscription. All of them allot units, and the operator should look.
    SeveralSubscriptions { user_id: String, count: usize },
    /// A customer that till did not make became a user's.
    CustomerLinked { user_id: String, customer: String, source: LinkSource },
    /// Somebody paid, but it is unknown who or for what.
    Unmatched {
        /// Stripe's id of what was paid.
        object: String,
        /// A sentence for the operator.
        why: String,
    },
    /// A balance fell below its threshold.
    LowBalance(LowBalance),
}

impl LogEvent {
    /// Writes the line and moves the counters.
    pub fn log(&self, app: &App) {
        match self {
            LogEvent::ToppedUp { user_id, plan, units, payment_intent, reason, balance } => {
                let payment_intent = payment_intent.as_deref();
                tracing::info!(event = "topup_processed", user_id, plan, units, payment_intent, reason, balance);
                credited(app, Kind::Topup, *units);
            }
            LogEvent::Allotted { user_id, plan, units, invoice, reason, balance } => {
                tracing::info!(event = "subscription_allotted", user_id, plan, units, invoice, reason, balance);
                credited(app, Kind::Subscription, *units);
            }
            LogEvent::Reversed { user_id, kind: Kind::Dispute, payment, units, reason, balance } => {
                tracing::info!(event = "dispute_processed", user_id, payment, units, reason, balance);
            }
            LogEvent::Reversed { user_id, payment, units, reason, balance, .. } => {
                tracing::info!(event = "refund_processed", user_id, payment, units, reason, balance);
            }
            LogEvent::Disputed { user_id, dispute, status, closed: true } => {
                tracing::warn!(event = "dispute_closed", user_id, dispute, status);
            }
            LogEvent::Disputed { user_id, dispute, status, closed: false } => {
                tracing::warn!(event = "dispute_opened", user_id, dispute, status);
            }
            LogEvent::PlanChanged { user_id, plan, status, subscription } => {
                tracing::info!(event = "plan_changed", user_id, plan, status, subscription);
            }
            LogEvent::SeveralSubscriptions { user_id, count } => {
                tracing::warn!(event = "several_subscriptions", user_id, count);
            }
            LogEvent::CustomerLinked { user_id, customer, source } => {
                tracing::info!(event = "customer_linked", user_id, customer, by = source.as_str());
            }
            LogEvent::Unmatched { object, why } => tracing::warn!(event = "payment_unmatched", object, why),
            LogEvent::LowBalance(low) => low_balance(low),
        }
    }
}

/// Writes the lines about balances that fell below their threshold, where a use case logs no [`LogEvent`] of its own. For
/// spends and holds this runs on the writer's thread, right after the commit: a line is rare, one for each crossing.
pub fn low_balances(to_log: &[LowBalance]) {
    to_log.iter().for_each(low_balance);
}

fn low_balance(low: &LowBalance) {
    let LowBalance { user_id, remaining, threshold } = low;
    tracing::warn!(event = "low_balance", user_id, remaining, threshold);
}

/// Counts units that were credited.
pub fn credited(app: &App, kind: Kind, units: i64) {
    let counter = app.metrics.units_credited.get_or_create(&KindLabels { kind: kind.as_str() });
    counter.inc_by(u64::try_from(units).unwrap_or(0));
}
