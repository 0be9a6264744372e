//! Messages leave: the log hears of low balances, endpoints of everything they asked for. At least once: a message is
//! marked after its answer, so that a crash in between sends it again under the same id. In order for each endpoint and
//! user. Reading, sending and recording are apart, because no network is in a transaction and the sender may be slow.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::id;
use crate::metrics::DeliveryLabels;
use crate::notification::backoff;
use crate::notification::sender::{Notification, Reply, Sender};
use crate::notification::{Topic, body};
use crate::secret::Secret;
use crate::store::outbox::{self, Attempt, DeliveryOutcome, Due};
use crate::store::{Tx, webhook_endpoints};

/// Deliveries to one endpoint in one round.
const BATCH: i64 = 16;
/// Low balances told, or old rows removed, in one transaction.
const ROWS: i64 = 500;
/// Transactions of a clean-up.
const CLEAN_UPS: usize = 20;
/// The most characters of an error that are kept; the table takes a few more.
const ERROR_LIMIT: usize = 200;
const DAY_SECONDS: i64 = 86_400;
/// How long a delivery that arrived is kept, and one that was given up.
const KEPT_DAYS: i64 = 30;
const PARKED_KEPT_DAYS: i64 = 90;

/// A delivery that is due, with all that sending it takes.
#[derive(Clone, Debug)]
pub struct Outgoing {
    due: Due,
    url: String,
    secrets: Vec<Secret>,
    topup_url: String,
}

impl Outgoing {
    /// Sends it. What is wrong with the message itself is an answer too: it must not keep the others back.
    pub fn send(&self, sender: &Sender, now: Timestamp) -> Reply {
        let sent = self.text().and_then(|body| {
            let (url, id, secrets) = (self.url.as_str(), self.due.message.as_str(), self.secrets.as_slice());
            sender.send(&Notification { url, id, body: &body, secrets, at: now })
        });
        sent.unwrap_or_else(|fault| Reply { status: None, said: fault.to_string(), retry_after: None })
    }

    fn text(&self) -> std::result::Result<String, Fault> {
        if self.due.kind == Topic::LowBalance.as_str() {
            return body::low_balance_as_sent(&self.due.body, &self.topup_url);
        }
        Ok(self.due.body.clone())
    }
}

/// Writes the log's lines about balances that have become low, once each. Answers how many.
pub fn tell_low_balances(app: &App) -> Result<usize> {
    if !app.store.read(outbox::has_untold)? {
        return Ok(0);
    }
    let now = app.clock.now();
    let bodies = app.store.write(move |tx| outbox::claim_untold(tx, now, ROWS))?;
    for stored in &bodies {
        match body::read_low_balance(stored) {
            Ok(low) => {
                let (user_id, remaining, threshold) = (low.user_id, low.remaining, low.threshold);
                tracing::warn!(event = "low_balance", user_id, remaining, threshold);
            }
            Err(fault) => tracing::error!(event = "fault", %fault),
        }
    }
    Ok(bodies.len())
}

/// Endpoints to which something is due.
pub fn hooks_due(app: &App) -> Result<Vec<String>> {
    let now = app.clock.now();
    app.store.read(|tx| outbox::hooks_due(tx, now))
}

/// What is due to an endpoint now, each user's first message only.
pub fn due(app: &App, hook: &str) -> Result<Vec<Outgoing>> {
    let now = app.clock.now();
    let look = |tx: &mut dyn Tx| {
        let hook = webhook_endpoints::find(tx, hook)?.filter(|hook| hook.disabled_at.is_none());
        let Some(hook) = hook else { return Ok(vec![]) };
        let due = outbox::due(tx, &hook.id, now, BATCH)?;
        let outgoing =
            |due| Outgoing { due, url: hook.url.clone(), secrets: hook.secrets(now), topup_url: app.topup_url() };
        Ok(due.into_iter().map(outgoing).collect())
    };
    app.store.read(look)
}

/// Keeps what a delivery came to: it has arrived, is tried again later, or is parked after three days. An endpoint that
/// says that it is gone is disabled.
pub fn record(app: &App, outgoing: &Outgoing, answer: &Reply) -> Result<DeliveryOutcome> {
    let (due, now) = (outgoing.due.clone(), app.clock.now());
    let fate = fate(&due, answer, now)?;
    let attempt = Attempt {
        at: now,
        status: answer.status.map(i64::from),
        error: (!answer.is_delivered()).then(|| answer.said.chars().take(ERROR_LIMIT).collect()),
        fate,
    };
    let gone = answer.is_gone();
    let disabled = app.store.write(move |tx| {
        outbox::attempted(tx, &due, &attempt)?;
        Ok(gone && webhook_endpoints::set_disabled(tx, &due.hook, Some(now))?)
    })?;
    tell(app, outgoing, answer, fate, disabled);
    Ok(fate)
}

/// Sends what is due, one after the other, and answers how many arrived: a round without threads.
pub fn deliver(app: &App, sender: &Sender) -> Result<usize> {
    let mut delivered = 0;
    for hook in hooks_due(app)? {
        for outgoing in due(app, &hook)? {
            let answer = outgoing.send(sender, app.clock.now());
            delivered += usize::from(record(app, &outgoing, &answer)? == DeliveryOutcome::Delivered);
        }
    }
    Ok(delivered)
}

/// Removes what has arrived and is a month old, and what was given up a quarter of a year ago. Answers how many rows.
pub fn remove_old(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let (delivered, parked) =
        (now.plus_seconds(-KEPT_DAYS * DAY_SECONDS), now.plus_seconds(-PARKED_KEPT_DAYS * DAY_SECONDS));
    let mut count = 0;
    for _ in 0..CLEAN_UPS {
        match app.store.write(move |tx| outbox::remove_old(tx, delivered, parked, ROWS))? {
            0 => break,
            removed => count += removed,
        }
    }
    Ok(count)
}

fn fate(due: &Due, answer: &Reply, now: Timestamp) -> std::result::Result<DeliveryOutcome, Fault> {
    if answer.is_delivered() {
        return Ok(DeliveryOutcome::Delivered);
    }
    if now >= due.give_up_at {
        return Ok(DeliveryOutcome::Parked);
    }
    let random = u64::from_le_bytes(id::random_bytes()?);
    let wait = backoff::wait_millis(due.attempts.saturating_add(1), answer.retry_after, random);
    let next = Timestamp::from_millis(now.millis().saturating_add(wait));
    Ok(DeliveryOutcome::Again(next.min(due.give_up_at)))
}

/// Neither a URL nor a body: both may hold what is nobody else's.
fn tell(app: &App, outgoing: &Outgoing, answer: &Reply, fate: DeliveryOutcome, disabled: bool) {
    let (hook, message, kind) = (&outgoing.due.hook, &outgoing.due.message, &outgoing.due.kind);
    let (attempts, status, said) = (outgoing.due.attempts + 1, answer.status, &answer.said);
    let word = match fate {
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
    app.metrics.hook_deliveries.get_or_create(&DeliveryLabels { status: word }).inc();
    if disabled {
        tracing::error!(event = "hook_disabled", hook, "it answered 410 Gone; till hook enable turns it on again");
    }
}
