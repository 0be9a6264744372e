//! The endpoints of outgoing webhooks, with the secrets that sign. What is sent to them is in `outbox`.

use super::{Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::secret::Secret;

/// The most endpoints that may be.
pub const HOOKS_LIMIT: i64 = 16;

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// `hook_…`
    pub id: String,
    /// Where messages go.
    pub url: String,
    /// Words separated by commas, or `*` for all.
    pub kinds: String,
    /// What signs.
    pub secret: Secret,
    /// What signs too, until then.
    pub older_secret: Option<(Secret, Timestamp)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when nothing is written for it or sent to it.
    pub disabled_at: Option<Timestamp>,
}

impl WebhookEndpoint {
    /// The secrets that sign at `now`, the new one first.
    pub fn secrets(&self, now: Timestamp) -> Vec<Secret> {
        let older = self.older_secret.as_ref().filter(|(_, until)| *until > now);
        std::iter::once(&self.secret).chain(older.map(|(secret, _)| secret)).cloned().collect()
    }
}

/// Stores a new endpoint; `false` when there are [`HOOKS_LIMIT`] already.
pub fn add(tx: &mut dyn Tx, hook: &WebhookEndpoint) -> Result<bool> {
    const COUNT: &str = "SELECT COUNT(*) FROM hooks";
    const ADD: &str = "INSERT INTO hooks (id, url, kinds, secret, created_at) VALUES ($1, $2, $3, $4, $5)";
    if tx.query_one(COUNT, &[])?.map_or(Ok(0), |row| row.int(0))? >= HOOKS_LIMIT {
        return Ok(false);
    }
    let (id, url, kinds) = ((&hook.id).into(), (&hook.url).into(), (&hook.kinds).into());
    tx.execute(ADD, &[id, url, kinds, hook.secret.reveal().into(), hook.created_at.into()])?;
    Ok(true)
}

/// All endpoints, oldest first.
pub fn all(tx: &mut dyn Tx) -> Result<Vec<WebhookEndpoint>> {
    const ALL: &str = "SELECT id, url, kinds, secret, older_secret, older_until, created_at, disabled_at FROM hooks
        ORDER BY created_at, id LIMIT 100";
    Ok(tx.query(ALL, &[])?.iter().map(hook).collect::<std::result::Result<_, Fault>>()?)
}

/// The endpoint with this id.
pub fn find(tx: &mut dyn Tx, id: &str) -> Result<Option<WebhookEndpoint>> {
    const FIND: &str = "SELECT id, url, kinds, secret, older_secret, older_until, created_at, disabled_at FROM hooks
        WHERE id = $1";
    Ok(tx.query_one(FIND, &[id.into()])?.as_ref().map(hook).transpose()?)
}

/// Endpoints that are told of this kind now.
pub fn wanting(tx: &mut dyn Tx, kind: &str) -> Result<Vec<String>> {
    const LIVE: &str = "SELECT id, kinds FROM hooks WHERE disabled_at IS NULL ORDER BY id LIMIT 100";
    let mut wanting = Vec::new();
    for row in tx.query(LIVE, &[])? {
        let kinds = row.text(1)?;
        if kinds == "*" || kinds.split(',').any(|word| word == kind) {
            wanting.push(row.text(0)?);
        }
    }
    Ok(wanting)
}

/// Sets an endpoint off (or on, without a time). `false` when there is none, or it is so already.
pub fn set_disabled(tx: &mut dyn Tx, id: &str, at: Option<Timestamp>) -> Result<bool> {
    const OFF: &str = "UPDATE hooks SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL";
    const ON: &str = "UPDATE hooks SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL";
    let changed = match at {
        Some(at) => tx.execute(OFF, &[id.into(), at.into()])?,
        None => tx.execute(ON, &[id.into()])?,
    };
    Ok(changed == 1)
}

/// Gives an endpoint a new secret; the old one signs as well until then. `false` when there is none.
pub fn roll(tx: &mut dyn Tx, id: &str, secret: &Secret, older_until: Timestamp) -> Result<bool> {
    const ROLL: &str = "UPDATE hooks SET older_secret = secret, older_until = $3, secret = $2 WHERE id = $1";
    Ok(tx.execute(ROLL, &[id.into(), secret.reveal().into(), older_until.into()])? == 1)
}

/// Removes up to `limit` deliveries to an endpoint, and the endpoint once there are none. Answers whether it is gone.
pub fn remove(tx: &mut dyn Tx, id: &str, limit: i64) -> Result<bool> {
    const DELIVERIES: &str = "DELETE FROM deliveries WHERE (message, hook) IN
        (SELECT message, hook FROM deliveries WHERE hook = $1 ORDER BY message LIMIT $2)";
    const HOOK: &str = "DELETE FROM hooks WHERE id = $1";
    let removed = tx.execute(DELIVERIES, &[id.into(), limit.into()])?;
    if i64::try_from(removed).unwrap_or(i64::MAX) >= limit {
        return Ok(false);
    }
    tx.execute(HOOK, &[id.into()])?;
    Ok(true)
}

fn hook(row: &Row) -> std::result::Result<WebhookEndpoint, Fault> {
    let older = (row.text_or_null(4)?.map(Secret::new), row.time_or_null(5)?);
    Ok(WebhookEndpoint {
        id: row.text(0)?,
        url: row.text(1)?,
        kinds: row.text(2)?,
        secret: Secret::new(row.text(3)?),
        older_secret: match older {
            (Some(secret), Some(until)) => Some((secret, until)),
            _ => None,
        },
        created_at: row.time(6)?,
        disabled_at: row.time_or_null(7)?,
    })
}
