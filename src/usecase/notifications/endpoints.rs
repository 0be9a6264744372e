//! What the operator does with webhook endpoints: adds, changes and removes them, and looks after their deliveries.

use crate::app::App;
use crate::backoff::NOTIFICATION_PATIENCE_MILLIS;
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::error::{Error, Refused, Result};
use crate::id;
use crate::notification::network::Networks;
use crate::notification::sender::{Notification, Reply, Sender};
use crate::notification::{Topic, body, signature};
use crate::secret::Secret;
use crate::store::outbox::{self, Delivery, DeliveryPlace};
use crate::store::webhook_endpoints::{self, ENDPOINTS_LIMIT, WebhookEndpoint};
use crate::usecase::audit;
use crate::usecase::batches;

/// How long the older of two secrets signs as well.
const ROLL_SECONDS: i64 = DAY_SECONDS;
/// Deliveries changed or removed in one transaction.
const BATCH: i64 = 500;
/// Transactions of one [`retry_parked`].
const BATCHES: usize = 200;

/// A sender for the networks that are configured.
pub fn sender(app: &App) -> Sender {
    Sender::new(networks(app))
}

/// Adds an endpoint for these topics, or for all when none is named.
pub fn add(app: &App, url: &str, topics: &[Topic]) -> Result<WebhookEndpoint> {
    let url = networks(app).check_url(url).map_err(|expected| {
        let shown: String = url.chars().take(200).collect();
        Refused::InvalidRequest(format!("The URL is {shown:?}: {expected}."))
    })?;
    let words: Vec<&str> =
        Topic::ALL.iter().filter(|topic| topics.contains(topic)).map(|topic| topic.as_str()).collect();
    let now = app.clock.now();
    let endpoint = WebhookEndpoint {
        id: id::ordered_id("hook", now)?,
        url,
        kinds: if words.is_empty() { "*".to_owned() } else { words.join(",") },
        secret: signature::new_secret()?,
        older_secret: None,
        created_at: now,
        disabled_at: None,
    };
    let stored = endpoint.clone();
    let is_added = audit::write(app, move |tx, trail| {
        let is_added = webhook_endpoints::add(tx, &stored)?;
        if is_added {
            trail.add(tx, "hook_added", &stored.id, stored.kinds.clone())?;
        }
        Ok(is_added)
    })?;
    if !is_added {
        let detail =
            format!("There are {ENDPOINTS_LIMIT} endpoints already, which is the most. Remove one: till hook remove.");
        return Err(Refused::WrongState(detail).into());
    }
    tracing::info!(event = "hook_added", hook = endpoint.id, kinds = endpoint.kinds);
    Ok(endpoint)
}

/// All endpoints, oldest first.
pub fn list(app: &App) -> Result<Vec<WebhookEndpoint>> {
    app.store.read(webhook_endpoints::all)
}

/// The endpoint with this id.
pub fn show(app: &App, id: &str) -> Result<WebhookEndpoint> {
    app.store.read(|tx| webhook_endpoints::find(tx, id))?.ok_or_else(|| unknown(id))
}

/// Turns an endpoint off: nothing more is queued for it or sent to it, and what is queued already waits.
pub fn disable(app: &App, id: &str) -> Result<()> {
    set_disabled(app, id, Some(app.clock.now()))
}

/// Turns an endpoint on again: what waited is sent.
pub fn enable(app: &App, id: &str) -> Result<()> {
    set_disabled(app, id, None)
}

/// Removes an endpoint and its deliveries.
pub fn remove(app: &App, id: &str) -> Result<()> {
    // Turned off first, so that nothing is added while its deliveries are removed in batches.
    disable(app, id)?;
    loop {
        let id = id.to_owned();
        let is_removed = audit::write(app, move |tx, trail| {
            let is_removed = webhook_endpoints::remove(tx, &id, BATCH)?;
            if is_removed {
                trail.add(tx, "hook_removed", &id, None)?;
            }
            Ok(is_removed)
        })?;
        if is_removed {
            break;
        }
    }
    tracing::info!(event = "hook_removed", hook = id);
    Ok(())
}

