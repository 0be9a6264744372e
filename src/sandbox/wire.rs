//! What goes over the wire: JSON as Stripe prints it, and its signature. Source: Stripe, "Check the webhook
//! signatures": HMAC-SHA256 with the whole `whsec_…` text as the key over the time, a full stop and the body.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::id;
use crate::secret::Secret;

/// JSON with `id` and `object` first, the other names in alphabetical order, two spaces per level, and an empty line in
/// an empty list: the form of Stripe's webhooks and answers.
pub fn render(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let rank = |name: &str| match name {
                "id" => 0,
                "object" => 1,
                _ => 2,
            };
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_by(|a, b| (rank(a), a).cmp(&(rank(b), b)));
            text.push('{');
            for (index, name) in names.into_iter().enumerate() {
                text.push_str(if index == 0 { "\n" } else { ",\n" });
                indent(depth + 1, text);
                text.push_str(&Value::String(name.clone()).to_string());
                text.push_str(": ");
                write(&fields[name], depth + 1, text);
            }
            text.push('\n');
            indent(depth, text);
            text.push('}');
        }
        Value::Array(items) => {
            text.push_str("[\n");
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ",\n" });
                indent(depth + 1, text);
                write(item, depth + 1, text);
            }
            text.push('\n');
            indent(depth, text);
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

fn indent(depth: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// The value of `Stripe-Signature` for a body sent at `seconds`.
pub fn signature(secret: &Secret, seconds: i64, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) else { return String::new() };
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    format!("t={seconds},v1={}", id::hex(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_printed_as_stripe_prints_it() {
        let value = json!({"b": [], "object": "x", "id": "1", "a": {}, "c": [1, {"n": null}], "d": "é\"\n"});
        let expected = "{\n  \"id\": \"1\",\n  \"object\": \"x\",\n  \"a\": {\n  },\n  \"b\": [\n\n  ],\n  \"c\": [\n    \
                        1,\n    {\n      \"n\": null\n    }\n  ],\n  \"d\": \"é\\\"\\n\"\n}";
        assert_eq!(render(&value), expected);
        assert_eq!(serde_json::from_str::<Value>(&render(&value)).unwrap(), value);
    }

    #[test]
    fn the_signature_is_the_hmac_of_time_and_body_under_the_whole_secret() {
        // The HMAC was computed with openssl: printf '1790000000.{}' | openssl dgst -sha256 -hmac whsec_test
        assert_eq!(
            signature(&Secret::new("whsec_test"), 1_790_000_000, "{}"),
            "t=1790000000,v1=1c2847ad1f8158a1da978f36627ac1f07f7fd027321ac9ad40bccc06743f8396"
        );
        assert_ne!(
            signature(&Secret::new("whsec_test"), 1_790_000_000, "{}"),
            signature(&Secret::new("whsec_test"), 1_790_000_001, "{}")
        );
    }
}
