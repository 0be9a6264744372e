//! Whether a failed attempt is made again, and how long is waited before: pure functions of what came back. The sleeping
//! is in `client`.
//!
//! Stripe's pages "Advanced error handling" and "Rate limits": no answer, 409, 429 and 5xx may be tried again with the
//! same idempotency key; the header `Stripe-Should-Retry` decides where it is present; `Retry-After` is the least that is
//! waited. Waits grow and are drawn at random ("full jitter"), so that many who failed together do not come back together.

use std::io;
use std::time::Duration;

/// How often and how patiently a call is tried.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The longest first wait; it doubles with each attempt.
    pub first_wait: Duration,
    /// The longest wait of ours; Stripe may ask for more.
    pub longest_wait: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { attempts: 6, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(4) }
    }
}

impl Backoff {
    /// How long to wait after attempt number `attempt` (from 1) failed; `None` when it was the last.
    ///
    /// `left` is what is left of the deadline: where the wait would use it up, there is no further attempt. `random` is
    /// any number, all being equally likely.
    pub fn wait(&self, attempt: u32, advice: Advice, left: Duration, random: u64) -> Option<Duration> {
        if !advice.again || attempt >= self.attempts {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(16);
        let ceiling = self.first_wait.saturating_mul(1 << doublings).min(self.longest_wait);
        let millis = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
        let drawn = Duration::from_millis(random % millis.saturating_add(1));
        let wait = drawn.max(advice.at_least);
        (wait < left).then_some(wait)
    }
}

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
    fn waits_grow_are_drawn_and_never_pass_the_deadline() {
        let backoff = Backoff::default();
        let millis = Duration::from_millis;
        let asked = |seconds| Advice { again: true, at_least: Duration::from_secs(seconds) };
        let rows = [
            (1, Advice::AGAIN, millis(20_000), 500, Some(millis(500))),
            (1, Advice::AGAIN, millis(20_000), 501, Some(millis(0))),
            (2, Advice::AGAIN, millis(20_000), 1000, Some(millis(1000))),
            (5, Advice::AGAIN, millis(20_000), 4000, Some(millis(4000))),
            (5, Advice::AGAIN, millis(20_000), 4001, Some(millis(0))),
            (6, Advice::AGAIN, millis(20_000), 0, None),
            (1, Advice::STOP, millis(20_000), 0, None),
            (1, Advice::AGAIN, millis(300), 300, None),
            (1, Advice::AGAIN, millis(0), 0, None),
            (1, asked(3), millis(20_000), 7, Some(millis(3000))),
            (1, asked(20), millis(20_000), 7, None),
            (1, asked(u64::MAX), millis(20_000), 7, None),
        ];
        for (attempt, advice, left, random, expected) in rows {
            assert_eq!(backoff.wait(attempt, advice, left, random), expected, "{attempt} {advice:?} {left:?} {random}");
        }
        let endless = Backoff { attempts: u32::MAX, ..backoff };
        assert!(endless.wait(u32::MAX - 1, Advice::AGAIN, millis(20_000), u64::MAX).is_some());
    }
}
