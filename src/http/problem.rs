//! The only place where a failure gets an HTTP status. A fault is logged here, once. How a problem is written, as
//! `application/problem+json` (RFC 9457) or as a page, is decided in `render`.

use std::sync::LazyLock;

use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{Error, Fault, Refused};
use crate::language::refusal::{PersonRefusal, RefusalKind};
use crate::log_pace::LogPace;

/// One caller can meet the same fault at each request.
static FAULT_LINES: LazyLock<LogPace> = LazyLock::new(LogPace::new);

/// A failed request. As a response it has no body: `render` writes it once it is known who asked.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    pub title: &'static str,
    pub detail: String,
    pub members: Box<ExtensionMembers>,
    pub retry_after: Option<u64>,
    /// Whether it kept a buyer from paying, so that nothing can have been charged.
    pub is_before_payment: bool,
    /// What a person reads in their language; without it, a page has words for the code alone.
    pub to_person: Option<Box<PersonRefusal>>,
}

/// Why a request was not granted: RFC 9457.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemShape {
    /// `urn:till:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What kind of problem it is, in a few words.
    title: &'static str,
    /// The HTTP status again.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// What was wrong, what was expected, and what to do. For people: the words may change.
    detail: String,
    /// For programs: the code stays what it is.
    code: &'static str,
    #[serde(flatten)]
    members: Box<ExtensionMembers>,
}

/// Fields that only some problems have: RFC 9457, section 3.2.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct ExtensionMembers {
    /// With `insufficient_units`: how many were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    required: Option<i64>,
    /// With `insufficient_units`: how many there are; negative after a refund of units that are spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<i64>,
    /// With `insufficient_units`: the page on which the user buys more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uri"))]
    topup_url: Option<String>,
    /// With `already_subscribed`: Stripe's customer portal, where the user changes the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uri"))]
    portal_url: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
        let (members, detail) = (Box::default(), detail.into());
        Problem { status, code, title, detail, members, retry_after: None, is_before_payment: false, to_person: None }
    }

    /// The same problem, of a press that would have led to the payment.
    pub fn before_payment(self) -> Problem {
        Problem { is_before_payment: true, ..self }
    }

    fn of(refused: &Refused) -> Problem {
        let (status, title) = status_and_title(refused);
        let mut problem = Problem::new(status, refused.code(), title, refused.detail());
        match refused {
            Refused::AlreadySubscribed { portal_url, .. } => problem.members.portal_url = Some(portal_url.clone()),
            Refused::InsufficientUnits { required, available, topup_url } => {
                problem.members.required = Some(*required);
                problem.members.available = Some(*available);
                problem.members.topup_url = Some(topup_url.clone());
            }
            Refused::RateLimited { retry_after, .. } | Refused::Unavailable { retry_after, .. } => {
                problem.retry_after = Some(*retry_after);
            }
            Refused::DatabaseUnavailable { .. } => problem.retry_after = Some(1),
            Refused::ToPerson(refusal) => problem.to_person = Some(Box::new(refusal.clone())),
            _ => {}
        }
        problem
    }

    /// A fault of ours that a retry will not heal. The log has the cause, the client does not get it.
    pub fn internal() -> Problem {
        let detail = "Something failed on our side and was logged. Nothing was lost; trying again is safe.";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "Internal error", detail)
    }

    /// A link with a secret that is expired, used, or not one of ours.
    pub fn link_spent() -> Problem {
        let detail = "This link is expired, was used, or is not one of ours: ask for a new one.";
        Problem::new(StatusCode::GONE, "not_found", "The link is spent", detail)
    }

    /// Stripe's customer portal, where that is the way out.
    pub fn portal_url(&self) -> Option<&str> {
        self.members.portal_url.as_deref()
    }

    /// The body of `application/problem+json`.
    pub fn shape(&self) -> ProblemShape {
        ProblemShape {
            kind: format!("urn:till:problem:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code,
            members: self.members.clone(),
        }
    }
}

fn status_and_title(refused: &Refused) -> (StatusCode, &'static str) {
    match refused {
        Refused::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "Not signed in"),
        Refused::Forbidden(_) => (StatusCode::FORBIDDEN, "Not allowed"),
        Refused::UnknownUser(_) => (StatusCode::NOT_FOUND, "No such user"),
        Refused::UnknownPlan(_) => (StatusCode::NOT_FOUND, "Not on sale"),
        Refused::NotFound(_) => (StatusCode::NOT_FOUND, "Not found"),
        Refused::ReturnUrlNotAllowed(_) => (StatusCode::BAD_REQUEST, "Return address not allowed"),
        Refused::InvalidRequest(_) | Refused::WrongState(_) => (StatusCode::BAD_REQUEST, "The request is not valid"),
        Refused::AlreadySubscribed { .. } => (StatusCode::CONFLICT, "Already subscribed"),
        Refused::InsufficientUnits { .. } => (StatusCode::PAYMENT_REQUIRED, "Not enough units"),
        Refused::IdempotencyKeyReused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "The key was used before"),
        Refused::HoldNotOpen(_) => (StatusCode::CONFLICT, "The hold is closed"),
        Refused::StripeUnavailable(_) => (StatusCode::BAD_GATEWAY, "Stripe cannot be reached"),
        Refused::StripeRejected(_) => (StatusCode::BAD_GATEWAY, "Stripe refused"),
        Refused::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
        Refused::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
        Refused::Unavailable { .. } | Refused::DatabaseUnavailable { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "Not available right now")
        }
        Refused::ToPerson(refusal) => match refusal.kind() {
            RefusalKind::Invalid => (StatusCode::BAD_REQUEST, "The request is not valid"),
            RefusalKind::Forbidden => (StatusCode::FORBIDDEN, "Not allowed"),
            RefusalKind::Missing => (StatusCode::NOT_FOUND, "Not found"),
        },
    }
}

fn log_fault(fault: &Fault) {
    if let Some(left_out) = FAULT_LINES.next() {
        tracing::error!(event = "fault", fault = %fault, left_out);
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        match error {
            Error::Refused(refused) => Problem::of(&refused),
            Error::Fault(fault) if fault.is_retryable() => {
                log_fault(&fault);
                let detail = "Something could not be used right now; nothing was changed. Try again shortly.";
                let refused = Refused::Unavailable { retry_after: 1, detail: detail.to_owned() };
                Problem::of(&refused)
            }
            Error::Fault(fault) => {
                log_fault(&fault);
                Problem::internal()
            }
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        Problem::from(Error::Fault(fault))
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        Problem::of(&refused)
    }
}

impl From<PersonRefusal> for Problem {
    fn from(refusal: PersonRefusal) -> Problem {
        Problem::of(&refusal.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The result of a handler.
pub(super) type HandlerResult = std::result::Result<Response, Problem>;

/// The fallback for an unknown path.
pub(super) async fn no_such_path(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Refused::NotFound(format!("There is nothing at {path}.")).into()
}

/// The fallback for a known path of ours, with another method, that people open with a browser.
pub(super) async fn no_such_page(method: Method, uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    let detail = match method {
        Method::GET | Method::HEAD => {
            format!("There is nothing to see at {path}: it belongs to a button on another page.")
        }
        _ => format!("{path} takes no {method}: nothing was sent there that could be used."),
    };
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "Not a page of its own", detail)
}

/// The fallback for a known path with another method. The router also knows a path in which an id is empty; nothing is there.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Problem {
    if uri.path().contains("//") {
        return no_such_path(uri).await;
    }
    let path: String = uri.path().chars().take(200).collect();
    let detail = format!("{path} does not take {method}. The Allow header names what it takes.");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "Wrong method", detail)
}
