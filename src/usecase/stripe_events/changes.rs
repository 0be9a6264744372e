//! What applying an event changes, as an operator reads it: before letting it happen, and after.

use crate::usecase::log_events::LogEvent;
use crate::usecase::stripe_events::apply::EventOutcome;

/// One change that an event makes, or would make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// A kind of entry, or `plan`, `dispute_state`, `customer`.
    pub what: &'static str,
    pub user_id: &'a str,
    /// Units that an entry moves, and the balance after it.
    pub units: Option<i64>,
    pub balance: Option<i64>,
    /// An entry's reason; of anything else Stripe's id, and its state from then on.
    pub detail: String,
}

impl EventOutcome {
    /// The entries, plans, disputes and customers that it changes, in the order in which it does so. What else waits for the
    /// same payment or customer, and is applied with it, is among them.
    pub fn changes(&self) -> Vec<Change<'_>> {
        self.log_events.iter().filter_map(change).collect()
    }
}

fn change(event: &LogEvent) -> Option<Change<'_>> {
    let entry = |what, user_id, units: &i64, balance: &i64, reason: &String| Change {
        what,
        user_id,
        units: Some(*units),
        balance: Some(*balance),
        detail: reason.clone(),
    };
    let state = |what, user_id, detail| Change { what, user_id, units: None, balance: None, detail };
    Some(match event {
        LogEvent::ToppedUp { user_id, units, reason, balance, .. } => entry("topup", user_id, units, balance, reason),
        LogEvent::Allotted { user_id, units, reason, balance, .. } => {
            entry("subscription", user_id, units, balance, reason)
        }
        LogEvent::Reversed { user_id, kind, units, reason, balance, .. } => {
            entry(kind.as_str(), user_id, units, balance, reason)
        }
        LogEvent::Disputed { user_id, dispute, status, .. } => {
            state("dispute_state", user_id, format!("{dispute}: {status}"))
        }
        LogEvent::PlanChanged { user_id, plan, status, subscription } => {
            state("plan", user_id, format!("{subscription}: {plan}, {status}"))
        }
        LogEvent::CustomerLinked { user_id, customer, .. } => state("customer", user_id, customer.clone()),
        LogEvent::SeveralSubscriptions { .. } | LogEvent::Unmatched { .. } | LogEvent::LowBalance(_) => return None,
    })
}
