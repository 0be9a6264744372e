//! What of Stripe's events could not be applied, summed up for the operator. The events themselves are in `inbox`.

use super::Tx;
use super::inbox::Status;
use crate::clock::Timestamp;
use crate::error::Result;

/// What could not be applied, of one customer and with one status.
pub struct OpenEvents {
    /// Stripe's id, where the events name one.
    pub customer: Option<String>,
    /// Whose customer it is, if anybody's.
    pub user_id: Option<String>,
    pub status: Status,
    pub count: i64,
    /// The oldest of them, and Stripe's time of it.
    pub id: String,
    pub since: Timestamp,
}

/// What could not be applied, by customer, the longest open first.
pub fn by_customer(tx: &mut dyn Tx, limit: i64) -> Result<Vec<OpenEvents>> {
    const OPEN: &str = "WITH open_events AS (
            SELECT customer, status, COUNT(*) AS events, MIN(created_at) AS since FROM events
            WHERE status IN ('waiting', 'unmatched', 'failed') GROUP BY customer, status)
        SELECT o.customer AS customer, o.status AS status, o.events AS events, o.since AS since, u.id AS user_id,
            (SELECT MIN(e.id) FROM events e WHERE e.status = o.status AND e.created_at = o.since
                AND e.customer IS NOT DISTINCT FROM o.customer) AS id
        FROM open_events o LEFT JOIN customers c ON c.stripe_id = o.customer LEFT JOIN users u ON u.account = c.account
        ORDER BY o.since, o.status, COALESCE(o.customer, '') LIMIT $1";
    tx.all(OPEN, &[&limit], |row| {
        Ok(OpenEvents {
            customer: row.text_or_null("customer")?,
            user_id: row.text_or_null("user_id")?,
            status: row.word("status", Status::parse)?,
            count: row.int("events")?,
            id: row.text("id")?,
            since: row.time("since")?,
        })
    })
}
