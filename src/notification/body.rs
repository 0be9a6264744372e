//! What a message says: `{"type","timestamp","data"}`, as the Standard Webhooks specification advises. The only place
//! that writes the JSON of outgoing webhooks. Times are RFC 3339 with milliseconds, units whole numbers.

use serde::{Deserialize, Serialize};

use super::Topic;
use crate::clock::{Timestamp, rfc3339};
use crate::error::Fault;

#[derive(Serialize, Deserialize)]
struct Envelope<K, T> {
    #[serde(rename = "type")]
    kind: K,
    timestamp: String,
    data: T,
}

/// Of `user.topped_up` and `user.allotted`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Credited<'a> {
    /// Whose ledger.
    pub user_id: &'a str,
    /// Units; negative when a downgrade took them back.
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

/// Of `user.reversed`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reversed<'a> {
    /// Whose ledger.
    pub user_id: &'a str,
    /// Units; positive when given back.
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

/// Of `user.plan_changed`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PlanChanged<'a> {
    /// Whose plan.
    pub user_id: &'a str,
    /// The plan's key from now on, as the API shows it.
    pub plan: &'a str,
    /// The plan's key until now.
    pub previous_plan: &'a str,
    /// What the plan switches on.
    pub features: &'a [String],
    /// The subscription's state, in Stripe's word; nothing without one.
    pub status: Option<&'a str>,
}

/// Of `user.low_balance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LowBalance {
    /// Whose units.
    pub user_id: String,
    /// What is left.
    pub remaining: i64,
    /// What it fell below.
    pub threshold: i64,
    /// Where the user buys more: known to who sends it, not to who writes it into the outbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topup_url: Option<String>,
}

/// A message of this kind about something that happened at `at`.
pub fn write(kind: Topic, at: Timestamp, data: &impl Serialize) -> Result<String, Fault> {
    envelope(kind.as_str(), rfc3339(at), data)
}

/// What `till hook test` sends.
pub fn test(hook: &str, at: Timestamp) -> Result<String, Fault> {
    envelope("till.test", rfc3339(at), &serde_json::json!({ "hook_id": hook }))
}

/// What a low balance's message in the outbox says.
pub fn read_low_balance(stored: &str) -> Result<LowBalance, Fault> {
    Ok(parse(stored)?.data)
}

/// A low balance's message as it is sent: with the address where the user buys more.
pub fn low_balance_as_sent(stored: &str, topup_url: &str) -> Result<String, Fault> {
    let message = parse(stored)?;
    let data = LowBalance { topup_url: Some(topup_url.to_owned()), ..message.data };
    envelope(&message.kind, message.timestamp, &data)
}

fn parse(stored: &str) -> Result<Envelope<String, LowBalance>, Fault> {
    serde_json::from_str(stored).map_err(|cause| Fault::new("a message in the outbox cannot be read", cause))
}

fn envelope(kind: &str, timestamp: String, data: &impl Serialize) -> Result<String, Fault> {
    let text = serde_json::to_string(&Envelope { kind, timestamp, data });
    text.map_err(|cause| Fault::new("a message cannot be written as JSON", cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_balance_gets_its_address_when_it_is_sent() {
        let data = LowBalance { user_id: "alice".into(), remaining: 3, threshold: 10, topup_url: None };
        let stored = write(Topic::LowBalance, Timestamp::from_millis(1_790_000_000_007), &data).unwrap();
        let head = r#"{"type":"user.low_balance","timestamp":"2026-09-21T14:13:20.007Z","data":{"user_id":"alice","#;
        assert_eq!(stored, format!(r#"{head}"remaining":3,"threshold":10}}}}"#));
        assert_eq!(read_low_balance(&stored).unwrap(), data);
        let sent = low_balance_as_sent(&stored, "https://pay.example.com/dashboard").unwrap();
        let tail = r#""remaining":3,"threshold":10,"topup_url":"https://pay.example.com/dashboard"}}"#;
        assert_eq!(sent, format!("{head}{tail}"));
        assert!(read_low_balance("{}").is_err());
    }
}
