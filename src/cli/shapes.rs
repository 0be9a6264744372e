//! What `--json` prints of things that the service API does not show, in its manner. Users, entries and holds are those of
//! `http::api::shapes`.

use serde::Serialize;
use serde_json::Value;

use crate::clock::{Timestamp, rfc3339};
use crate::store::access;
use crate::store::inbox::InboxRow;
use crate::store::outbox;
use crate::store::webhook_endpoints;

/// A listing of all there is.
#[derive(Serialize)]
pub(super) struct Listed<T> {
    pub data: Vec<T>,
}

impl<T> Listed<T> {
    pub(super) fn whole(data: Vec<T>) -> Listed<T> {
        Listed { data }
    }
}

/// A token that was just made, with its secret.
#[derive(Serialize)]
pub(super) struct NewToken<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub scopes: Vec<&'a str>,
    pub token: &'a str,
}

/// A token as it is listed.
#[derive(Serialize)]
pub(super) struct Token<'a> {
    id: &'a str,
    name: &'a str,
    scopes: Vec<&'a str>,
    created_at: String,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
}

impl<'a> From<&'a access::Token> for Token<'a> {
    fn from(token: &'a access::Token) -> Token<'a> {
        Token {
            id: &token.id,
            name: &token.name,
            scopes: token.scopes.split(',').collect(),
            created_at: rfc3339(token.created_at),
            last_used_at: time(token.last_used_at),
            revoked_at: time(token.revoked_at),
        }
    }
}

/// A row of the inbox.
#[derive(Serialize)]
pub(super) struct Event<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    api_version: Option<&'a str>,
    livemode: bool,
    object: Option<&'a str>,
    status: &'static str,
    detail: &'a str,
    waits_for: Option<&'a str>,
    attempts: i64,
    created_at: String,
    received_at: String,
    decided_at: String,
    next_attempt_at: Option<String>,
    /// What Stripe sent; in a listing left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

impl<'a> Event<'a> {
    pub(super) fn with_body(row: &'a InboxRow) -> Event<'a> {
        let text = &row.event.body;
        Event { body: Some(serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())), ..row.into() }
    }
}

impl<'a> From<&'a InboxRow> for Event<'a> {
    fn from(row: &'a InboxRow) -> Event<'a> {
        Event {
            id: &row.event.id,
            kind: &row.event.kind,
            api_version: row.event.api_version.as_deref(),
            livemode: row.event.livemode,
            object: row.event.object.as_deref(),
            status: row.decision.status.as_str(),
            detail: &row.decision.detail,
            waits_for: row.decision.waits_for.as_deref(),
            attempts: row.attempts,
            created_at: rfc3339(row.event.created_at),
            received_at: rfc3339(row.event.received_at),
            decided_at: rfc3339(row.decided_at),
            next_attempt_at: time(row.decision.next_attempt_at),
            body: None,
        }
    }
}

/// An endpoint of outgoing webhooks, without its secret.
#[derive(Serialize)]
pub(super) struct Hook<'a> {
    id: &'a str,
    url: &'a str,
    /// All kinds as the one word `*`.
    events: Vec<&'a str>,
    created_at: String,
    disabled_at: Option<String>,
    /// Until when the secret before this one signs as well.
    older_secret_until: Option<String>,
    /// In the answer that makes it only.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

impl<'a> Hook<'a> {
    pub(super) fn with_secret(hook: &'a webhook_endpoints::WebhookEndpoint) -> Hook<'a> {
        Hook { secret: Some(hook.secret.reveal()), ..hook.into() }
    }
}

impl<'a> From<&'a webhook_endpoints::WebhookEndpoint> for Hook<'a> {
    fn from(hook: &'a webhook_endpoints::WebhookEndpoint) -> Hook<'a> {
        Hook {
            id: &hook.id,
            url: &hook.url,
            events: hook.kinds.split(',').collect(),
            created_at: rfc3339(hook.created_at),
            disabled_at: time(hook.disabled_at),
            older_secret_until: time(hook.older_secret.as_ref().map(|(_, until)| *until)),
            secret: None,
        }
    }
}

/// A message on its way to an endpoint.
#[derive(Serialize)]
pub(super) struct Delivery<'a> {
    hook_id: &'a str,
    message_id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    user_id: &'a str,
    status: &'static str,
    attempts: i64,
    created_at: String,
    last_attempt_at: Option<String>,
    last_status: Option<i64>,
    last_error: Option<&'a str>,
    next_attempt_at: Option<String>,
    delivered_at: Option<String>,
    parked_at: Option<String>,
}

impl<'a> From<&'a outbox::Delivery> for Delivery<'a> {
    fn from(row: &'a outbox::Delivery) -> Delivery<'a> {
        Delivery {
            hook_id: &row.endpoint,
            message_id: &row.message,
            kind: &row.kind,
            user_id: &row.user_id,
            status: row.status(),
            attempts: row.attempts,
            created_at: rfc3339(row.created_at),
            last_attempt_at: time(row.last_attempt_at),
            last_status: row.last_status,
            last_error: row.last_error.as_deref(),
            next_attempt_at: time(row.next_attempt_at),
            delivered_at: time(row.delivered_at),
            parked_at: time(row.parked_at),
        }
    }
}

/// What a test message came to.
#[derive(Serialize)]
pub(super) struct Tested<'a> {
    pub id: &'a str,
    pub delivered: bool,
    pub status: Option<u16>,
    pub said: &'a str,
}

/// What the proof found.
#[derive(Serialize)]
pub(super) struct Proof {
    /// Whether the books hold.
    pub holds: bool,
    pub accounts: u64,
    pub entries: u64,
    pub breaks: Vec<Discrepancy>,
}

/// Where the books do not hold.
#[derive(Serialize)]
pub(super) struct Discrepancy {
    pub account: i64,
    /// The entry's id; null for the account as a whole.
    pub entry: Option<String>,
    pub what: String,
}

/// What a replay did, or would do.
#[derive(Serialize)]
pub(super) struct Replay<'a> {
    pub id: &'a str,
    pub dry_run: bool,
    pub status: &'static str,
    pub detail: &'a str,
    pub waits_for: Option<&'a str>,
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(rfc3339)
}
