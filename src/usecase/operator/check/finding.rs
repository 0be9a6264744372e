//! One line of `till check`.

use crate::error::Result;

/// Whether something is as it should be. The later one is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Good,
    /// Nothing shows yet whether it is, or only the operator knows.
    Open,
    /// It works, and somebody should look at it before it does not.
    Warning,
    Bad,
}

impl Verdict {
    /// The word for monitoring.
    pub fn severity(self) -> &'static str {
        match self {
            Verdict::Good => "ok",
            Verdict::Open => "unknown",
            Verdict::Warning => "warning",
            Verdict::Bad => "failed",
        }
    }

    /// The worst of these; good if there are none.
    pub fn worst(findings: &[Finding]) -> Verdict {
        findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Good)
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: String,
    pub verdict: Verdict,
    /// What was found, and what to do.
    pub detail: String,
}

impl Finding {
    /// Whether it is as it should be; `None` if there is nothing to judge it by, or if it works and should be looked at.
    pub fn is_good(&self) -> Option<bool> {
        match self.verdict {
            Verdict::Good => Some(true),
            Verdict::Bad => Some(false),
            Verdict::Open | Verdict::Warning => None,
        }
    }
}

pub(super) fn good(what: &str, detail: String) -> Finding {
    Finding { what: what.to_owned(), verdict: Verdict::Good, detail }
}

pub(super) fn bad(what: &str, detail: String) -> Finding {
    Finding { what: what.to_owned(), verdict: Verdict::Bad, detail }
}

pub(super) fn warning(what: &str, detail: String) -> Finding {
    Finding { what: what.to_owned(), verdict: Verdict::Warning, detail }
}

pub(super) fn open(what: &str, detail: String) -> Finding {
    Finding { what: what.to_owned(), verdict: Verdict::Open, detail }
}

pub(super) fn finding(what: &str, looked: Result<String>) -> Finding {
    match looked {
        Ok(detail) => good(what, detail),
        Err(error) => bad(what, error.to_string()),
    }
}
