//! One line of `till check`.

use crate::error::Result;

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Bad,
    /// Nothing shows yet whether it is, or only the operator knows.
    Open,
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
    /// Whether it is as it should be; `None` if there is nothing to judge it by.
    pub fn is_good(&self) -> Option<bool> {
        match self.verdict {
            Verdict::Good => Some(true),
            Verdict::Bad => Some(false),
            Verdict::Open => None,
        }
    }
}

pub(super) fn good(what: &str, detail: String) -> Finding {
    Finding { what: what.to_owned(), verdict: Verdict::Good, detail }
}

pub(super) fn bad(what: &str, detail: String) -> Finding {
    Finding { what: what.to_owned(), verdict: Verdict::Bad, detail }
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
