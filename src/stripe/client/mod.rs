//! How Stripe is called: one connection pool and one way to send, bounded in time, size and attempts.
//!
//! The calls and their results are in `calls`. `retry` decides whether a failed attempt is repeated. Nothing here knows
//! what a call is for. A call blocks, so it must not run on a thread of the asynchronous server. The caller limits how
//! many calls run at once.

use std::fmt;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tracing::{debug, error, warn};
use ureq::{Agent, Body, RequestBuilder, http};
use url::Url;

use crate::backoff::CallBackoff;
use crate::clock::{Clock, Deadline, Timestamp, parse_http_date};
use crate::error::Fault;
use crate::id;
use crate::secret::Secret;
use crate::stripe::API_VERSION;
use crate::stripe::error::{StripeError, StripeErrorKind};
use crate::stripe::figures::CallFigures;
use crate::stripe::objects::{ErrorBody, parse_json};
use crate::stripe::retry::Advice;
use crate::tls;

/// The longest that a user waits for Stripe, over all attempts.
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The longest answer that is read, in bytes.
const BODY_LIMIT: u64 = 4 * 1024 * 1024;

/// The longest idempotency key that Stripe takes, in characters.
const IDEMPOTENCY_KEY_LIMIT: usize = 255;

const IDLE_CONNECTIONS: usize = 8;

/// How to reach Stripe.
#[derive(Clone, Debug)]
pub struct StripeOptions {
    /// `sk_…` or `rk_…`.
    pub secret_key: Secret,
    /// The origin of Stripe's API, or of a stand-in.
    pub api_base: String,
    pub connect_timeout: Duration,
    /// For one attempt as a whole, connecting included.
    pub attempt_timeout: Duration,
    pub backoff: CallBackoff,
}

impl StripeOptions {
    /// With time-outs and attempts that suit Stripe: 5 s to connect, 10 s per attempt, 6 attempts.
    pub fn new(secret_key: Secret, api_base: impl Into<String>) -> StripeOptions {
        StripeOptions {
            secret_key,
            api_base: api_base.into(),
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(10),
            backoff: CallBackoff::default(),
        }
    }
}

/// Stripe's API with our secret key. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Stripe {
    agent: Agent,
    origin: String,
    authorization: Secret,
    live: bool,
    attempt_timeout: Duration,
    backoff: CallBackoff,
    /// Learns the time that Stripe states.
    clock: Option<Clock>,
    figures: CallFigures,
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").field("origin", &self.origin).field("live", &self.live).finish_non_exhaustive()
    }
}