/// Gives an endpoint a new secret. For a day the old one signs as well, so that the receiver can change over.
pub fn roll(app: &App, id: &str) -> Result<Secret> {
    let secret = signature::new_secret()?;
    let (endpoint, new, until) = (id.to_owned(), secret.clone(), app.clock.now().plus_seconds(ROLL_SECONDS));
    let is_rolled = audit::write(app, move |tx, trail| {
        let is_rolled = webhook_endpoints::roll(tx, &endpoint, &new, until)?;
        if is_rolled {
            trail.add(tx, "hook_secret_rolled", &endpoint, None)?;
        }
        Ok(is_rolled)
    })?;
    if !is_rolled {
        return Err(unknown(id));
    }
    tracing::info!(event = "hook_secret_rolled", hook = id);
    Ok(secret)
}

/// Sends a test notification to an endpoint now, and returns its reply. Nothing of it is stored.
pub fn test(app: &App, sender: &Sender, id: &str) -> Result<Reply> {
    let (endpoint, now) = (show(app, id)?, app.clock.now());
    audit::record_look(app, "hook_tested", &endpoint.id)?;
    let (message, text) = (id::ordered_id("msg", now)?, body::test(id, now)?);
    let secrets = endpoint.secrets(now);
    Ok(sender.send(&Notification { url: &endpoint.url, id: &message, body: &text, secrets: &secrets, at: now })?)
}

/// Deliveries after this place, the newest notification first; with `parked` only those that were given up.
pub fn deliveries(app: &App, parked: bool, after: Option<&DeliveryPlace>, limit: i64) -> Result<Vec<Delivery>> {
    app.store.read(|tx| outbox::list(tx, parked, after, limit))
}

/// Queues the deliveries of a notification that did not arrive again, for another three days. Returns how many.
pub fn retry(app: &App, message: &str) -> Result<usize> {
    let (id, now) = (message.to_owned(), app.clock.now());
    let found = audit::write(app, move |tx, trail| {
        let Some(open) = outbox::not_delivered(tx, &id)? else { return Ok(None) };
        open.iter().try_for_each(|place| outbox::reopen(tx, place, now, give_up_at(now)))?;
        trail.add(tx, "message_retried", &id, None)?;
        Ok(Some(open.len()))
    })?;
    found.ok_or_else(|| Refused::NotFound(format!("There is no message {message:?}. See till hook deliveries.")).into())
}

/// Queues every delivery that was given up again. Returns how many.
pub fn retry_parked(app: &App) -> Result<usize> {
    let now = app.clock.now();
    batches::run(BATCHES, || {
        audit::write(app, move |tx, trail| {
            let parked = outbox::parked(tx, BATCH)?;
            parked.iter().try_for_each(|place| outbox::reopen(tx, place, now, give_up_at(now)))?;
            if !parked.is_empty() {
                trail.add(tx, "messages_retried", "parked", parked.len().to_string())?;
            }
            Ok(parked.len())
        })
    })
}

fn networks(app: &App) -> Networks {
    Networks::new(app.config.hook_private_networks.clone())
}

fn set_disabled(app: &App, id: &str, at: Option<Timestamp>) -> Result<()> {
    let endpoint = id.to_owned();
    let changed = audit::write(app, move |tx, trail| {
        if webhook_endpoints::find(tx, &endpoint)?.is_none() {
            return Ok(None);
        }
        let is_changed = webhook_endpoints::set_disabled(tx, &endpoint, at)?;
        if is_changed {
            trail.add(tx, if at.is_some() { "hook_disabled" } else { "hook_enabled" }, &endpoint, None)?;
        }
        Ok(Some(is_changed))
    })?;
    match (changed, at) {
        (None, _) => return Err(unknown(id)),
        (Some(true), Some(_)) => tracing::info!(event = "hook_disabled", hook = id),
        (Some(true), None) => tracing::info!(event = "hook_enabled", hook = id),
        (Some(false), _) => {}
    }
    Ok(())
}

fn give_up_at(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.millis().saturating_add(NOTIFICATION_PATIENCE_MILLIS))
}

fn unknown(id: &str) -> Error {
    let shown: String = id.chars().take(60).collect();
    Refused::NotFound(format!("There is no hook {shown:?}. See till hook list.")).into()
}
