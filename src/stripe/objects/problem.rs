//! The body of an answer that says no (Stripe's page "Errors"). Every field may be missing: what answers in Stripe's
//! place, a proxy say, writes no such body.

use serde_json::Value;

/// What Stripe says about a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// Its type: `invalid_request_error`, `card_error`, `idempotency_error`, `api_error` …
    pub kind: Option<String>,
    /// The code that programs match on, such as `resource_missing`.
    pub code: Option<String>,
    /// For the log and the operator; never for the buyer.
    pub message: Option<String>,
    /// The parameter that it is about.
    pub param: Option<String>,
}

impl ErrorBody {
    /// Reads what is there of it; nothing in it is needed.
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
