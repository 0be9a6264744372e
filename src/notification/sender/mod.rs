//! Sends one notification to one endpoint, bounded in time and size. It follows no redirect, uses no proxy (which would
//! look names up itself), and connects only to addresses that `network` allows, whatever the name resolves to.
//! Blocking: never call it on an asynchronous thread.

use std::io::Read;
use std::net::IpAddr;
use std::time::Duration;

use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, http};

use super::network::{Networks, refused};
use super::signature;
use crate::clock::{Timestamp, parse_http_date};
use crate::error::Fault;
use crate::secret::Secret;
use crate::tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For the whole delivery.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read.
const ANSWER_LIMIT: u64 = 64 * 1024;
/// Characters of an answer or an error that are kept.
const DETAIL_LIMIT: usize = 200;

/// A notification to one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Notification<'a> {
    /// The endpoint's.
    pub url: &'a str,
    /// The header `webhook-id`: the same each time that the notification is sent.
    pub id: &'a str,
    /// JSON.
    pub body: &'a str,
    /// The secrets that sign it.
    pub secrets: &'a [Secret],
    /// The time of this attempt: the header `webhook-timestamp`.
    pub at: Timestamp,
}

/// What came back from an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status; nothing when there was no answer.
    pub status: Option<u16>,
    /// Why it is not delivered: the beginning of the answer, or why there is none. Without control characters.
    pub detail: String,
    /// How long the endpoint asked us to wait, in seconds.
    pub retry_after: Option<i64>,
}

impl Reply {
    /// Whether the endpoint accepted it.
    pub fn is_delivered(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the endpoint wants no more (the specification: 410 Gone).
    pub fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Sender {
    agent: Agent,
}

impl Sender {
    /// A sender that may reach the public internet and these networks.
    pub fn new(networks: Networks) -> Sender {
        Sender::with_timeout(networks, TIMEOUT)
    }

    fn with_timeout(networks: Networks, timeout: Duration) -> Sender {
        let config = Config::builder()
            .http_status_as_error(false)
            // A 3xx is an answer like another, and not a delivery.
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("till/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(CONNECT_TIMEOUT.min(timeout)))
            .timeout_connect(Some(CONNECT_TIMEOUT.min(timeout)))
            .timeout_global(Some(timeout))
            .max_idle_connections(8)
            .max_idle_connections_per_host(1)
            .tls_config(tls::config())
            .build();
        let resolver = GuardedResolver { networks, names: DefaultResolver::default() };
        Sender { agent: Agent::with_parts(config, DefaultConnector::default(), resolver) }
    }

    /// Sends it. A failure on the network is a reply too; a fault means that the notification cannot be signed.
    pub fn send(&self, notification: &Notification<'_>) -> Result<Reply, Fault> {
        let Notification { url, id, body, secrets, at } = *notification;
        let signature = signature::header(secrets, id, at, body.as_bytes())?;
        let sent = self
            .agent
            .post(url)
            .header("Content-Type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", at.seconds().to_string())
            .header("webhook-signature", signature)
            .send(body);
        Ok(match sent {
            Ok(answer) => read(answer, at),
            Err(error) => {
                let detail = match &error {
                    ureq::Error::Other(refused) => refused.to_string(),
                    error => error.to_string(),
                };
                Reply { status: None, detail: beginning(&detail), retry_after: None }
            }
        })
    }
}

fn read(mut answer: http::Response<Body>, now: Timestamp) -> Reply {
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|text| seconds_until(text, now));
    let mut body = Vec::new();
    // The status decides, even where the body breaks off or never ends.
    let _broken_off = answer.body_mut().as_reader().take(ANSWER_LIMIT).read_to_end(&mut body);
    let detail = if (200..300).contains(&status) { String::new() } else { beginning(&String::from_utf8_lossy(&body)) };
    Reply { status: Some(status), detail, retry_after }
}

/// RFC 9110, section 10.2.3: seconds, or a date.
fn seconds_until(text: &str, now: Timestamp) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| parse_http_date(text).map(|at| at.seconds().saturating_sub(now.seconds())))
}

fn beginning(text: &str) -> String {
    let words =
        text.split(|letter: char| letter.is_control() || letter.is_whitespace()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(DETAIL_LIMIT).collect()
}

/// Looks a name up and passes on only the addresses that may be connected to. The connection uses these very addresses,
/// so a name that resolves to something else a moment later gains nothing.
#[derive(Debug)]
struct GuardedResolver {
    networks: Networks,
    names: DefaultResolver,
}

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &http::Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        let secure = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        let mut allowed = self.empty();
        for address in found.iter().filter(|address| self.networks.may_reach(address.ip(), secure)) {
            allowed.push(*address);
        }
        if allowed.is_empty() {
            let addresses: Vec<IpAddr> = found.iter().map(|address| address.ip()).collect();
            return Err(ureq::Error::Other(refused(&addresses, secure).into()));
        }
        Ok(allowed)
    }
}

#[cfg(test)]
mod tests;
