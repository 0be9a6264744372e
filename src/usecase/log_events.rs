//! What is logged after a commit: lines with fixed names and fields, and counters. A write closure may run again, so it
//! collects what is to be logged, and the use case logs it once the work is durable. A crash between the two loses the
//! line, never the entry: the ledger is the record, the log is not.

use crate::app::App;
use crate::ledger::Kind;
use crate::metrics::KindLabels;
use crate::notification::body::LowBalance;

/// Something worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
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
    /// A plan's invoice was allotted, or a downgrade took units back.
    Allotted {
        /// Whose.
        user_id: String,
        /// The plan's key.
        plan: String,
        /// Units; negative when taken back.
        units: i64,
        /// Stripe's invoice.
        invoice: String,
        /// The ledger's reason.
        reason: String,
        /// The balance after it.
        balance: i64,
    },
    /// A refund or a dispute moved units.
    Reversed {
        /// Whose.
        user_id: String,
        /// `Refund` or `Dispute`.
        kind: Kind,
        /// The payment that is reversed.
        payment: String,
        /// Units; positive when given back.
        units: i64,
        /// The ledger's reason.
        reason: String,
        /// The balance after it.
        balance: i64,
    },
    /// A dispute went a step further.
    Disputed {
        /// Whose payment.
        user_id: String,
        /// Stripe's dispute.
        dispute: String,
        /// Its state, in Stripe's word.
        status: String,
        /// Whether it is over.
        closed: bool,
    },
    /// A subscription is another one than before, or in another state.
    PlanChanged {
        /// Whose.
        user_id: String,
        /// The plan's key.
        plan: String,
        /// Its state, in Stripe's word.
        status: String,
        /// Stripe's subscription.
        subscription: String,
    },
    /// A user has more than one subscription: both allot, and somebody should look.
    SeveralSubscriptions {
        /// Whose.
        user_id: String,
        /// How many.
        count: usize,
    },
    /// Somebody paid, and it is not clear who or for what.
    Unmatched {
        /// Stripe's id of what was paid.
        object: String,
        /// Why it is not clear.
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
            LogEvent::Unmatched { object, why } => tracing::warn!(event = "payment_unmatched", object, why),
            LogEvent::LowBalance(low) => low_balance(low),
        }
    }
}

/// Writes the lines about balances that fell below their threshold, for movements that nothing else is logged of.
pub fn low_balances(to_log: &[LowBalance]) {
    to_log.iter().for_each(low_balance);
}

fn low_balance(low: &LowBalance) {
    let LowBalance { user_id, remaining, threshold } = low;
    tracing::warn!(event = "low_balance", user_id, remaining, threshold);
}

/// Counts units that came in.
pub fn credited(app: &App, kind: Kind, units: i64) {
    let counter = app.metrics.units_credited.get_or_create(&KindLabels { kind: kind.as_str() });
    counter.inc_by(u64::try_from(units).unwrap_or(0));
}
