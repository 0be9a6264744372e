//! A request as Stripe would send it, to see what stands between Stripe and the webhook. Without a signature it must be
//! refused. With one it is an event of a type that nobody else sends: it has no effect but its row in the inbox, which
//! proves that it reached the process that writes into this database.

use std::time::Duration;

use serde_json::json;

use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id;
use crate::secret::Secret;
use crate::stripe::client::plain_agent;
use crate::stripe::signature;

/// The type of the event that is sent.
pub const KIND: &str = "till.probe";

/// The answer to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReply {
    pub status: u16,
    /// The target of a redirect.
    pub location: Option<String>,
}

/// An event that only we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// `evt_till_…`, random.
    pub id: String,
    body: String,
}

impl Probe {
    /// A new one, in the mode of the key.
    pub fn new(now: Timestamp, is_live: bool) -> Result<Probe, Fault> {
        let id = id::secret("evt_till_")?;
        let body = json!({
            "id": id, "object": "event", "type": KIND, "created": now.seconds(), "livemode": is_live,
            "data": { "object": { "id": id, "object": KIND } },
        });
        Ok(Probe { id, body: body.to_string() })
    }

    /// Sends it, signed with this secret.
    pub fn send(&self, url: &str, secret: &Secret, now: Timestamp, patience: Duration) -> Result<ProbeReply, String> {
        let header = signature::header(secret, self.body.as_bytes(), now);
        post(url, &self.body, header.as_deref(), patience)
    }
}

/// Posts an empty object without a signature.
pub fn unsigned(url: &str, patience: Duration) -> Result<ProbeReply, String> {
    post(url, "{}", None, patience)
}

/// Redirects are reported, not followed. The error is a sentence for people.
fn post(url: &str, body: &str, signature: Option<&str>, patience: Duration) -> Result<ProbeReply, String> {
    let request = plain_agent(patience).post(url).header("Content-Type", "application/json; charset=utf-8");
    let request = match signature {
        Some(signature) => request.header("Stripe-Signature", signature),
        None => request,
    };
    let answer = request.send(body).map_err(|cause| cause.to_string())?;
    let location = answer.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(ProbeReply { status: answer.status().as_u16(), location })
}
