//! What a notification says: `{"type","timestamp","data"}`, as the Standard Webhooks specification advises. The only
//! place that writes the JSON of outgoing webhooks. Times are RFC 3339 with milliseconds, units whole numbers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Topic;
use crate::clock::{Timestamp, rfc3339};
use crate::error::Fault;

#[derive(Serialize, Deserialize)]
struct Envelope<K, T> {
    #[serde(rename = "type")]
    topic: K,
    timestamp: String,
    data: T,
}

/// The data of `user.topped_up` and `user.allotted`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "CreditMessage")]
pub struct Credit<'a> {
    /// Whose ledger.
    pub user_id: &'a str,
    /// Negative when a downgrade took units back.
    pub units: i64,
    /// The balance after it.
    pub balance: i64,
    /// The ledger's reason.
    pub reason: &'a str,
    /// The ledger's entry.
    pub entry_id: &'a str,
    /// The pack or plan that was paid for; nothing when units were taken back.
    pub plan: Option<&'a str>,
}

/// The data of `user.reversed`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReversalMessage")]
pub struct Reversal<'a> {
    /// Whose ledger.
    pub user_id: &'a str,
    /// Positive when units were given back.
    pub units: i64,
    /// The balance after it.
    pub balance: i64,
    /// The ledger's reason.
    pub reason: &'a str,
    /// The ledger's entry.
    pub entry_id: &'a str,
    /// `refund` or `dispute`.
    pub cause: &'a str,
}

/// The data of `user.plan_changed`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PlanChangeMessage")]
pub struct PlanChange<'a> {
    /// Whose plan.
    pub user_id: &'a str,
    /// The key of the plan from now on, as the API shows it.
    pub plan: &'a str,
    /// The key of the plan until now.
    pub previous_plan: &'a str,
    /// What the plan switches on.
    pub features: &'a [String],
    /// The subscription's state, in Stripe's word; nothing without one.
    pub status: Option<&'a str>,
}

/// The data of `user.units_expiring`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnitsExpiringMessage")]
pub struct UnitsExpiring<'a> {
    /// Whose units.
    pub user_id: &'a str,
    /// How many of them, without those that are held.
    pub units: i64,
    /// When they expire.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
}

/// The data of `user.low_balance` as it is written into the outbox, and of the log line `low_balance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LowBalance {
    /// Whose units.
    pub user_id: String,
    /// The balance now.
    pub remaining: i64,
    /// What it fell below.
    pub threshold: i64,
}

/// The data of `user.low_balance` as it is sent.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LowBalanceMessage")]
pub struct LowBalanceWithUrl<'a> {
    #[serde(flatten)]
    low_balance: LowBalance,
    /// Where the user buys more.
    #[schemars(extend("format" = "uri"))]
    topup_url: &'a str,
}

/// The body of a notification about something that happened at `at`.
pub fn write(topic: Topic, at: Timestamp, data: &impl Serialize) -> Result<String, Fault> {
    envelope(topic.as_str(), rfc3339(at), data)
}

/// What `till hook test` sends.
pub fn test(endpoint: &str, at: Timestamp) -> Result<String, Fault> {
    envelope("till.test", rfc3339(at), &serde_json::json!({ "hook_id": endpoint }))
}

/// The body of a low balance as it is sent: with the address where the user buys more. The transaction that wrote it
/// into the outbox does not know our base URL, which may also have changed since.
pub fn low_balance_as_sent(stored: &str, topup_url: &str) -> Result<String, Fault> {
    let stored: Envelope<String, LowBalance> = serde_json::from_str(stored)
        .map_err(|cause| Fault::new("a notification in the outbox cannot be read", cause))?;
    let data = LowBalanceWithUrl { low_balance: stored.data, topup_url };
    envelope(&stored.topic, stored.timestamp, &data)
}

fn envelope(topic: &str, timestamp: String, data: &impl Serialize) -> Result<String, Fault> {
    let text = serde_json::to_string(&Envelope { topic, timestamp, data });
    text.map_err(|cause| Fault::new("a notification cannot be written as JSON", cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_balance_gets_its_address_when_it_is_sent() {
        let data = LowBalance { user_id: "alice".into(), remaining: 3, threshold: 10 };
        let stored = write(Topic::LowBalance, Timestamp::from_millis(1_790_000_000_007), &data).unwrap();
        let head = r#"{"type":"user.low_balance","timestamp":"2026-09-21T14:13:20.007Z","data":{"user_id":"alice","#;
        assert_eq!(stored, format!(r#"{head}"remaining":3,"threshold":10}}}}"#));
        let sent = low_balance_as_sent(&stored, "https://pay.example.com/dashboard").unwrap();
        let tail = r#""remaining":3,"threshold":10,"topup_url":"https://pay.example.com/dashboard"}}"#;
        assert_eq!(sent, format!("{head}{tail}"));
        assert!(low_balance_as_sent("{}", "https://pay.example.com/dashboard").is_err());
    }
}
