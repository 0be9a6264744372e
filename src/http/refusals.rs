//! Refused tokens, presses and links: counted each, and logged with a bound, because anybody can cause them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::request::ClientAddress;
use crate::clock::Deadline;

/// At most one line in this time; the next one says how many were left out.
const PAUSE: Duration = Duration::from_secs(1);

/// The bounded log.
pub(super) struct Refusals(Mutex<Pace>);

struct Pace {
    next: Deadline,
    left_out: u64,
}

/// What was refused, if this answer of a route refuses somebody: a token or a cookie (`sign_in`), what its owner may not do or
/// another site asked for (`permission`), a sign-in link (`link`), or a webhook's signature (`signature`).
pub(super) fn kind_of(status: u16, route: &str) -> Option<&'static str> {
    match (status, route) {
        (401, _) => Some("sign_in"),
        (403, _) => Some("permission"),
        (410, _) => Some("link"),
        (400, "/billing/webhook") => Some("signature"),
        _ => None,
    }
}

impl Refusals {
    pub(super) fn new() -> Refusals {
        Refusals(Mutex::new(Pace { next: Deadline::after(Duration::ZERO), left_out: 0 }))
    }

    /// Logs a refusal, or counts it as left out.
    ///
    /// `origin` is where the browser says that it is, of a form or a script that was refused: where that differs from what is
    /// `expected`, the base URL is mostly wrong.
    pub(super) fn log(
        &self,
        kind: &str,
        (route, status): (&str, u16),
        client: ClientAddress,
        (origin, expected): (Option<&str>, Option<&str>),
    ) {
        let mut pace = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !pace.next.left().is_zero() {
            pace.left_out += 1;
            return;
        }
        let left_out = std::mem::take(&mut pace.left_out);
        pace.next = Deadline::after(PAUSE);
        drop(pace);
        tracing::warn!(event = "refused", kind, route, status, %client, left_out, origin, expected);
    }
}
