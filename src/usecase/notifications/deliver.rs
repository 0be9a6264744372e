//! Notifications leave the outbox. At least once: a delivery is marked after its answer, so a crash in between sends it
//! again under the same id. In order, for each endpoint and user. Reading, sending and recording are separate steps,
//! because no transaction may wait for the network, and an endpoint may be slow.

use crate::app::App;
use crate::backoff;
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::error::{Fault, Result};
use crate::id;
use crate::metrics::DeliveryLabels;
use crate::notification::sender::{Notification, Reply, Sender};
use crate::notification::{Topic, body};
use crate::secret::Secret;
use crate::store::outbox::{self, Attempt, DeliveryOutcome, DueDelivery};
use crate::store::{Tx, webhook_endpoints};
use crate::usecase::batches;

/// Deliveries to one endpoint that are read at once.
const BATCH: i64 = 16;
/// Old rows removed in one transaction.
const REMOVE_BATCH: i64 = 500;
/// Transactions of one clean-up.
const REMOVE_BATCHES: usize = 20;
/// Characters of an error that are kept; the table takes a few more.
const ERROR_LIMIT: usize = 200;
const DELIVERED_KEPT_SECONDS: i64 = 30 * DAY_SECONDS;
const PARKED_KEPT_SECONDS: i64 = 90 * DAY_SECONDS;

/// A delivery that is due, with everything that is needed to send it.
#[derive(Clone, Debug)]
pub struct PreparedDelivery {
    due: DueDelivery,
    url: String,
    secrets: Vec<Secret>,
    topup_url: String,
}

impl PreparedDelivery {
    /// Sends it. A notification that cannot be written or signed counts as a failed attempt, so that it does not hold up
    /// the others.
    pub fn send(&self, sender: &Sender, now: Timestamp) -> Reply {
        let reply = self.body().and_then(|body| {
            sender.send(&Notification {
                url: &self.url,
                id: &self.due.message,
                body: &body,
                secrets: &self.secrets,
                at: now,
            })
        });
        reply.unwrap_or_else(|fault| Reply { status: None, detail: fault.to_string(), retry_after: None })
    }

    fn body(&self) -> std::result::Result<String, Fault> {
        if self.due.kind == Topic::LowBalance.as_str() {
            return body::low_balance_as_sent(&self.due.body, &self.topup_url);
        }
        Ok(self.due.body.clone())
    }
}

/// The ids of the endpoints to which something is due.
pub fn endpoints_due(app: &App) -> Result<Vec<String>> {
    let now = app.clock.now();
    app.store.read(|tx| outbox::endpoints_due(tx, now))
}

/// What is due to an endpoint now: of each user only the first notification.
pub fn due(app: &App, endpoint: &str) -> Result<Vec<PreparedDelivery>> {
    let now = app.clock.now();
    app.store.read(|tx: &mut dyn Tx| {
        let endpoint = webhook_endpoints::find(tx, endpoint)?.filter(|endpoint| endpoint.disabled_at.is_none());
        let Some(endpoint) = endpoint else { return Ok(vec![]) };
        let prepare = |due| PreparedDelivery {
            due,
            url: endpoint.url.clone(),
            secrets: endpoint.secrets(now),
            topup_url: app.topup_url(),
        };
        Ok(outbox::due(tx, &endpoint.id, now, BATCH)?.into_iter().map(prepare).collect())
    })
}

/// Records the result of an attempt: delivered, to be tried again later, or parked after three days. An endpoint that
/// answered 410 Gone is disabled.
pub fn record(app: &App, delivery: &PreparedDelivery, reply: &Reply) -> Result<DeliveryOutcome> {
    let (due, now) = (delivery.due.clone(), app.clock.now());
    let outcome = outcome(&due, reply, now, app.clock.is_plausible())?;
    let attempt = Attempt {
        at: now,
        status: reply.status.map(i64::from),
        error: (!reply.is_delivered()).then(|| reply.detail.chars().take(ERROR_LIMIT).collect()),
        outcome,
    };
    let is_gone = reply.is_gone();
    let is_disabled = app.store.write(move |tx| {
        outbox::record_attempt(tx, &due, &attempt)?;
        Ok(is_gone && webhook_endpoints::set_disabled(tx, &due.endpoint, Some(now))?)
    })?;
    log(app, &delivery.due, reply, outcome);
    if is_disabled {
        let hook = &delivery.due.endpoint;
        tracing::error!(event = "hook_disabled", hook, "it answered 410 Gone; till hook enable turns it on again");
    }
    Ok(outcome)
}

/// Removes what was delivered a month ago, or parked a quarter of a year ago; nothing while the clock is
/// implausible. Returns the number of rows.
pub fn remove_old(app: &App) -> Result<usize> {
    if !app.clock.is_plausible() {
        return Ok(0);
    }
    let now = app.clock.now();
    let delivered_before = now.plus_seconds(-DELIVERED_KEPT_SECONDS);
    let parked_before = now.plus_seconds(-PARKED_KEPT_SECONDS);
    batches::run(REMOVE_BATCHES, || {
        app.store.write(move |tx| outbox::remove_old(tx, delivered_before, parked_before, REMOVE_BATCH))
    })
}

/// Nothing is given up while the clock is implausible.
fn outcome(
    due: &DueDelivery,
    reply: &Reply,
    now: Timestamp,
    is_plausible: bool,
) -> std::result::Result<DeliveryOutcome, Fault> {
    if reply.is_delivered() {
        return Ok(DeliveryOutcome::Delivered);
    }
    if now >= due.give_up_at && is_plausible {
        return Ok(DeliveryOutcome::Parked);
    }
    let random = u64::from_le_bytes(id::random_bytes()?);
    let wait = backoff::notification_wait_millis(due.attempts.saturating_add(1), reply.retry_after, random);
    let next = Timestamp::from_millis(now.millis().saturating_add(wait));
    Ok(DeliveryOutcome::Again(if is_plausible { next.min(due.give_up_at) } else { next }))
}

/// Neither the URL nor the body: both may hold secrets.
fn log(app: &App, due: &DueDelivery, reply: &Reply, outcome: DeliveryOutcome) {
    let (hook, message, kind, attempts) = (&due.endpoint, &due.message, &due.kind, due.attempts + 1);
    let (status, said) = (reply.status, &reply.detail);
    let label = match outcome {
        DeliveryOutcome::Delivered => {
            tracing::debug!(event = "hook_delivered", hook, message, kind, attempts, status);
            "delivered"
        }
        DeliveryOutcome::Again(_) => {
            tracing::warn!(event = "hook_not_delivered", hook, message, kind, attempts, status, said);
            "failed"
        }
        DeliveryOutcome::Parked => {
            tracing::error!(event = "hook_parked", hook, message, kind, attempts, status, said);
            "parked"
        }
    };
    app.metrics.hook_deliveries.get_or_create(&DeliveryLabels { status: label }).inc();
}