impl Stripe {
    /// Prepares the client; nothing is sent yet. Fails if the origin or the key is malformed, or if a live key would
    /// cross the network unencrypted.
    pub fn new(options: StripeOptions) -> Result<Stripe, Fault> {
        let url = read_origin(&options.api_base)?;
        let key = options.secret_key.reveal();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Fault::bare("the Stripe secret key is empty, or contains characters that no key has"));
        }
        let live = key.starts_with("sk_live_") || key.starts_with("rk_live_");
        if live && url.scheme() == "http" && !is_loopback(&url) {
            return Err(Fault::bare("a live Stripe key is not sent over http: the Stripe API base must be https"));
        }
        Ok(Stripe {
            agent: agent(&options, url.scheme() == "https"),
            origin: url.origin().ascii_serialization(),
            authorization: Secret::new(format!("Bearer {key}")),
            live,
            attempt_timeout: options.attempt_timeout,
            backoff: options.backoff,
            clock: None,
            figures: CallFigures::default(),
        })
    }

    /// Compares `clock` with Stripe's time at each answer.
    pub fn with_clock(self, clock: Clock) -> Stripe {
        Stripe { clock: Some(clock), ..self }
    }

    /// What became of its calls.
    pub fn figures(&self) -> &CallFigures {
        &self.figures
    }

    /// Whether our key is a live mode key. Objects of the other mode are not ours.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Reads something. `path` begins with `/v1/`.
    pub fn get(&self, path: &str, query: &[(&str, &str)], deadline: Deadline) -> Result<Value, StripeError> {
        self.get_and_time(path, query, deadline).map(|(value, _)| value)
    }

    /// Like `get`, and also returns Stripe's time by the answer's `Date` (RFC 9110, section 6.6.1), if it has one.
    pub(super) fn get_and_time(
        &self,
        path: &str,
        query: &[(&str, &str)],
        deadline: Deadline,
    ) -> Result<(Value, Option<Timestamp>), StripeError> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        self.call(&Call { path, query: &query, action: Action::Get }, deadline)
    }

    /// Creates or changes something. The caller has stored `idempotency_key` and `body` before, so that the same
    /// request can be sent again after a crash. Every attempt sends both unchanged.
    pub fn post(
        &self,
        path: &str,
        body: &str,
        idempotency_key: &str,
        deadline: Deadline,
    ) -> Result<Value, StripeError> {
        let is_printable = idempotency_key.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_printable || !(1..=IDEMPOTENCY_KEY_LIMIT).contains(&idempotency_key.len()) {
            let why = "not sent: an idempotency key is 1 to 255 printable ASCII characters";
            return Err(StripeError::unsent(StripeErrorKind::Rejected, why));
        }
        let call = Call { path, query: "", action: Action::Post { body, idempotency_key } };
        self.call(&call, deadline).map(|(value, _)| value)
    }

    /// Deletes something. Sent again, Stripe says that it is missing.
    pub(super) fn delete(&self, path: &str, deadline: Deadline) -> Result<Value, StripeError> {
        self.call(&Call { path, query: "", action: Action::Delete }, deadline).map(|(value, _)| value)
    }

    fn call(&self, call: &Call<'_>, deadline: Deadline) -> Result<(Value, Option<Timestamp>), StripeError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let failure = match self.attempt(call, deadline) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            match failure.advice.wait(&self.backoff, attempts, deadline.left(), random()) {
                Some(wait) => {
                    debug!(path = call.path, attempts, ?wait, "Stripe will be asked again: {}", failure.error);
                    thread::sleep(wait);
                }
                None => {
                    log(call, &failure.error, attempts);
                    return Err(*failure.error);
                }
            }
        }
    }

    fn attempt(&self, call: &Call<'_>, deadline: Deadline) -> Result<(Value, Option<Timestamp>), Failure> {
        let timeout = self.attempt_timeout.min(deadline.left());
        if timeout.is_zero() {
            return Err(Failure::new(StripeError::unanswered("no time was left to ask"), Advice::STOP));
        }
        let started = Deadline::after(timeout);
        let exchanged = self.exchange(call, timeout);
        self.figures.count(exchanged.as_ref().err().map(|failure| &*failure.error), started.elapsed());
        exchanged
    }

    fn exchange(&self, call: &Call<'_>, timeout: Duration) -> Result<(Value, Option<Timestamp>), Failure> {
        let mut answer = self.send(call, timeout).map_err(Failure::of_transport)?;
        let body = answer.body_mut().with_config().limit(BODY_LIMIT).read_to_vec().map_err(Failure::of_transport)?;
        let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
        let time = date.and_then(parse_http_date);
        let value = read_answer(&answer, &body)?;
        if let Some((clock, time)) = self.clock.as_ref().zip(time) {
            clock.stripe_said(time);
        }
        Ok((value, time))
    }

    fn send(&self, call: &Call<'_>, timeout: Duration) -> Result<http::Response<Body>, ureq::Error> {
        let mark = if call.query.is_empty() { "" } else { "?" };
        let address = format!("{}{}{mark}{}", self.origin, call.path, call.query);
        match call.action {
            Action::Get => self.addressed(self.agent.get(address), timeout).call(),
            Action::Delete => self.addressed(self.agent.delete(address), timeout).call(),
            Action::Post { body, idempotency_key } => self
                .addressed(self.agent.post(address), timeout)
                .header("Idempotency-Key", idempotency_key)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .send(body),
        }
    }

    /// What every request to Stripe says.
    fn addressed<B>(&self, request: RequestBuilder<B>, timeout: Duration) -> RequestBuilder<B> {
        let request = request.config().timeout_global(Some(timeout)).build();
        request.header("Authorization", self.authorization.reveal()).header("Stripe-Version", API_VERSION)
    }
}

