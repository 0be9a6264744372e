//! Refused tokens, presses and links: counted each, and logged with a bound, because anybody can cause them.

use super::request::ClientAddress;
use crate::log_pace::LogPace;

/// Why somebody was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusalCause {
    /// A token or a cookie.
    SignIn,
    /// What its owner may not do, or another site asked for.
    Permission,
    /// A sign-in link.
    Link,
    /// A webhook's signature.
    Signature,
    /// A header of a proxy's that may be forged.
    Proxy,
}

impl RefusalCause {
    /// The cause of an answer of a route, if it refuses somebody.
    pub fn of(status: u16, route: &str) -> Option<RefusalCause> {
        match (status, route) {
            (401, _) => Some(RefusalCause::SignIn),
            (403, _) => Some(RefusalCause::Permission),
            (410, _) => Some(RefusalCause::Link),
            (400, "/billing/webhook") => Some(RefusalCause::Signature),
            _ => None,
        }
    }

    /// As the log and the metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            RefusalCause::SignIn => "sign_in",
            RefusalCause::Permission => "permission",
            RefusalCause::Link => "link",
            RefusalCause::Signature => "signature",
            RefusalCause::Proxy => "proxy",
        }
    }
}

/// The bounded log. Each cause has a pace of its own, so that many lines of one do not hide those of another.
#[derive(Default)]
pub(super) struct Refusals {
    sign_in: LogPace,
    permission: LogPace,
    link: LogPace,
    signature: LogPace,
    proxy: LogPace,
}

impl Refusals {
    /// Logs a refusal, or counts it as left out.
    ///
    /// `origin` is where the browser says that it is, of a form or a script that was refused: where that differs from what is
    /// `expected`, the base URL is mostly wrong.
    pub(super) fn log(
        &self,
        cause: RefusalCause,
        (route, status): (&str, u16),
        client: ClientAddress,
        (origin, expected): (Option<&str>, Option<&str>),
    ) {
        let Some(left_out) = self.pace(cause).next() else { return };
        tracing::warn!(event = "refused", kind = cause.as_str(), route, status, %client, left_out, origin, expected);
    }

    fn pace(&self, cause: RefusalCause) -> &LogPace {
        match cause {
            RefusalCause::SignIn => &self.sign_in,
            RefusalCause::Permission => &self.permission,
            RefusalCause::Link => &self.link,
            RefusalCause::Signature => &self.signature,
            RefusalCause::Proxy => &self.proxy,
        }
    }
}
