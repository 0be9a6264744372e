//! What a failed call to Stripe means, and what the user reads about it. Stripe's own message is only for the log.

use std::fmt;

use crate::error::{Error, Fault, Refused};
use crate::stripe::objects::{ErrorBody, Unreadable};

/// The longest message from Stripe that is kept, in characters.
const MESSAGE_LIMIT: usize = 500;

/// A call that failed, after all attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeError {
    pub kind: StripeErrorKind,
    /// The HTTP status of the last answer; `None` when there was none.
    pub status: Option<u16>,
    /// Stripe's `code`, or its `type` where there is no code.
    pub code: Option<String>,
    /// For the log and the operator: Stripe's message or ours, with anything that looks like a key removed.
    pub message: String,
    /// Stripe's id of the request, for its dashboard and its support.
    pub request_id: Option<String>,
    /// Stripe has stored this answer under the request's idempotency key, and gave it again.
    pub is_replayed: bool,
}

/// What a failed call means to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StripeErrorKind {
    /// No answer, or one that says to try later. It is unknown whether the request was carried out. The same key and
    /// body may be sent again.
    Unavailable,
    /// Stripe does not know our secret key (401).
    KeyRefused,
    /// Our key is restricted and does not allow this (403).
    Forbidden {
        /// Stripe's name of the missing permission, where Stripe gave it.
        permission: Option<String>,
    },
    /// Something that the request names does not exist (404, or `resource_missing`).
    Missing {
        /// The parameter that names it, such as `customer`, where Stripe said so.
        param: Option<String>,
    },
    /// Refused for another reason, such as our parameters or a card. Sending it again would not help.
    Rejected,
    /// Stripe's answer is not the object that we asked for.
    Unreadable,
}

impl StripeError {
    /// From an error answer.
    pub(crate) fn answered(status: u16, body: ErrorBody, request_id: Option<String>) -> StripeError {
        let message = match body.param.as_deref() {
            // Stripe quotes what somebody wrote there.
            Some("email" | "customer_email") => "the e-mail address is not taken".to_owned(),
            _ => redact(body.message.as_deref().unwrap_or("(no message)")),
        };
        let missing = body.code.as_deref() == Some("resource_missing");
        let kind = match status {
            401 => StripeErrorKind::KeyRefused,
            403 => StripeErrorKind::Forbidden { permission: permission_named_in(&message) },
            404 => StripeErrorKind::Missing { param: body.param },
            _ if missing => StripeErrorKind::Missing { param: body.param },
            409 | 429 | 300..=399 | 500.. => StripeErrorKind::Unavailable,
            _ => StripeErrorKind::Rejected,
        };
        StripeError {
            kind,
            status: Some(status),
            code: body.code.or(body.kind),
            message,
            request_id,
            is_replayed: false,
        }
    }

    /// For a request without an answer, or without a usable one.
    pub(crate) fn unanswered(why: &str) -> StripeError {
        StripeError {
            kind: StripeErrorKind::Unavailable,
            status: None,
            code: None,
            message: redact(why),
            request_id: None,
            is_replayed: false,
        }
    }

    /// For a request that is not even sent.
    pub(crate) fn unsent(kind: StripeErrorKind, why: &str) -> StripeError {
        StripeError { kind, ..StripeError::unanswered(why) }
    }

    /// Whether a request that was stored with its idempotency key is over. Stripe refused it for good, or replays a
    /// failure, so the same key and body would bring the same answer for ever. Only another request can succeed.
    pub fn is_final(&self) -> bool {
        self.is_replayed || self.kind != StripeErrorKind::Unavailable
    }

    /// Whether the idempotency key was used before with other parameters. That is a bug in till, not a mistake of the
    /// buyer.
    pub fn is_key_reused(&self) -> bool {
        self.code.as_deref() == Some("idempotency_error")
    }

    /// Whether the object that this parameter of the request names does not exist at Stripe.
    pub fn is_missing_param(&self, name: &str) -> bool {
        matches!(&self.kind, StripeErrorKind::Missing { param: Some(param) } if param == name)
    }

    /// Whether the customer is bound to another currency, by a subscription, an open invoice or a credit balance. Stripe
    /// gives no code for it, so its sentence decides.
    pub fn is_other_currency(&self) -> bool {
        self.message.to_ascii_lowercase().contains("combine currencies on a single customer")
    }