struct Call<'a> {
    path: &'a str,
    query: &'a str,
    action: Action<'a>,
}

#[derive(Clone, Copy)]
enum Action<'a> {
    Get,
    Post { body: &'a str, idempotency_key: &'a str },
    Delete,
}

impl Action<'_> {
    fn method(self) -> &'static str {
        match self {
            Action::Get => "GET",
            Action::Post { .. } => "POST",
            Action::Delete => "DELETE",
        }
    }
}

struct Failure {
    error: Box<StripeError>,
    advice: Advice,
}

impl Failure {
    fn new(error: StripeError, advice: Advice) -> Failure {
        Failure { error: Box::new(error), advice }
    }

    fn of_transport(error: ureq::Error) -> Failure {
        let advice = Advice::of_transport(&error);
        Failure::new(StripeError::unanswered(&format!("no answer: {error}")), advice)
    }
}

fn read_answer(answer: &http::Response<Body>, body: &[u8]) -> Result<Value, Failure> {
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let status = answer.status().as_u16();
    let request_id = header("request-id").map(|id| id.chars().take(255).collect());
    let value = parse_json(body);
    if answer.status().is_success() {
        // A body that is not JSON was cut off on the way, or is not from Stripe. Asking again with the same key does no
        // harm.
        return value.map_err(|unreadable| {
            let error = StripeError::unanswered(&format!("the answer cannot be read: {unreadable}"));
            Failure::new(StripeError { status: Some(status), request_id, ..error }, Advice::AGAIN)
        });
    }
    let error_body = value.map(|value| ErrorBody::read(&value)).unwrap_or_default();
    // Stripe repeats its stored answer for this key, even a 500, so asking again changes nothing ("Idempotent
    // requests").
    let is_replayed = header("idempotent-replayed") == Some("true");
    let advice = match is_replayed {
        true => Advice::STOP,
        false => Advice::of_answer(status, header("stripe-should-retry"), header("retry-after")),
    };
    let error = StripeError { is_replayed, ..StripeError::answered(status, error_body, request_id) };
    Err(Failure::new(error, advice))
}

/// The one line about a call that failed. It never holds a key, a query or a body.
fn log(call: &Call<'_>, failure: &StripeError, attempts: u32) {
    let method = call.action.method();
    let path = call.path;
    let status = failure.status;
    let code = failure.code.as_deref().unwrap_or("-");
    let request_id = failure.request_id.as_deref().unwrap_or("-");
    let error = &failure.message;
    if failure.is_key_reused() {
        error!(event = "idempotency_key_reused", method, path, status, code, request_id, attempts, error);
    } else {
        warn!(event = "stripe_call_failed", method, path, status, code, request_id, attempts, error);
    }
}

/// Without randomness from the system, a fixed number will do.
fn random() -> u64 {
    id::random_bytes().map(u64::from_le_bytes).unwrap_or(u64::MAX)
}

fn read_origin(text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text).map_err(|cause| Fault::new("the Stripe API base is not a URL", cause))?;
    let is_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || !is_origin {
        return Err(Fault::bare("the Stripe API base must be an origin, such as https://api.stripe.com"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An agent without our key, for requesting a URL as a stranger would.
pub(super) fn plain_agent(patience: Duration) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("till/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(patience))
        .tls_config(tls::config());
    config.build().new_agent()
}

fn agent(options: &StripeOptions, secure: bool) -> Agent {
    tls::json_client(secure, options.connect_timeout)
        .max_idle_connections(IDLE_CONNECTIONS)
        .max_idle_connections_per_host(IDLE_CONNECTIONS)
        .build()
        .new_agent()
}

#[cfg(test)]
mod tests;
