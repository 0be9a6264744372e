//! Faults on order, for tests of a client's retries. They are set on the control page; the next API calls that match
//! use them up.

use std::time::Duration;

use crate::sandbox::api_error::ApiError;

const FAULTS_LIMIT: usize = 100;
const TIMES_LIMIT: u32 = 1_000;
const SLOW_LIMIT: u64 = 60_000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// `status:500`: nothing is done, and the answer has this status.
    Status(u16),
    /// `after:500`: the work is done, and the answer has this status.
    After(u16),
    /// `slow:1500`: the work is done after this many milliseconds, at most 60,000.
    Slow(Duration),
    /// `close`: the work is done, and the connection is closed without an answer.
    Close,
}

#[derive(Clone, Debug)]
pub struct InjectedFault {
    /// The beginning of the path.
    pub path: String,
    /// Any method when `None`.
    pub method: Option<String>,
    /// What goes wrong.
    pub kind: FaultKind,
    /// How many more calls it meets.
    pub times: u32,
}

/// The oldest first.
#[derive(Debug, Default)]
pub struct Faults {
    rows: Vec<InjectedFault>,
}

impl FaultKind {
    pub fn parse(text: &str) -> Result<FaultKind, ApiError> {
        let status = |digits: &str| digits.parse().ok().filter(|status| (400..=599).contains(status));
        let kind = match text.split_once(':') {
            Some(("status", digits)) => status(digits).map(FaultKind::Status),
            Some(("after", digits)) => status(digits).map(FaultKind::After),
            Some(("slow", digits)) => {
                let millis = digits.parse().ok().filter(|millis| *millis <= SLOW_LIMIT);
                millis.map(|millis| FaultKind::Slow(Duration::from_millis(millis)))
            }
            None if text == "close" => Some(FaultKind::Close),
            _ => None,
        };
        kind.ok_or_else(|| {
            let message =
                "`kind` must be `status:N` or `after:N` (N from 400 to 599), `slow:MS` (at most 60000), or `close`.";
            ApiError::invalid(message).param("kind")
        })
    }
}

impl InjectedFault {
    /// What it does, for the control page.
    pub fn in_words(&self) -> String {
        let method = self.method.as_deref().unwrap_or("any method");
        let kind = match self.kind {
            FaultKind::Status(status) => format!("answer {status}, nothing done"),
            FaultKind::After(status) => format!("do it, then answer {status}"),
            FaultKind::Slow(pause) => format!("wait {} ms", pause.as_millis()),
            FaultKind::Close => "do it, then close the connection".to_owned(),
        };
        format!("{method} {}: {kind}, {} more", self.path, self.times)
    }
}

impl Faults {
    /// Adds a fault. There can be 100, each for at most 1,000 calls.
    pub fn set(&mut self, fault: InjectedFault) -> Result<(), ApiError> {
        if self.rows.len() >= FAULTS_LIMIT || fault.times == 0 || fault.times > TIMES_LIMIT {
            let message = format!("There can be at most {FAULTS_LIMIT} faults, each for 1 to {TIMES_LIMIT} calls.");
            return Err(ApiError::invalid(message).param("times"));
        }
        self.rows.push(fault);
        Ok(())
    }

    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// The fault for this call. Counts the call.
    pub fn take(&mut self, method: &str, path: &str) -> Option<FaultKind> {
        let is_for = |fault: &InjectedFault| {
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

    pub fn waiting(&self) -> &[InjectedFault] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_the_next_calls_that_it_matches_and_no_more() {
        let mut faults = Faults::default();
        let fault = |kind: &str, times| InjectedFault {
            path: "/v1/checkout".into(),
            method: Some("post".into()),
            kind: FaultKind::parse(kind).unwrap(),
            times,
        };
        faults.set(fault("status:500", 2)).unwrap();
        faults.set(fault("close", 1)).unwrap();
        assert!(faults.set(fault("close", 0)).is_err());
        for (method, path, expected) in [
            ("GET", "/v1/checkout/sessions", None),
            ("POST", "/v1/customers", None),
            ("POST", "/v1/checkout/sessions", Some(FaultKind::Status(500))),
            ("POST", "/v1/checkout/sessions", Some(FaultKind::Status(500))),
            ("POST", "/v1/checkout/sessions", Some(FaultKind::Close)),
            ("POST", "/v1/checkout/sessions", None),
        ] {
            assert_eq!(faults.take(method, path), expected, "{method} {path}");
        }
        for bad in ["status:200", "status:x", "slow:60001", "closed", "", "slow"] {
            assert!(FaultKind::parse(bad).is_err(), "{bad}");
        }
    }
}
