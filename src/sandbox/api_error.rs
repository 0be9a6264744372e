//! Stripe's error body: `{"error": {"type", "code", "message", "param", …}}` with its HTTP status. Every error of the
//! stand-in's API is made here, in Stripe's own words where they are known, so that a client under test sees the same
//! messages and codes. Source: Stripe, "Errors" and "Error codes".

use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
    more: Value,
}

impl ApiError {
    /// A `400 invalid_request_error` without a code.
    pub fn invalid(message: impl Into<String>) -> ApiError {
        ApiError {
            status: 400,
            kind: "invalid_request_error",
            code: None,
            message: message.into(),
            param: None,
            more: Value::Null,
        }
    }

    pub fn code(self, code: &'static str) -> ApiError {
        ApiError { code: Some(code), ..self }
    }

    /// Names the parameter, in Stripe's bracket notation.
    pub fn param(self, name: impl Into<String>) -> ApiError {
        ApiError { param: Some(name.into()), ..self }
    }

    pub fn status(self, status: u16) -> ApiError {
        ApiError { status, ..self }
    }

    pub fn missing(name: &str) -> ApiError {
        ApiError::invalid(format!("Missing required param: {name}.")).code("parameter_missing").param(name)
    }

    /// `400`: a parameter has an id that does not exist.
    pub fn no_such(noun: &str, id: &str, param: impl Into<String>) -> ApiError {
        ApiError::invalid(format!("No such {noun}: '{id}'")).code("resource_missing").param(param)
    }

    /// `404`: the path has an id that does not exist.
    pub fn not_found(noun: &str, id: &str, param: &str) -> ApiError {
        ApiError::no_such(noun, id, param).status(404)
    }

    /// `404`: a call that Stripe does not have, or that the stand-in has not built.
    pub fn unknown_url(method: &str, path: &str) -> ApiError {
        let message = format!(
            "Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at \
             https://support.stripe.com/. (This is a stand-in for Stripe: it has only the calls that it names.)"
        );
        ApiError::invalid(message).status(404)
    }

    /// Something that Stripe does and the stand-in does not. The code is the stand-in's own.
    pub fn not_built(what: &str) -> ApiError {
        ApiError::invalid(format!("This stand-in for Stripe does not do {what}. Use a sandbox at Stripe to try it."))
            .code("stand_in_not_built")
    }

    /// `401`: no key, a wrong key, or a live key.
    pub fn unauthenticated(message: impl Into<String>) -> ApiError {
        ApiError::invalid(message).status(401)
    }

    /// `402 card_error`: the card was declined.
    pub fn card(code: &'static str, message: &str) -> ApiError {
        ApiError { kind: "card_error", code: Some(code), ..ApiError::invalid(message).status(402) }
    }

    /// Adds further fields to the error.
    pub fn with_fields(self, more: Value) -> ApiError {
        ApiError { more, ..self }
    }

    /// Replaces the message, for a page.
    pub fn with_message(self, message: impl Into<String>) -> ApiError {
        ApiError { message: message.into(), ..self }
    }

    /// An idempotency key that was used before for something else.
    pub fn idempotency(message: impl Into<String>) -> ApiError {
        ApiError { kind: "idempotency_error", ..ApiError::invalid(message) }
    }

    /// An error that fault injection asked for.
    pub fn injected(status: u16) -> ApiError {
        let (kind, code, message) = match status {
            429 => ("invalid_request_error", Some("rate_limit"), "Request rate limit exceeded."),
            409 => (
                "invalid_request_error",
                Some("idempotency_key_in_use"),
                "There is currently another in-progress request using this idempotency key.",
            ),
            _ => ("api_error", None, "An unknown error occurred."),
        };
        ApiError {
            status,
            kind,
            code,
            message: format!("{message} (Asked for by fault injection.)"),
            param: None,
            more: Value::Null,
        }
    }

    pub fn body(&self) -> Value {
        let mut error = json!({ "type": self.kind, "message": self.message });
        if let Some(code) = self.code {
            error["code"] = json!(code);
            error["doc_url"] = json!(format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")));
        }
        if let Some(param) = &self.param {
            error["param"] = json!(param);
        }
        if let (Value::Object(more), Some(fields)) = (&self.more, error.as_object_mut()) {
            fields.extend(more.clone());
        }
        json!({ "error": error })
    }

    pub fn has_code(&self, code: &str) -> bool {
        self.code == Some(code)
    }

    pub fn message(&self) -> &str {
        &self.message
    }
}
