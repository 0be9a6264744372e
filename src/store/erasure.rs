//! What is removed of a person, apart from what the files of its own tables remove: names, what Stripe said of them, and the
//! addresses that the audit saw. Movements, payments and digests stay.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;

/// An event of Stripe's that tells of the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBody {
    pub id: String,
    pub body: String,
    /// Whether nothing waits for it any more, so that it need not be kept.
    pub is_done: bool,
}

/// Events with a body that name a customer, an order or a payment of the account, after the one with this id. Of an event that
/// means nothing here no id is kept apart, so each body is searched for the account's customers.
pub fn bodies_of(tx: &mut dyn Tx, account: i64, after: &str, limit: i64) -> Result<Vec<StoredBody>> {
    const FIND: &str =
        "SELECT id, body, CASE WHEN status IN ('applied', 'ignored') THEN 1 ELSE 0 END AS done FROM events
        WHERE body IS NOT NULL AND id > $2 AND (
            customer IN (SELECT stripe_id FROM customers WHERE account = $1 AND stripe_id IS NOT NULL)
            OR object IN (SELECT stripe_id FROM customers WHERE account = $1 AND stripe_id IS NOT NULL)
            OR object IN (SELECT session FROM orders WHERE account = $1 AND session IS NOT NULL)
            OR object IN (SELECT reference FROM payments WHERE account = $1)
            OR object IN (SELECT charge FROM payments WHERE account = $1 AND charge IS NOT NULL)
            OR EXISTS (SELECT stripe_id FROM customers
                WHERE account = $1 AND stripe_id IS NOT NULL AND body LIKE '%' || stripe_id || '%')
            OR assigned_to = $1)
        ORDER BY id LIMIT $3";
    tx.all(FIND, &[&account, &after, &limit], stored_body)
}

/// When the person of this account was erased.
pub fn erased_at(tx: &mut dyn Tx, account: i64) -> Result<Option<Timestamp>> {
    const FIND: &str = "SELECT erased_at FROM users WHERE account = $1 AND erased_at IS NOT NULL";
    tx.one(FIND, &[&account], |row| row.time("erased_at"))
}

/// Whether the person of this account was erased.
pub fn is_erased(tx: &mut dyn Tx, account: i64) -> Result<bool> {
    Ok(erased_at(tx, account)?.is_some())
}

/// Whether the person of Stripe's customer was erased.
pub fn is_customer_erased(tx: &mut dyn Tx, customer: &str) -> Result<bool> {
    const FIND: &str = "SELECT u.account FROM customers c JOIN users u ON u.account = c.account
        WHERE c.stripe_id = $1 AND u.erased_at IS NOT NULL";
    Ok(tx.one(FIND, &[&customer], |row| row.int("account"))?.is_some())
}

fn stored_body(row: &Row<'_>) -> DbResult<StoredBody> {
    Ok(StoredBody { id: row.text("id")?, body: row.text("body")?, is_done: row.flag("done")? })
}

/// Removes the body of an event, or puts another in its place where it is still needed.
pub fn replace_body(tx: &mut dyn Tx, id: &str, body: Option<&str>, now: Timestamp) -> Result<()> {
    const REPLACE: &str = "UPDATE events SET body = $2, reduced_at = $3 WHERE id = $1
        AND (CAST($2 AS TEXT) IS NOT NULL OR status IN ('applied', 'ignored'))";
    tx.execute(REPLACE, &[&id, &body, &now])?;
    Ok(())
}

/// Rows of the audit by this actor, with an address, after the one with this number.
pub fn audit_of(tx: &mut dyn Tx, actor: &str, after: i64, limit: i64) -> Result<Vec<i64>> {
    const FIND: &str = "SELECT number FROM audit WHERE actor = $1 AND address IS NOT NULL AND number > $2
        ORDER BY number LIMIT $3";
    tx.all(FIND, &[&actor, &after, &limit], |row| row.int("number"))
}

/// Removes the address of a row of the audit.
pub fn erase_audit_address(tx: &mut dyn Tx, number: i64) -> Result<()> {
    const ERASE: &str = "UPDATE audit SET address = NULL WHERE number = $1";
    tx.execute(ERASE, &[&number])?;
    Ok(())
}

/// Rows of the audit about this target, with a detail or a reason, after the one with this number.
pub fn audit_about(tx: &mut dyn Tx, target: &str, after: i64, limit: i64) -> Result<Vec<i64>> {
    const FIND: &str = "SELECT number FROM audit WHERE target = $1 AND number > $2
        AND (detail IS NOT NULL OR reason IS NOT NULL) ORDER BY number LIMIT $3";
    tx.all(FIND, &[&target, &after, &limit], |row| row.int("number"))
}

/// Rows of the audit of this action with this detail, after the one with this number.
pub fn audit_saying(tx: &mut dyn Tx, (action, detail): (&str, &str), after: i64, limit: i64) -> Result<Vec<i64>> {
    const FIND: &str = "SELECT number FROM audit WHERE action = $1 AND detail = $2 AND number > $3
        ORDER BY number LIMIT $4";
    tx.all(FIND, &[&action, &detail, &after, &limit], |row| row.int("number"))
}

/// Removes the detail and the reason of a row of the audit.
pub fn erase_audit_words(tx: &mut dyn Tx, number: i64) -> Result<()> {
    const ERASE: &str = "UPDATE audit SET detail = NULL, reason = NULL WHERE number = $1";
    tx.execute(ERASE, &[&number])?;
    Ok(())
}

/// Gives the user another id and removes what is known of the person: name and e-mail address, what was asked of Stripe in
/// their name, and where they wanted to go.
pub fn erase_user(tx: &mut dyn Tx, account: i64, id: &str, now: Timestamp) -> Result<()> {
    const USER: &str = "UPDATE users SET id = $2, email = NULL, name = NULL, locale = NULL,
        erased_at = COALESCE(erased_at, $3) WHERE account = $1";
    const ORDERS: &str = "UPDATE orders SET return_url = NULL, request_body = '' WHERE account = $1";
    const CUSTOMERS: &str = "UPDATE customers SET request_body = '' WHERE account = $1 AND source = 'request'";
    const CHANGES: &str = "DELETE FROM customer_changes WHERE account = $1";
    const TOKENS: &str = "UPDATE tokens SET name = '-', revoked_at = COALESCE(revoked_at, $2) WHERE account = $1";
    tx.execute(USER, &[&account, &id, &now])?;
    for erase in [ORDERS, CUSTOMERS, CHANGES] {
        tx.execute(erase, &[&account])?;
    }
    tx.execute(TOKENS, &[&account, &now])?;
    Ok(())
}