    /// The account of our key, if Stripe's refusal names it, as that of a missing permission does.
    pub fn account(&self) -> Option<&str> {
        self.message.split('\'').find(|part| part.starts_with("acct_"))
    }

    /// Whether an object that the request names does not exist at Stripe.
    pub fn is_missing(&self) -> bool {
        matches!(self.kind, StripeErrorKind::Missing { .. })
    }

    /// What the operator of a command reads: Stripe's own reason, and what to do where that is known.
    pub fn to_operator(&self) -> String {
        match &self.kind {
            StripeErrorKind::KeyRefused => {
                "SPRITE_STRIPE_SECRET_KEY is refused by Stripe: copy it again from the dashboard".to_owned()
            }
            StripeErrorKind::Forbidden { permission } => {
                let named = permission.as_deref().unwrap_or("one that Stripe did not name");
                format!("the restricted key lacks a permission: {named} (till stripe permissions lists what it needs)")
            }
            _ => self.to_string(),
        }
    }

    /// The same as an error of a command.
    pub fn for_operator(self) -> Error {
        let words = self.to_operator();
        match self.kind {
            StripeErrorKind::Unavailable => Refused::StripeUnavailable(words).into(),
            StripeErrorKind::Unreadable => self.into(),
            _ => Refused::StripeRejected(words).into(),
        }
    }
}

impl From<Unreadable> for StripeError {
    fn from(unreadable: Unreadable) -> StripeError {
        StripeError::unsent(StripeErrorKind::Unreadable, &unreadable.to_string())
    }
}

