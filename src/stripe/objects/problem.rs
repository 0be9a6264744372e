//! The body of an error answer (Stripe's page "Errors"). Every field may be missing: a proxy that answers in Stripe's
//! place writes no such body.

use serde_json::Value;

/// What Stripe says about a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// Stripe's `type`: `invalid_request_error`, `card_error`, `idempotency_error`, `api_error` …
    pub kind: Option<String>,
    /// Such as `resource_missing`.
    pub code: Option<String>,
    /// For the log and the operator; never for the buyer.
    pub message: Option<String>,
    pub param: Option<String>,
}

impl ErrorBody {
    /// Reads the fields that are present. None is required.
    pub fn read(value: &Value) -> ErrorBody {
        let text = |name: &str| {
            value.pointer(&format!("/error/{name}")).and_then(Value::as_str).filter(|text| !text.is_empty())
        };
        ErrorBody {
            kind: text("type").map(str::to_owned),
            code: text("code").map(str::to_owned),
            message: text("message").map(str::to_owned),
            param: text("param").map(str::to_owned),
        }
    }
}
