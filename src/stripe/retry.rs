//! Whether a call that failed is made again: pure functions of what came back. How long the waits are is in
//! `crate::backoff`; the sleeping is in `client`.
//!
//! Stripe's pages "Advanced error handling" and "Rate limits": no answer, 409, 429 and 5xx may be tried again with the
//! same idempotency key; the header `Stripe-Should-Retry` decides where it is present; `Retry-After` is the shortest wait.

use std::io;
use std::time::Duration;

use crate::backoff::CallBackoff;

/// What a failed attempt says about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Whether another attempt may help.
    pub again: bool,
    /// The least to wait before it.
    pub at_least: Duration,
}

impl Advice {
    /// Another attempt would end the same way.
    pub const STOP: Advice = Advice { again: false, at_least: Duration::ZERO };
    /// Another attempt may help.
    pub const AGAIN: Advice = Advice { again: true, at_least: Duration::ZERO };

    /// From an answer: its status, and its headers `Stripe-Should-Retry` and `Retry-After` (whole seconds).
    pub fn of_answer(status: u16, should_retry: Option<&str>, retry_after: Option<&str>) -> Advice {
        let again = match should_retry {
            Some("true") => true,
            Some("false") => false,
            _ => matches!(status, 409 | 429 | 500..),
        };
        let seconds = retry_after.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Advice { again, at_least: Duration::from_secs(seconds) }
    }

    /// From a connection that failed, or an answer that broke off. What is wrong with a certificate, an address or the
    /// request itself stays wrong.
    pub fn of_transport(error: &ureq::Error) -> Advice {
        match error {
            // rustls reports a bad certificate as invalid data.
            ureq::Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => Advice::STOP,
            ureq::Error::Io(_)
            | ureq::Error::Timeout(_)
            | ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::ConnectProxyFailed(_)
            | ureq::Error::Protocol(_)
            | ureq::Error::BodyStalled => Advice::AGAIN,
            _ => Advice::STOP,
        }
    }

    /// How long to wait after attempt number `attempt` (from 1) failed; `None` when there is to be no other.
    pub fn wait(self, backoff: &CallBackoff, attempt: u32, left: Duration, random: u64) -> Option<Duration> {
        if self.again { backoff.wait(attempt, self.at_least, left, random) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_decides_else_the_status() {
        let rows = [
            (409, None, true),
            (429, None, true),
            (500, None, true),
            (503, Some("nonsense"), true),
            (400, None, false),
            (401, None, false),
            (402, None, false),
            (403, None, false),
            (404, None, false),
            (302, None, false),
            (429, Some("false"), false),
            (500, Some("false"), false),
            (400, Some("true"), true),
        ];
        for (status, should_retry, again) in rows {
            assert_eq!(Advice::of_answer(status, should_retry, None).again, again, "{status} {should_retry:?}");
        }
        for (retry_after, seconds) in [("3", 3), (" 3 ", 3), ("soon", 0), ("-1", 0), ("", 0)] {
            assert_eq!(Advice::of_answer(429, None, Some(retry_after)).at_least, Duration::from_secs(seconds));
        }
    }

    #[test]
    fn advice_to_stop_ends_it_and_a_wait_that_was_asked_for_is_kept() {
        let (backoff, left) = (CallBackoff::default(), Duration::from_secs(20));
        let asked = Advice { again: true, at_least: Duration::from_secs(3) };
        for (advice, expected) in
            [(Advice::STOP, None), (Advice::AGAIN, Some(Duration::ZERO)), (asked, Some(Duration::from_secs(3)))]
        {
            assert_eq!(advice.wait(&backoff, 1, left, 0), expected, "{advice:?}");
        }
    }
}
