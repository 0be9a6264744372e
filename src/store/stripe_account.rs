//! Which Stripe account and mode the database belongs to (`docs/rules.md`, rule 13), and what the beginning of a live
//! database counts.

use super::db::Tx;
use crate::clock::Timestamp;
use crate::error::Result;

/// The account that the database belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundAccount {
    /// `acct_…`; `None` while no key could tell.
    pub id: Option<String>,
    pub is_live: bool,
    pub bound_at: Timestamp,
}

/// What a database holds, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    pub users: i64,
    pub tokens: i64,
    /// Endpoints of outgoing webhooks.
    pub endpoints: i64,
    /// Entries of the ledger.
    pub entries: i64,
    pub payments: i64,
    /// The sum of all balances.
    pub units: i64,
}

/// The account, once there was contact with Stripe.
pub fn find(tx: &mut dyn Tx) -> Result<Option<BoundAccount>> {
    const FIND: &str = "SELECT id, livemode, bound_at FROM stripe_account WHERE one = 1";
    tx.one(FIND, &[], |row| {
        Ok(BoundAccount {
            id: row.text_or_null("id")?,
            is_live: row.flag("livemode")?,
            bound_at: row.time("bound_at")?,
        })
    })
}

/// Binds the database to the account, if it is not bound yet; fills in an id that no key could tell before. Returns what
/// it is bound to, which is another account if somebody was faster.
pub fn bind(tx: &mut dyn Tx, account: &BoundAccount) -> Result<Option<BoundAccount>> {
    const BIND: &str = "INSERT INTO stripe_account (one, id, livemode, bound_at) VALUES (1, $1, $2, $3)
        ON CONFLICT (one) DO UPDATE SET id = COALESCE(stripe_account.id, $1) WHERE stripe_account.livemode = $2";
    tx.execute(BIND, &[&account.id, &account.is_live, &account.bound_at])?;
    find(tx)
}

/// The newest customers at Stripe that are not known to be deleted.
pub fn newest_customers(tx: &mut dyn Tx, limit: i64) -> Result<Vec<String>> {
    const NEWEST: &str = "SELECT stripe_id FROM customers WHERE stripe_id IS NOT NULL AND gone_at IS NULL
        ORDER BY requested_at DESC, account DESC, generation DESC LIMIT $1";
    tx.all(NEWEST, &[&limit], |row| row.text("stripe_id"))
}

/// Counts what is there.
pub fn contents(tx: &mut dyn Tx) -> Result<Contents> {
    const COUNT: &str = "SELECT (SELECT COUNT(*) FROM users) AS users, (SELECT COUNT(*) FROM tokens) AS tokens,
        (SELECT COUNT(*) FROM webhook_endpoints) AS endpoints, (SELECT COUNT(*) FROM payments) AS payments,
        CAST(COALESCE(SUM(entries), 0) AS BIGINT) AS entries,
        CAST(COALESCE(SUM(remaining), 0) AS BIGINT) AS units FROM accounts";
    let counted = tx.one(COUNT, &[], |row| {
        Ok(Contents {
            users: row.int("users")?,
            tokens: row.int("tokens")?,
            endpoints: row.int("endpoints")?,
            entries: row.int("entries")?,
            payments: row.int("payments")?,
            units: row.int("units")?,
        })
    })?;
    Ok(counted.unwrap_or_default())
}
