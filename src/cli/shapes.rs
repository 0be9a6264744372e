//! What `--json` prints of things that the service API does not have, in the API's style. Users and entries are printed by
//! `http::api::shapes`.

use serde::Serialize;
use serde_json::Value;

use crate::clock::{Timestamp, rfc3339};
use crate::id::hex;
use crate::ledger::BooksHead;
use crate::store::access;
use crate::store::inbox::{IgnoreReason, InboxRow};
use crate::store::outbox;
use crate::store::webhook_endpoints::WebhookEndpoint;
use crate::usecase::operator::head::Anchor;
use crate::usecase::stripe_events::apply::EventOutcome;
use crate::usecase::stripe_events::changes::Change;
use crate::usecase::stripe_events::link::{LinkReport, LinkedEvent};
use crate::usecase::stripe_events::reconcile::UnconfirmedPayment;

/// A list without further pages.
#[derive(Serialize)]
pub(super) struct WholeList<T> {
    data: Vec<T>,
}

impl<T> WholeList<T> {
    pub(super) fn of<'a, R>(rows: &'a [R]) -> WholeList<T>
    where
        T: From<&'a R>,
    {
        WholeList { data: rows.iter().map(T::from).collect() }
    }
}

/// A new token, with its secret.
#[derive(Serialize)]
pub(super) struct NewTokenShape<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub scopes: Vec<&'a str>,
    pub token: &'a str,
}

#[derive(Serialize)]
pub(super) struct TokenShape<'a> {
    id: &'a str,
    name: &'a str,
    scopes: Vec<&'a str>,
    /// Whose it is, with the scope `self`.
    user_id: Option<&'a str>,
    created_at: String,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
}

impl<'a> From<&'a access::Token> for TokenShape<'a> {
    fn from(token: &'a access::Token) -> TokenShape<'a> {
        TokenShape {
            id: &token.id,
            name: &token.name,
            scopes: token.scopes.split(',').collect(),
            user_id: token.owner.as_ref().map(|(_, user)| user.as_str()),
            created_at: rfc3339(token.created_at),
            last_used_at: time(token.last_used_at),
            revoked_at: time(token.revoked_at),
        }
    }
}

#[derive(Serialize)]
pub(super) struct EventShape<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    api_version: Option<&'a str>,
    livemode: bool,
    object: Option<&'a str>,
    status: &'static str,
    /// `foreign` or `dismissed`, of an ignored payment.
    ignore_reason: Option<&'static str>,
    detail: &'a str,
    waits_for: Option<&'a str>,
    attempts: i64,
    created_at: String,
    received_at: String,
    decided_at: String,
    next_attempt_at: Option<String>,
    /// What Stripe sent, null once it is no longer kept; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

impl<'a> EventShape<'a> {
    pub(super) fn with_body(row: &'a InboxRow) -> EventShape<'a> {
        let read = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into());
        EventShape { body: Some(row.event.body.as_ref().map_or(Value::Null, read)), ..row.into() }
    }
}

