//! A user's customers at Stripe: one at a time. The request is stored before it is sent, so that a repetition carries
//! the same key and the same body ("Idempotent requests" in Stripe's API reference).

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// The columns of a customer.
macro_rules! columns {
    () => {
        "account, generation, request_key, request_body, stripe_id"
    };
}

/// A user's current customer, or the request that is to make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    pub account: i64,
    /// 1, and one more for each that Stripe did not make or deleted.
    pub generation: i64,
    /// The idempotency key of the request.
    pub request_key: String,
    /// Its exact body.
    pub request_body: String,
    /// Stripe's id, once known.
    pub stripe_id: Option<String>,
}

/// The current customer. If there is none, the given request is stored as the one that makes it.
pub fn current(tx: &mut dyn Tx, account: i64, key: &str, body: &str, now: Timestamp) -> Result<Customer> {
    const FIND: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM customers
        WHERE account = $1 AND refused_at IS NULL AND gone_at IS NULL ORDER BY generation DESC LIMIT 1"
    );
    const ADD: &str = concat!(
        "INSERT INTO customers (account, generation, request_key, request_body, requested_at)
        SELECT $1, COALESCE(MAX(generation), 0) + 1, $2, $3, $4 FROM customers WHERE account = $1
        RETURNING ",
        columns!()
    );
    if let Some(known) = tx.one(FIND, &[&account], customer)? {
        return Ok(known);
    }
    let added = tx.one(ADD, &[&account, &key, &body, &now], customer)?;
    added.ok_or_else(|| Fault::bare("a customer request was not stored").into())
}

/// Remembers Stripe's answer. A customer id that belongs to another user is refused by its uniqueness.
pub fn link(tx: &mut dyn Tx, customer: &Customer, stripe_id: &str, now: Timestamp) -> Result<()> {
    const LINK: &str = "UPDATE customers SET stripe_id = $3, linked_at = $4
        WHERE account = $1 AND generation = $2 AND stripe_id IS NULL";
    tx.execute(LINK, &[&customer.account, &customer.generation, &stripe_id, &now])?;
    Ok(())
}

/// Stripe did not make the customer, and the same request would never bring one: the next purchase makes another.
pub fn refused(tx: &mut dyn Tx, customer: &Customer, now: Timestamp) -> Result<()> {
    const REFUSED: &str = "UPDATE customers SET refused_at = $3
        WHERE account = $1 AND generation = $2 AND stripe_id IS NULL AND refused_at IS NULL";
    tx.execute(REFUSED, &[&customer.account, &customer.generation, &now])?;
    Ok(())
}

/// Stripe says that the customer does not exist any more: the next purchase makes another.
pub fn gone(tx: &mut dyn Tx, stripe_id: &str, now: Timestamp) -> Result<bool> {
    const GONE: &str = "UPDATE customers SET gone_at = $2 WHERE stripe_id = $1 AND gone_at IS NULL";
    Ok(tx.execute(GONE, &[&stripe_id, &now])? == 1)
}

/// Stripe's id of the user's current customer, once known.
pub fn linked(tx: &mut dyn Tx, account: i64) -> Result<Option<String>> {
    const FIND: &str = "SELECT stripe_id FROM customers
        WHERE account = $1 AND gone_at IS NULL AND stripe_id IS NOT NULL ORDER BY generation DESC LIMIT 1";
    tx.one(FIND, &[&account], |row| row.text("stripe_id"))
}

/// The account whose customer this is or was.
pub fn account_of(tx: &mut dyn Tx, stripe_id: &str) -> Result<Option<i64>> {
    const FIND: &str = "SELECT account FROM customers WHERE stripe_id = $1";
    tx.one(FIND, &[&stripe_id], |row| row.int("account"))
}

fn customer(row: &Row<'_>) -> DbResult<Customer> {
    Ok(Customer {
        account: row.int("account")?,
        generation: row.int("generation")?,
        request_key: row.text("request_key")?,
        request_body: row.text("request_body")?,
        stripe_id: row.text_or_null("stripe_id")?,
    })
}
