//! Faults on order, for tests of a client's retries: set on the control side, taken by the next calls they match.

use std::time::Duration;

use crate::sandbox::api_error::ApiError;

const FAULTS_LIMIT: usize = 100;
const TIMES_LIMIT: u32 = 1_000;
const SLOW_LIMIT: u64 = 60_000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The call is answered with this status and nothing is done (`status:500`).
    Status(u16),
    /// The work is done, and the call is answered with this status all the same (`after:500`).
    After(u16),
    /// The work is done after a pause (`slow:1500`, in milliseconds, at most 60,000).
    Slow(Duration),
    /// The work is done, and the connection closed without an answer (`close`).
    Close,
}

/// A fault waiting for its calls.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Calls whose path begins so.
    pub path: String,
    /// Calls with this method; any when `None`.
    pub method: Option<String>,
    /// What goes wrong.
    pub kind: Kind,
    /// For how many more calls.
    pub times: u32,
}

/// The faults set, the oldest first.
#[derive(Debug, Default)]
pub struct Faults {
    rows: Vec<Fault>,
}

impl Kind {
    /// Reads `status:500`, `after:500`, `slow:1500` or `close`.
    pub fn parse(text: &str) -> Result<Kind, ApiError> {
        let status = |digits: &str| digits.parse().ok().filter(|status| (400..=599).contains(status));
        let kind = match text.split_once(':') {
            Some(("status", digits)) => status(digits).map(Kind::Status),
            Some(("after", digits)) => status(digits).map(Kind::After),
            Some(("slow", digits)) => {
                let millis = digits.parse().ok().filter(|millis| *millis <= SLOW_LIMIT);
                millis.map(|millis| Kind::Slow(Duration::from_millis(millis)))
            }
            None if text == "close" => Some(Kind::Close),
            _ => None,
        };
        kind.ok_or_else(|| {
            let message =
                "A fault's kind is `status:N` or `after:N` (N from 400 to 599), `slow:MS` (at most 60000), or `close`.";
            ApiError::invalid(message).param("kind")
        })
    }
}

impl Faults {
    /// Sets a fault. At most 100 wait at once, each for at most 1,000 calls.
    pub fn set(&mut self, fault: Fault) -> Result<(), ApiError> {
        if self.rows.len() >= FAULTS_LIMIT || fault.times == 0 || fault.times > TIMES_LIMIT {
            let message = format!("At most {FAULTS_LIMIT} faults can wait, each for 1 to {TIMES_LIMIT} calls.");
            return Err(ApiError::invalid(message).param("times"));
        }
        self.rows.push(fault);
        Ok(())
    }

    /// Takes all faults back.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// The fault for this call, used up by one.
    pub fn take(&mut self, method: &str, path: &str) -> Option<Kind> {
        let is_for = |fault: &Fault| {
            path.starts_with(&fault.path)
                && fault.method.as_deref().is_none_or(|only| only.eq_ignore_ascii_case(method))
        };
        let index = self.rows.iter().position(is_for)?;
        let fault = self.rows.get_mut(index)?;
        let kind = fault.kind;
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            self.rows.remove(index);
        }
        Some(kind)
    }

    /// The faults that wait.
    pub fn waiting(&self) -> &[Fault] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_the_next_calls_that_it_matches_and_no_more() {
        let mut faults = Faults::default();
        let fault = |kind: &str, times| Fault {
            path: "/v1/checkout".into(),
            method: Some("post".into()),
            kind: Kind::parse(kind).unwrap(),
            times,
        };
        faults.set(fault("status:500", 2)).unwrap();
        faults.set(fault("close", 1)).unwrap();
        assert!(faults.set(fault("close", 0)).is_err());
        for (method, path, expected) in [
            ("GET", "/v1/checkout/sessions", None),
            ("POST", "/v1/customers", None),
            ("POST", "/v1/checkout/sessions", Some(Kind::Status(500))),
            ("POST", "/v1/checkout/sessions", Some(Kind::Status(500))),
            ("POST", "/v1/checkout/sessions", Some(Kind::Close)),
            ("POST", "/v1/checkout/sessions", None),
        ] {
            assert_eq!(faults.take(method, path), expected, "{method} {path}");
        }
        for bad in ["status:200", "status:x", "slow:60001", "closed", "", "slow"] {
            assert!(Kind::parse(bad).is_err(), "{bad}");
        }
    }
}