impl<'a> From<&'a InboxRow> for EventShape<'a> {
    fn from(row: &'a InboxRow) -> EventShape<'a> {
        EventShape {
            id: &row.event.id,
            kind: &row.event.kind,
            api_version: row.event.api_version.as_deref(),
            livemode: row.event.livemode,
            object: row.event.object.as_deref(),
            status: row.decision.status.as_str(),
            ignore_reason: row.decision.ignore_reason.map(IgnoreReason::as_str),
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

/// An endpoint of outgoing webhooks.
#[derive(Serialize)]
pub(super) struct EndpointShape<'a> {
    id: &'a str,
    url: &'a str,
    /// `*` alone for all.
    events: Vec<&'a str>,
    created_at: String,
    disabled_at: Option<String>,
    /// Until when the previous secret signs as well.
    older_secret_until: Option<String>,
    /// Shown only when the endpoint is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

impl<'a> EndpointShape<'a> {
    pub(super) fn with_secret(hook: &'a WebhookEndpoint) -> EndpointShape<'a> {
        EndpointShape { secret: Some(hook.secret.reveal()), ..hook.into() }
    }
}

impl<'a> From<&'a WebhookEndpoint> for EndpointShape<'a> {
    fn from(hook: &'a WebhookEndpoint) -> EndpointShape<'a> {
        EndpointShape {
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

/// One message to one endpoint.
#[derive(Serialize)]
pub(super) struct DeliveryShape<'a> {
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

impl<'a> From<&'a outbox::Delivery> for DeliveryShape<'a> {
    fn from(row: &'a outbox::Delivery) -> DeliveryShape<'a> {
        DeliveryShape {
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

/// How an endpoint answered a test message.
#[derive(Serialize)]
pub(super) struct TestShape<'a> {
    pub id: &'a str,
    pub delivered: bool,
    pub status: Option<u16>,
    pub said: &'a str,
}

/// The result of `till ledger verify`.
#[derive(Serialize)]
pub(super) struct ProofShape {
    pub holds: bool,
    pub accounts: u64,
    pub entries: u64,
    pub breaks: Vec<DiscrepancyShape>,
}

#[derive(Serialize)]
pub(super) struct DiscrepancyShape {
    /// Null for the books as a whole.
    pub account: Option<i64>,
    /// The entry's id; null for the account as a whole.
    pub entry: Option<String>,
    pub what: String,
}

/// The anchor of the books.
#[derive(Serialize)]
pub(super) struct HeadShape {
    /// The line itself.
    anchor: String,
    number: i64,
    accounts: i64,
    entries: i64,
    digest: String,
    taken_at: Option<String>,
}

impl HeadShape {
    pub(super) fn of(anchor: &Anchor) -> HeadShape {
        let BooksHead { accounts, entries, digest } = anchor.head;
        let (line, number) = (anchor.to_string(), anchor.number);
        HeadShape { anchor: line, number, accounts, entries, digest: hex(&digest), taken_at: time(anchor.taken_at) }
    }
}

/// What applying an event did, or would do.
#[derive(Serialize)]
pub(super) struct ReplayShape<'a> {
    pub id: &'a str,
    pub dry_run: bool,
    pub status: &'static str,
    pub detail: &'a str,
    pub waits_for: Option<&'a str>,
    pub changes: Vec<ChangeShape<'a>>,
}

/// What an event changes.
#[derive(Serialize)]
pub(super) struct ChangeShape<'a> {
    pub what: &'static str,
    pub user_id: &'a str,
    pub units: Option<i64>,
    pub balance: Option<i64>,
    pub detail: String,
}

impl<'a> ChangeShape<'a> {
    pub fn of(outcome: &'a EventOutcome) -> Vec<ChangeShape<'a>> {
        let shape =
            |Change { what, user_id, units, balance, detail }| ChangeShape { what, user_id, units, balance, detail };
        outcome.changes().into_iter().map(shape).collect()
    }
}

/// What dismissing an event closed.
#[derive(Serialize)]
pub(super) struct DismissShape<'a> {
    pub id: &'a str,
    pub dry_run: bool,
    pub status: &'static str,
    pub detail: &'a str,
    /// Every event that was closed: those that tell of the same payment, too.
    pub closed: &'a [String],
}

/// What linking a customer did.
#[derive(Serialize)]
pub(super) struct LinkShape<'a> {
    user_id: &'a str,
    customer: &'a str,
    dry_run: bool,
    /// False if the customer was this user's before.
    is_new: bool,
    events: Vec<LinkedEventShape<'a>>,
}

#[derive(Serialize)]
struct LinkedEventShape<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    status: &'static str,
    detail: &'a str,
}

impl<'a> LinkShape<'a> {
    pub(super) fn of(report: &'a LinkReport, dry_run: bool) -> LinkShape<'a> {
        let event = |event: &'a LinkedEvent| LinkedEventShape {
            id: &event.id,
            kind: &event.kind,
            status: event.outcome.status.as_str(),
            detail: &event.outcome.detail,
        };
        LinkShape {
            user_id: &report.user_id,
            customer: &report.customer,
            dry_run,
            is_new: report.is_new,
            events: report.events.iter().map(event).collect(),
        }
    }
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(rfc3339)
}

/// A payment in the books that Stripe does not confirm.
#[derive(Serialize)]
pub(super) struct UnconfirmedShape<'a> {
    reference: &'a str,
    user_id: &'a str,
    offer: &'a str,
    units: i64,
    amount: i64,
    currency: &'a str,
    detail: &'a str,
}

impl<'a> From<&'a UnconfirmedPayment> for UnconfirmedShape<'a> {
    fn from(payment: &'a UnconfirmedPayment) -> UnconfirmedShape<'a> {
        let UnconfirmedPayment { reference, user_id, offer, units, amount, currency, detail } = payment;
        UnconfirmedShape { reference, user_id, offer, units: *units, amount: *amount, currency, detail }
    }
}
