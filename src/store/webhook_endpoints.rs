//! The endpoints of outgoing webhooks, with the secrets that sign. `outbox` has what is sent to them.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::secret::Secret;

/// The most endpoints that may exist.
pub const ENDPOINTS_LIMIT: i64 = 16;

/// The columns of an endpoint.
macro_rules! columns {
    () => {
        "id, url, kinds, secret, older_secret, older_until, created_at, disabled_at"
    };
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// `hook_…`
    pub id: String,
    pub url: String,
    /// Words separated by commas, or `*` for all.
    pub kinds: String,
    pub secret: Secret,
    /// A rolled secret signs as well until this time.
    pub older_secret: Option<(Secret, Timestamp)>,
    pub created_at: Timestamp,
    /// Since when no message is written for it or sent to it.
    pub disabled_at: Option<Timestamp>,
}

impl WebhookEndpoint {
    /// The secrets that sign at `now`, the new one first.
    pub fn secrets(&self, now: Timestamp) -> Vec<Secret> {
        let older = self.older_secret.as_ref().filter(|(_, until)| *until > now);
        std::iter::once(&self.secret).chain(older.map(|(secret, _)| secret)).cloned().collect()
    }
}

/// Stores a new endpoint; `false` when there are [`ENDPOINTS_LIMIT`] already.
pub fn add(tx: &mut dyn Tx, endpoint: &WebhookEndpoint) -> Result<bool> {
    const COUNT: &str = "SELECT COUNT(*) AS endpoints FROM webhook_endpoints";
    const ADD: &str = "INSERT INTO webhook_endpoints (id, url, kinds, secret, created_at) VALUES ($1, $2, $3, $4, $5)";
    if tx.one(COUNT, &[], |row| row.int("endpoints"))?.unwrap_or(0) >= ENDPOINTS_LIMIT {
        return Ok(false);
    }
    let WebhookEndpoint { id, url, kinds, secret, created_at, .. } = endpoint;
    tx.execute(ADD, &[id, url, kinds, &secret.reveal(), created_at])?;
    Ok(true)
}

/// All endpoints, oldest first.
pub fn all(tx: &mut dyn Tx) -> Result<Vec<WebhookEndpoint>> {
    const ALL: &str = concat!("SELECT ", columns!(), " FROM webhook_endpoints ORDER BY created_at, id LIMIT 100");
    tx.all(ALL, &[], endpoint)
}

/// The endpoint with this id.
pub fn find(tx: &mut dyn Tx, id: &str) -> Result<Option<WebhookEndpoint>> {
    const FIND: &str = concat!("SELECT ", columns!(), " FROM webhook_endpoints WHERE id = $1");
    tx.one(FIND, &[&id], endpoint)
}

/// The ids of the enabled endpoints that want messages of this kind.
pub fn wanting(tx: &mut dyn Tx, kind: &str) -> Result<Vec<String>> {
    const LIVE: &str = "SELECT id, kinds FROM webhook_endpoints WHERE disabled_at IS NULL ORDER BY id LIMIT 100";
    let live = tx.all(LIVE, &[], |row| Ok((row.text("id")?, row.text("kinds")?)))?;
    let wants = |kinds: &str| kinds == "*" || kinds.split(',').any(|word| word == kind);
    Ok(live.into_iter().filter(|(_, kinds)| wants(kinds)).map(|(id, _)| id).collect())
}

/// Disables an endpoint, or enables it when no time is given. `false` when there is none, or it is so already.
pub fn set_disabled(tx: &mut dyn Tx, id: &str, at: Option<Timestamp>) -> Result<bool> {
    const OFF: &str = "UPDATE webhook_endpoints SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL";
    const ON: &str = "UPDATE webhook_endpoints SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL";
    let changed = match at {
        Some(at) => tx.execute(OFF, &[&id, &at])?,
        None => tx.execute(ON, &[&id])?,
    };
    Ok(changed == 1)
}

/// Gives an endpoint a new secret; the old one signs as well until `older_until`. `false` when there is none.
pub fn roll(tx: &mut dyn Tx, id: &str, secret: &Secret, older_until: Timestamp) -> Result<bool> {
    const ROLL: &str =
        "UPDATE webhook_endpoints SET older_secret = secret, older_until = $3, secret = $2 WHERE id = $1";
    Ok(tx.execute(ROLL, &[&id, &secret.reveal(), &older_until])? == 1)
}

/// Removes up to `limit` deliveries to an endpoint, and the endpoint once there are none. Returns whether it is removed.
pub fn remove(tx: &mut dyn Tx, id: &str, limit: i64) -> Result<bool> {
    const DELIVERIES: &str = "DELETE FROM deliveries WHERE (account, message, endpoint) IN
        (SELECT account, message, endpoint FROM deliveries WHERE endpoint = $1 ORDER BY account, message LIMIT $2)";
    const ENDPOINT: &str = "DELETE FROM webhook_endpoints WHERE id = $1";
    let removed = tx.execute(DELIVERIES, &[&id, &limit])?;
    if i64::try_from(removed).unwrap_or(i64::MAX) >= limit {
        return Ok(false);
    }
    tx.execute(ENDPOINT, &[&id])?;
    Ok(true)
}

fn endpoint(row: &Row<'_>) -> DbResult<WebhookEndpoint> {
    Ok(WebhookEndpoint {
        id: row.text("id")?,
        url: row.text("url")?,
        kinds: row.text("kinds")?,
        secret: Secret::new(row.text("secret")?),
        older_secret: row.text_or_null("older_secret")?.map(Secret::new).zip(row.time_or_null("older_until")?),
        created_at: row.time("created_at")?,
        disabled_at: row.time_or_null("disabled_at")?,
    })
}
