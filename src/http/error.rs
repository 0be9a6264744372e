//! The only place where a failure becomes a status: `application/problem+json` (RFC 9457) for programs, a page with the
//! same words for browsers. A fault is logged here, once.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::pages;
use super::request::Asker;
use crate::error::{Error, Fault, Refused};

/// A failure on its way out. It carries no body yet: [`rendered`] knows who asked.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    pub title: &'static str,
    pub detail: String,
    /// Fields of its own, such as `topup_url`.
    pub more: Map<String, Value>,
    pub retry_after: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, code, title, detail: detail.into(), more: Map::new(), retry_after: None }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    fn of(refused: &Refused) -> Problem {
        let (status, title) = status_and_title(refused);
        let problem = Problem::new(status, refused.code(), title, refused.detail());
        match refused {
            Refused::AlreadySubscribed { portal_url } => problem.with("portal_url", portal_url.as_str()),
            Refused::InsufficientUnits { required, available, topup_url } => {
                problem.with("required", *required).with("available", *available).with("topup_url", topup_url.as_str())
            }
            Refused::RateLimited { retry_after } | Refused::Unavailable { retry_after, .. } => {
                Problem { retry_after: Some(*retry_after), ..problem }
            }
            _ => problem,
        }
    }
}

impl Problem {
    /// The problem as a program reads it.
    pub fn json(&self) -> Value {
        let mut body = json!({
            "type": format!("urn:till:problem:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        if let Value::Object(fields) = &mut body {
            fields.extend(self.more.clone());
        }
        body
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
        Refused::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "The request is not valid"),
        Refused::AlreadySubscribed { .. } => (StatusCode::CONFLICT, "Already subscribed"),
        Refused::InsufficientUnits { .. } => (StatusCode::PAYMENT_REQUIRED, "Not enough units"),
        Refused::IdempotencyKeyReused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "The key was used before"),
        Refused::HoldNotOpen(_) => (StatusCode::CONFLICT, "The hold is closed"),
        Refused::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
        Refused::StripeUnavailable(_) => (StatusCode::BAD_GATEWAY, "Stripe cannot be reached"),
        Refused::StripeRejected(_) => (StatusCode::BAD_GATEWAY, "Stripe refused"),
        Refused::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
        Refused::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "Not available right now"),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        match error {
            Error::Refused(refused) => Problem::of(&refused),
            Error::Fault(fault) if fault.is_retryable() => {
                tracing::error!(event = "fault", fault = %fault);
                let detail = "Something could not be used right now; nothing was changed. Try again shortly.";
                let refused = Refused::Unavailable { retry_after: 1, detail: detail.to_owned() };
                Problem::of(&refused)
            }
            Error::Fault(fault) => {
                tracing::error!(event = "fault", fault = %fault);
                let detail = "Something failed on our side and was logged. Nothing was lost; trying again is safe.";
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "Internal error", detail)
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

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What a handler answers.
pub(super) type Answer = std::result::Result<Response, Problem>;

/// Writes the body of a problem for whoever asked; any other answer stays as it is.
pub(super) fn rendered(mut response: Response, asker: Asker) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let mut rendered = if asker.json { as_json(&problem) } else { pages::error::page(&problem) };
    if let Some(seconds) = problem.retry_after {
        rendered.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.status == StatusCode::UNAUTHORIZED && asker.service {
        rendered.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    // What other layers have said of the response stays: `Allow`, say.
    for (name, value) in response.headers() {
        if name != header::CONTENT_LENGTH && !rendered.headers().contains_key(name) {
            rendered.headers_mut().insert(name.clone(), value.clone());
        }
    }
    rendered
}

fn as_json(problem: &Problem) -> Response {
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
    (problem.status, content_type, Json(problem.json()).into_response().into_body()).into_response()
}

/// Any path that is not one of ours.
pub(super) async fn no_such_page(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Refused::NotFound(format!("There is nothing at {path}.")).into()
}

/// A path of ours, with another method.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    let detail = format!("{path} does not take {method}. The Allow header names what it takes.");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "Wrong method", detail)
}
