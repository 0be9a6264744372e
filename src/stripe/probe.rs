//! A request as Stripe would send it, to see what stands between Stripe and the webhook. Without a signature it must be
//! refused. With one it is an event of a type that nobody else sends: it has no effect but its row in the inbox, which
//! proves that it reached the process that writes into this database.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id;
use crate::secret::Secret;
use crate::stripe::client::plain_agent;
use crate::stripe::signature;
use crate::tls::certificate;

pub use crate::tls::certificate::NotAccepted;

/// The type of the event that is sent.
pub const KIND: &str = "till.probe";
/// An address for documentation (RFC 5737), which nobody has: a probe claims to come from it, as anybody could.
pub const CLAIMED_ADDRESS: &str = "192.0.2.1";
/// The longest answer that is read, in bytes.
const ANSWER_LIMIT: u64 = 64 * 1024;

/// How a signed probe arrived, as the process behind the URL tells the one who signed it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ArrivalReport {
    /// The other end of the connection: the proxy, where there is one.
    pub peer: Option<String>,
    /// Whether its header counts.
    pub is_peer_trusted: bool,
    /// The client's address, as bounds and the log have it.
    pub client: Option<String>,
    /// The items of `X-Forwarded-For`.
    pub forwarded_for: Vec<String>,
    /// `X-Forwarded-Proto`.
    pub scheme: Option<String>,
    /// `Host`.
    pub host: Option<String>,
}

/// The answer to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReply {
    pub status: u16,
    /// The target of a redirect.
    pub location: Option<String>,
    /// How it arrived, if till says so.
    pub seen: Option<ArrivalReport>,
}

#[derive(Deserialize)]
struct Receipt {
    seen: Option<ArrivalReport>,
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

/// When the certificate ends that is shown for this name, in seconds since 1970, if name, chain and time are good.
pub fn certificate_end(host: &str, port: u16, patience: Duration) -> Result<i64, NotAccepted> {
    certificate::end_of(host, port, patience)
}

/// Posts an empty object without a signature.
pub fn unsigned(url: &str, patience: Duration) -> Result<ProbeReply, String> {
    post(url, "{}", None, patience)
}

/// Redirects are reported, not followed. The error is a sentence for people.
fn post(url: &str, body: &str, signature: Option<&str>, patience: Duration) -> Result<ProbeReply, String> {
    let request = plain_agent(patience).post(url).header("Content-Type", "application/json; charset=utf-8");
    let request = match signature {
        Some(signature) => request.header("Stripe-Signature", signature).header("X-Forwarded-For", CLAIMED_ADDRESS),
        None => request,
    };
    let mut answer = request.send(body).map_err(|cause| cause.to_string())?;
    let location = answer.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    // Another program may answer anything.
    let text = answer.body_mut().with_config().limit(ANSWER_LIMIT).read_to_string().unwrap_or_default();
    let seen = serde_json::from_str::<Receipt>(&text).ok().and_then(|receipt| receipt.seen);
    Ok(ProbeReply { status: answer.status().as_u16(), location, seen })
}
