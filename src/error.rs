//! The two kinds of failure: [`Refused`] is an answer to the caller, [`Fault`] is ours. There is no third kind, and no
//! failure is ignored in silence. `http::problem` alone decides which status each becomes.

use std::fmt;

use crate::language::Language;
use crate::language::refusal::{PersonRefusal, RefusalKind};

/// Why a use case did not succeed.
#[derive(Debug)]
pub enum Error {
    Refused(Refused),
    Fault(Fault),
}

/// The result of a use case. A function that fails in one of the two ways only names it: `Result<T, Fault>`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An answer that says no. Each has a stable code (`docs/api.md`) and a sentence for the caller that says what
/// was wrong, what was expected, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No valid credentials.
    Unauthenticated(String),
    /// The credentials are valid, and not enough for this.
    Forbidden(String),
    UnknownUser(String),
    /// No such plan or pack in the catalogue.
    UnknownPlan(String),
    NotFound(String),
    /// A `return_url` outside the allowed origins.
    ReturnUrlNotAllowed(String),
    /// The request itself is malformed or out of bounds.
    InvalidRequest(String),
    /// The request is right, and what it is about is not in a state for it.
    WrongState(String),
    /// One subscription per user; the portal changes it.
    AlreadySubscribed {
        /// Stripe's customer portal for this user.
        portal_url: String,
        detail: String,
    },
    /// A spend or hold of more units than are available.
    InsufficientUnits {
        required: i64,
        /// Negative after a reversal of spent units.
        available: i64,
        /// Where the user can buy more.
        topup_url: String,
    },
    /// The same idempotency key with another request.
    IdempotencyKeyReused(String),
    /// The hold was captured, released or has expired.
    HoldNotOpen(String),
    /// Stripe could not be reached or did not answer in time.
    StripeUnavailable(String),
    /// Stripe answered, and refused.
    StripeRejected(String),
    /// The request body is over this limit, in bytes.
    TooLarge(u64),
    /// The caller asks too often, or has too much under way; nothing was changed.
    RateLimited {
        /// In seconds.
        retry_after: u64,
        detail: String,
    },
    /// `till` cannot take this now; nothing was changed.
    Unavailable {
        /// In seconds.
        retry_after: u64,
        detail: String,
    },
    /// The same because of the database. Why is for the log and the command line: no caller sees it.
    DatabaseUnavailable {
        cause: String,
    },
    /// What people meet at pages, which they read in their language.
    ToPerson(PersonRefusal),
}

impl Refused {
    /// The stable code that programs match on.
    pub fn code(&self) -> &'static str {
        match self {
            Refused::Unauthenticated(_) => "unauthenticated",
            Refused::Forbidden(_) => "forbidden",
            Refused::UnknownUser(_) => "unknown_user",
            Refused::UnknownPlan(_) => "unknown_plan",
            Refused::NotFound(_) => "not_found",
            Refused::ReturnUrlNotAllowed(_) => "return_url_not_allowed",
            Refused::InvalidRequest(_) | Refused::WrongState(_) | Refused::TooLarge(_) => "invalid_request",
            Refused::AlreadySubscribed { .. } => "already_subscribed",
            Refused::InsufficientUnits { .. } => "insufficient_units",
            Refused::IdempotencyKeyReused(_) => "idempotency_key_reused",
            Refused::HoldNotOpen(_) => "hold_not_open",
            Refused::StripeUnavailable(_) => "stripe_unavailable",
            Refused::StripeRejected(_) => "stripe_rejected",
            Refused::RateLimited { .. } => "rate_limited",
            Refused::Unavailable { .. } | Refused::DatabaseUnavailable { .. } => "unavailable",
            Refused::ToPerson(refusal) => match refusal.kind() {
                RefusalKind::Invalid => "invalid_request",
                RefusalKind::Forbidden => "forbidden",
                RefusalKind::Missing => "not_found",
            },
        }
    }

    /// The sentence for the caller.
    pub fn detail(&self) -> String {
        match self {
            Refused::Unauthenticated(text)
            | Refused::Forbidden(text)
            | Refused::UnknownUser(text)
            | Refused::UnknownPlan(text)
            | Refused::NotFound(text)
            | Refused::ReturnUrlNotAllowed(text)
            | Refused::InvalidRequest(text)
            | Refused::WrongState(text)
            | Refused::IdempotencyKeyReused(text)
            | Refused::HoldNotOpen(text)
            | Refused::StripeUnavailable(text)
            | Refused::StripeRejected(text) => text.clone(),
            Refused::InsufficientUnits { required, available, .. } => {
                format!("{required} units are needed and {available} are available. Top up, then try again.")
            }
            Refused::TooLarge(limit) => format!("The body is larger than the {limit} bytes that are read here."),
            Refused::AlreadySubscribed { detail, .. }
            | Refused::RateLimited { detail, .. }
            | Refused::Unavailable { detail, .. } => detail.clone(),
            Refused::DatabaseUnavailable { .. } => {
                "The database cannot be used right now; nothing was changed. Try again shortly.".to_owned()
            }
            Refused::ToPerson(refusal) => refusal.words(Language::En),
        }
    }
}

/// A failure of ours: disk, database, a broken invariant. Logged once, where it leaves the program; the caller sees
/// "internal error", or "unavailable" when a retry may help.
#[derive(Debug)]
pub struct Fault {
    what: String,
    retryable: bool,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Fault {
    /// A fault with its cause. A retry is not expected to help; see [`Fault::retryable`].
    pub fn new(what: impl Into<String>, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
        Fault { what: what.into(), retryable: false, cause: Some(cause.into()) }
    }

    /// A fault without a cause of its own: an invariant that does not hold.
    pub fn bare(what: impl Into<String>) -> Fault {
        Fault { what: what.into(), retryable: false, cause: None }
    }

    /// The same fault, marked as one that may pass: a locked database, a full disk.
    pub fn retryable(self) -> Fault {
        Fault { retryable: true, ..self }
    }

    /// Whether a retry may help.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = self.cause.as_deref().map(|cause| cause as &dyn std::error::Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused(refused) => write!(f, "{} ({})", refused.detail(), refused.code()),
            Error::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        Error::Refused(refused)
    }
}

impl From<PersonRefusal> for Refused {
    fn from(refusal: PersonRefusal) -> Refused {
        Refused::ToPerson(refusal)
    }
}

impl From<PersonRefusal> for Error {
    fn from(refusal: PersonRefusal) -> Error {
        Error::Refused(refusal.into())
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Fault(fault)
    }
}
