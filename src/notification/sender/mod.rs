//! Sends one message to one endpoint, bounded in time and size: no redirect is followed, no proxy is asked (it would look
//! names up itself), and only addresses that `network` lets through are connected to, whatever the name resolves to.
//! Blocking: never on a thread of the asynchronous rim.

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

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a delivery may take in all.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The most of an answer that is read, in bytes.
const ANSWER_LIMIT: u64 = 64 * 1024;
/// The most of an answer or an error that is kept, in characters.
const SAID_LIMIT: usize = 200;

/// A message on its way to one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Notification<'a> {
    /// Where to.
    pub url: &'a str,
    /// The header `webhook-id`: the same each time that the message is sent.
    pub id: &'a str,
    /// What it says.
    pub body: &'a str,
    /// The secrets that sign it.
    pub secrets: &'a [Secret],
    /// When this is: the header `webhook-timestamp`.
    pub at: Timestamp,
}

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status; nothing when there was no answer.
    pub status: Option<u16>,
    /// Why it is not delivered: the answer's beginning, or why there is none. Without control characters.
    pub said: String,
    /// What the receiver asked us to wait, in seconds.
    pub retry_after: Option<i64>,
}

impl Reply {
    /// Whether the receiver has it.
    pub fn is_delivered(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the receiver wants no more (the specification: 410 Gone).
    pub fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// The way out. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Sender {
    agent: Agent,
}

impl Sender {
    /// One that goes to the public net and to these networks.
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
        let resolver = Guarded { networks, names: DefaultResolver::default() };
        Sender { agent: Agent::with_parts(config, DefaultConnector::default(), resolver) }
    }

    /// Sends a letter. Whatever goes wrong on the way is an answer too; a fault is ours.
    pub fn send(&self, letter: &Notification<'_>) -> Result<Reply, Fault> {
        let signature = signature::header(letter.secrets, letter.id, letter.at, letter.body.as_bytes())?;
        let sent = self
            .agent
            .post(letter.url)
            .header("Content-Type", "application/json")
            .header("webhook-id", letter.id)
            .header("webhook-timestamp", letter.at.seconds().to_string())
            .header("webhook-signature", signature)
            .send(letter.body);
        Ok(match sent {
            Ok(answer) => read(answer, letter.at),
            Err(error) => {
                let said = match &error {
                    ureq::Error::Other(refused) => refused.to_string(),
                    error => error.to_string(),
                };
                Reply { status: None, said: beginning(&said), retry_after: None }
            }
        })
    }
}

fn read(mut answer: http::Response<Body>, now: Timestamp) -> Reply {
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|text| seconds_until(text, now));
    let mut body = Vec::new();
    // The status says what became of it; a body that breaks off or goes on for ever takes nothing of that back.
    let _broken_off = answer.body_mut().as_reader().take(ANSWER_LIMIT).read_to_end(&mut body);
    let said = if (200..300).contains(&status) { String::new() } else { beginning(&String::from_utf8_lossy(&body)) };
    Reply { status: Some(status), said, retry_after }
}

/// RFC 9110, section 10.2.3: seconds, or a date.
fn seconds_until(text: &str, now: Timestamp) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| parse_http_date(text).map(|at| at.seconds().saturating_sub(now.seconds())))
}

fn beginning(text: &str) -> String {
    let words =
        text.split(|letter: char| letter.is_control() || letter.is_whitespace()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(SAID_LIMIT).collect()
}

/// Looks a name up and passes on only what may be connected to. What is checked here is what is connected to: a name
/// that resolves to something else a moment later gains nothing.
#[derive(Debug)]
struct Guarded {
    networks: Networks,
    names: DefaultResolver,
}

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &http::Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        let secure = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        let mut kept = self.empty();
        for address in found.iter().filter(|address| self.networks.may_reach(address.ip(), secure)) {
            kept.push(*address);
        }
        if kept.is_empty() {
            let addresses: Vec<IpAddr> = found.iter().map(|address| address.ip()).collect();
            return Err(ureq::Error::Other(refused(&addresses, secure).into()));
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests;
