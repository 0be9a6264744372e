//! One line of `till check`.

use crate::error::Result;
use crate::stripe::{StripeError, StripeErrorKind};

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Bad,
    /// There is nothing to judge it by yet.
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

/// A refusal of Stripe's, and what to do about it.
pub(super) fn refusal(error: &StripeError) -> String {
    match &error.kind {
        StripeErrorKind::KeyRefused => "is refused by Stripe: copy it again from the dashboard".to_owned(),
        StripeErrorKind::Forbidden { permission } => {
            let named = permission.as_deref().unwrap_or("one that Stripe did not name");
            format!("the restricted key lacks a permission: {named} (till stripe permissions lists what it needs)")
        }
        _ => error.to_string(),
    }
}