impl fmt::Display for StripeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "Stripe answered {status}: {}", self.message)?,
            None => write!(f, "Stripe: {}", self.message)?,
        }
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        if let Some(request_id) = &self.request_id {
            write!(f, " ({request_id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for StripeError {}

impl From<StripeError> for Error {
    fn from(error: StripeError) -> Error {
        let rejected = |text: &str| Error::Refused(Refused::StripeRejected(text.to_owned()));
        match &error.kind {
            StripeErrorKind::Unavailable => Error::Refused(Refused::StripeUnavailable(
                "Stripe, which handles the payments, did not answer in time. Try again in a minute.".to_owned(),
            )),
            StripeErrorKind::KeyRefused | StripeErrorKind::Forbidden { .. } => rejected(
                "Stripe does not let this server do that with the key it has. Tell the operator of this server: the \
                 command `till check` shows what is missing.",
            ),
            StripeErrorKind::Missing { .. } => rejected(
                "Stripe does not know what was asked for. Go back and start again; if that does not help, tell the \
                 operator of this server: the reason is in its log.",
            ),
            StripeErrorKind::Rejected => {
                rejected("Stripe refused this. Tell the operator of this server: the reason is in its log.")
            }
            StripeErrorKind::Unreadable => Error::Fault(Fault::new("Stripe's answer cannot be read", error)),
        }
    }
}

/// The permission in Stripe's sentence "Having the 'rak_…' permission would allow this request to continue", or in its
/// newer one, "Enabling "Prices Read" ('plan_read') permissions on this key would allow this request to continue".
fn permission_named_in(message: &str) -> Option<String> {
    let enabling = message.split_once("Enabling \"").and_then(|(_, rest)| rest.split_once('"'));
    let having = || message.split('\'').find(|part| part.starts_with("rak_"));
    enabling.map(|(name, _)| name).or_else(having).map(str::to_owned)
}

/// One bounded line, without anything that looks like a key or an e-mail address. Stripe quotes keys in part; a stand-in might
/// quote a whole one.
fn redact(message: &str) -> String {
    let is_word =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '*' | '.' | '-' | '+' | '@');
    let mut redacted = String::new();
    let mut rest: &str = message;
    while let Some(first) = rest.chars().next() {
        let end = match is_word(first) {
            true => rest.find(|character| !is_word(character)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (part, tail) = rest.split_at(end);
        let is_key = ["sk_", "rk_", "pk_", "whsec_"].iter().any(|prefix| part.starts_with(prefix));
        match part {
            _ if is_key => redacted.push_str("(key)"),
            _ if part.contains('@') => redacted.push_str("(address)"),
            _ if first.is_control() => redacted.push(' '),
            _ => redacted.push_str(part),
        }
        rest = tail;
    }
    redacted.chars().take(MESSAGE_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answered(status: u16, error: serde_json::Value) -> StripeError {
        StripeError::answered(status, ErrorBody::read(&json!({"error": error})), Some("req_1".to_owned()))
    }

    #[test]
    fn an_answer_means_what_its_status_and_code_say() {
        let customer = || StripeErrorKind::Missing { param: Some("customer".to_owned()) };
        let permission = Some("rak_checkout_session_write".to_owned());
        let rows = [
            (400, json!({"type": "invalid_request_error", "message": "m"}), StripeErrorKind::Rejected),
            (400, json!({"code": "resource_missing", "param": "customer"}), customer()),
            (401, json!({}), StripeErrorKind::KeyRefused),
            (402, json!({"code": "card_declined"}), StripeErrorKind::Rejected),
            (
                403,
                json!({"message": "The key 'rk_test_1' lacks it. Having the 'rak_checkout_session_write' permission would"}),
                StripeErrorKind::Forbidden { permission },
            ),
            (
                403,
                json!({"message": "It lacks them. Enabling \"Prices Read\" ('plan_read') permissions on this key would"}),
                StripeErrorKind::Forbidden { permission: Some("Prices Read".to_owned()) },
            ),
            (403, json!(null), StripeErrorKind::Forbidden { permission: None }),
            (404, json!({"param": "customer"}), customer()),
            (409, json!({"code": "idempotency_key_in_use"}), StripeErrorKind::Unavailable),
            (429, json!({"code": "rate_limit"}), StripeErrorKind::Unavailable),
            (302, json!(null), StripeErrorKind::Unavailable),
            (500, json!(null), StripeErrorKind::Unavailable),
            (503, json!("text"), StripeErrorKind::Unavailable),
        ];
        for (status, body, kind) in rows {
            assert_eq!(answered(status, body.clone()).kind, kind, "{status} {body}");
        }
        assert!(answered(400, json!({"type": "idempotency_error"})).is_key_reused());
        let lacks = "The provided key 'rk_test_1' lacks it on account 'acct_1Nuz'. Having the 'rak_x' permission would";
        assert_eq!(answered(403, json!({ "message": lacks })).account(), Some("acct_1Nuz"));
        assert_eq!(answered(403, json!(null)).account(), None);
        for (status, is_replayed, is_final) in [
            (400, false, true),
            (401, false, true),
            (402, false, true),
            (404, false, true),
            (409, false, false),
            (429, false, false),
            (500, false, false),
            (500, true, true),
            (503, true, true),
        ] {
            let error = StripeError { is_replayed, ..answered(status, json!(null)) };
            assert_eq!(error.is_final(), is_final, "{status} {is_replayed}");
        }
        assert!(!StripeError::unanswered("no answer").is_final());
    }

    #[test]
    fn a_message_is_one_line_without_keys() {
        let long = "x".repeat(9000);
        let rows = [
            ("Invalid API Key provided: sk_test_****1234", "Invalid API Key provided: (key)"),
            ("key 'rk_live_abc' and\nwhsec_x!", "key '(key)' and (key)!"),
            (
                "No such customer: 'cus_1'; a similar object exists",
                "No such customer: 'cus_1'; a similar object exists",
            ),
            ("für ask_sk", "für ask_sk"),
            ("No customer has <ada.l+x@example.org>.", "No customer has <(address)>."),
            (&long, &long[..MESSAGE_LIMIT]),
        ];
        for (message, expected) in rows {
            assert_eq!(answered(400, json!({"message": message})).message, expected);
        }
        let quoted = json!({"message": "Invalid email address: Ada <ada@localhost>", "param": "email"});
        assert!(!answered(400, quoted).message.contains("Ada"));
    }

    #[test]
    fn the_user_reads_our_words_and_not_stripes() {
        let rows = [
            (500, "stripe_unavailable"),
            (401, "stripe_rejected"),
            (403, "stripe_rejected"),
            (404, "stripe_rejected"),
            (400, "stripe_rejected"),
        ];
        for (status, code) in rows {
            match Error::from(answered(status, json!({"message": "SECRET REASON"}))) {
                Error::Refused(refused) => {
                    assert_eq!(refused.code(), code);
                    assert!(!refused.detail().contains("SECRET REASON"));
                }
                Error::Fault(fault) => panic!("{fault}"),
            }
        }
        let unreadable = Error::from(StripeError::from(Unreadable::new("the price has no id")));
        assert_eq!(unreadable.to_string(), "Stripe's answer cannot be read: Stripe: the price has no id");
    }
}
