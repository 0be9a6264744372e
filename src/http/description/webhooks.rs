//! What till sends to the app's own endpoints, as OpenAPI's `webhooks` (OpenAPI Specification 3.1.1, "Fixed Fields" of the
//! OpenAPI Object). The shapes are those of `notification::body`, which writes the messages.

use schemars::generate::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::operation::{SchemaOf, schema_of};
use crate::error::Fault;
use crate::notification::Topic;
use crate::notification::body::{Credit, LowBalanceWithUrl, PlanChange, Reversal, UnitsExpiring};

/// Of one topic: when it is sent, the schema of its data, and an example of them.
fn of(topic: Topic) -> (&'static str, SchemaOf, &'static str) {
    match topic {
        Topic::ToppedUp => (
            "A pack was credited.",
            schema_of::<Credit<'static>>,
            r#"{"user_id":"alice","units":100,"balance":104,"reason":"topup_pi_1","entry_id":"ent_1_5","plan":"topup_100"}"#,
        ),
        Topic::Allotted => (
            "A plan's units came, or a downgrade took some back: then `units` is negative and `plan` is null.",
            schema_of::<Credit<'static>>,
            r#"{"user_id":"alice","units":100,"balance":204,"reason":"sub_in_1","entry_id":"ent_1_6","plan":"starter"}"#,
        ),
        Topic::LowBalance => (
            "`remaining` fell below the threshold; once each time.",
            schema_of::<LowBalanceWithUrl<'static>>,
            r#"{"user_id":"alice","remaining":4,"threshold":10,"topup_url":"https://till.example.org/dashboard"}"#,
        ),
        Topic::UnitsExpiring => (
            "Units expire within seven days; once for each time of expiry.",
            schema_of::<UnitsExpiring<'static>>,
            r#"{"user_id":"alice","units":40,"at":"2027-02-07T09:30:00.000Z"}"#,
        ),
        Topic::PlanChanged => (
            "The user's plan changed.",
            schema_of::<PlanChange<'static>>,
            r#"{"user_id":"alice","plan":"starter","previous_plan":"free","features":[],"status":"active"}"#,
        ),
        Topic::Reversed => (
            "A refund or a dispute took units, or gave them back: then `units` is positive.",
            schema_of::<Reversal<'static>>,
            r#"{"user_id":"alice","units":-100,"balance":4,"reason":"refund_re_1","entry_id":"ent_1_7","cause":"refund"}"#,
        ),
    }
}

/// The section `webhooks` of the document.
pub(crate) fn described(answers: &mut SchemaGenerator) -> Result<Value, Fault> {
    let mut webhooks = Map::new();
    for topic in Topic::ALL {
        let (when, schema, example) = of(topic);
        let data: Value = serde_json::from_str(example)
            .map_err(|cause| Fault::new(format!("an example is no JSON: {example}"), cause))?;
        let name = topic.as_str();
        webhooks.insert(
            name.to_owned(),
            json!({ "post": {
                "operationId": name.replace('.', "_"),
                "summary": when,
                "description": DELIVERY,
                "security": [],
                "parameters": [
                    header("webhook-id", "The message's id, the same each time that it is sent: `msg_…`.", "msg_1"),
                    header("webhook-timestamp", "The time of this attempt, in seconds since 1970.", "1790000000"),
                    header("webhook-signature", "`v1,` and the base64 of the HMAC-SHA256, one for each secret.", "v1,a1b2"),
                ],
                "requestBody": { "required": true, "content": { "application/json": {
                    "schema": envelope(name, schema(answers).to_value()),
                    "example": { "type": name, "timestamp": "2027-01-31T09:30:00.000Z", "data": data },
                } } },
                "responses": {
                    "2XX": { "description": "The message is taken. Anything else is tried again for three days." },
                    "410": { "description": "The endpoint wants no more messages and is turned off." },
                },
            } }),
        );
    }
    Ok(webhooks.into())
}

const DELIVERY: &str = "\
Sent to the endpoints of `till hook add`, signed by the Standard Webhooks specification, at least once, and in order for each \
user. Answer within 15 seconds.";

fn header(name: &str, text: &str, example: &str) -> Value {
    json!({
        "name": name, "in": "header", "required": true, "description": text, "schema": { "type": "string" },
        "example": example,
    })
}

fn envelope(topic: &str, data: Value) -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": { "type": "string", "const": topic },
            "timestamp": { "type": "string", "format": "date-time", "description": "When it happened." },
            "data": data,
        },
        "required": ["type", "timestamp", "data"],
    })
}
