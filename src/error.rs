//! The two kinds of failure: [`Refused`] is an answer to the caller, [`Fault`] is ours. There is no third kind, and
//! nothing is swallowed. Which HTTP status each becomes is decided in `http::problem` alone.

use std::fmt;

/// What a use case ends in when it does not succeed.
#[derive(Debug)]
pub enum Error {
    /// The request cannot be granted; the caller is told why.
    Refused(Refused),
    /// Something of ours failed; logged once at the rim.
    Fault(Fault),
}

/// A use case's outcome.
pub type Result<T> = std::result::Result<T, Error>;

/// An answer that says no. Each has a stable code (contract, section 3) and a sentence for the caller that says what
/// was wrong, what was expected, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No credentials, or none that are valid.
    Unauthenticated(String),
    /// The credentials do not reach this far.
    Forbidden(String),
    /// No such user.
    UnknownUser(String),
    /// No such plan or pack in the catalogue.
    UnknownPlan(String),
    /// No such thing.
    NotFound(String),
    /// A `return_url` outside the allowed origins.
    ReturnUrlNotAllowed(String),
    /// The request itself is wrong.
    InvalidRequest(String),
    /// One subscription per user; the portal changes it.
    AlreadySubscribed {
        /// Stripe's customer portal for this user.
        portal_url: String,
    },
    /// A spend or hold of more units than are available.
    InsufficientUnits {
        /// Units asked for.
        required: i64,
        /// Units available now; negative after a reversal of spent units.
        available: i64,
        /// Where the user can buy more.
        topup_url: String,
    },
    /// The same idempotency key with another request.
    IdempotencyKeyReused(String),
    /// The hold was captured, released or has expired.
    HoldNotOpen(String),
    /// Too many requests.
    RateLimited {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// Stripe could not be reached or did not answer in time.
    StripeUnavailable(String),
    /// Stripe answered, and refused.
    StripeRejected(String),
    /// The request body is over its limit, in bytes.
    TooLarge(u64),
    /// `till` cannot take this now; nothing was changed.
    Unavailable {
        /// Seconds to wait.
        retry_after: u64,
        /// Why.
        detail: String,
    },
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
            Refused::InvalidRequest(_) | Refused::TooLarge(_) => "invalid_request",
            Refused::AlreadySubscribed { .. } => "already_subscribed",
            Refused::InsufficientUnits { .. } => "insufficient_units",
            Refused::IdempotencyKeyReused(_) => "idempotency_key_reused",
            Refused::HoldNotOpen(_) => "hold_not_open",
            Refused::RateLimited { .. } => "rate_limited",
            Refused::StripeUnavailable(_) => "stripe_unavailable",
            Refused::StripeRejected(_) => "stripe_rejected",
            Refused::Unavailable { .. } => "unavailable",
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
            | Refused::IdempotencyKeyReused(text)
            | Refused::HoldNotOpen(text)
            | Refused::StripeUnavailable(text)
            | Refused::StripeRejected(text) => text.clone(),
            Refused::AlreadySubscribed { .. } => {
                "You already have a subscription. Change or cancel it in the customer portal.".to_owned()
            }
            Refused::InsufficientUnits { required, available, .. } => {
                format!("{required} units are needed and {available} are available. Top up, then try again.")
            }
            Refused::RateLimited { retry_after } => {
                format!("Too many requests. Try again in {retry_after} s.")
            }
            Refused::TooLarge(limit) => format!("The body is larger than the {limit} bytes that are read here."),
            Refused::Unavailable { detail, .. } => detail.clone(),
        }
    }
}

/// Something of ours that failed: disk, database, a broken invariant. Logged once; the caller sees "internal error",
/// or "unavailable" when trying again may help.
#[derive(Debug)]
pub struct Fault {
    what: String,
    retryable: bool,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Fault {
    /// A fault with its cause; trying again is not expected to help.
    pub fn new(what: impl Into<String>, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
        Fault { what: what.into(), retryable: false, cause: Some(cause.into()) }
    }

    /// A fault without a cause of its own: an invariant that does not hold.
    pub fn bare(what: impl Into<String>) -> Fault {
        Fault { what: what.into(), retryable: false, cause: None }
    }

    /// The same fault, marked as one that may heal by itself: a locked database, a full disk.
    pub fn retryable(self) -> Fault {
        Fault { retryable: true, ..self }
    }

    /// Whether trying again may help.
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

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Fault(fault)
    }
}
