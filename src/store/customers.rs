//! A user's customers at Stripe. till makes one at a time: the request is stored before it is sent, so that a repetition
//! carries the same key and the same body ("Idempotent requests" in Stripe's API reference). Others are linked.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// The columns of a customer.
macro_rules! columns {
    () => {
        "account, generation, request_key, request_body, stripe_id"
    };
}

/// The columns of a change, of `customer_changes k` and `customers c`.
macro_rules! change_columns {
    () => {
        "k.account, k.number, k.request_key, k.request_body, k.attempts, c.stripe_id"
    };
}

/// How a customer that till did not make became a user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkSource {
    /// The operator said so.
    Operator,
    /// A checkout that began elsewhere named the user. Its buyer may have chosen that name, so such a customer pays for
    /// the user, and till never sends the user's own checkouts to it.
    Checkout,
}

impl LinkSource {
    /// The word that is stored and logged.
    pub fn as_str(self) -> &'static str {
        match self {
            LinkSource::Operator => "operator",
            LinkSource::Checkout => "checkout",
        }
    }
}

/// The result of linking a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    New,
    /// It was this user's before.
    Known,
    /// It belongs to another account, and stays there.
    OfAnother(i64),
}

/// A user's current customer, or the request that is to make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    pub account: i64,
    /// 1, and one more for each further customer, and for each that Stripe did not make.
    pub generation: i64,
    /// The idempotency key of the request; empty for a customer that was linked.
    pub request_key: String,
    /// Its exact body; empty for a customer that was linked.
    pub request_body: String,
    /// Stripe's id, once known.
    pub stripe_id: Option<String>,
}

/// The customer of the user's next checkout: the one that till made, else one that the operator linked. If there is
/// none, the given request is stored as the one that makes it.
pub fn current(tx: &mut dyn Tx, account: i64, key: &str, body: &str, now: Timestamp) -> Result<Customer> {
    const FIND: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM customers
        WHERE account = $1 AND refused_at IS NULL AND gone_at IS NULL AND source <> 'checkout'
        ORDER BY CASE WHEN stripe_id IS NULL THEN 1 ELSE 0 END, CASE source WHEN 'request' THEN 0 ELSE 1 END,
        generation DESC LIMIT 1"
    );
    const ADD: &str = concat!(
        "INSERT INTO customers (account, generation, source, request_key, request_body, requested_at)
        SELECT $1, COALESCE(MAX(generation), 0) + 1, 'request', $2, $3, $4 FROM customers WHERE account = $1
        RETURNING ",
        columns!()
    );
    if let Some(known) = tx.one(FIND, &[&account], customer)? {
        return Ok(known);
    }
    let added = tx.one(ADD, &[&account, &key, &body, &now], customer)?;
    added.ok_or_else(|| Fault::bare("a customer request was not stored").into())
}

/// Remembers Stripe's answer. Returns whether it is news. A customer id that belongs to another user is refused by its uniqueness.
pub fn link(tx: &mut dyn Tx, customer: &Customer, stripe_id: &str, now: Timestamp) -> Result<bool> {
    const LINK: &str = "UPDATE customers SET stripe_id = $3, linked_at = $4
        WHERE account = $1 AND generation = $2 AND stripe_id IS NULL";
    Ok(tx.execute(LINK, &[&customer.account, &customer.generation, &stripe_id, &now])? == 1)
}

/// Links a customer that till did not make to the user, unless it belongs to another.
pub fn tie(tx: &mut dyn Tx, account: i64, stripe_id: &str, source: LinkSource, now: Timestamp) -> Result<Link> {
    const ADD: &str = "INSERT INTO customers (account, generation, source, stripe_id, requested_at, linked_at)
        SELECT $1, COALESCE(MAX(generation), 0) + 1, $3, $2, $4, $4 FROM customers WHERE account = $1
        ON CONFLICT (stripe_id) DO NOTHING";
    // What the operator says counts more than what a checkout said before.
    const TRUST: &str = "UPDATE customers SET source = 'operator' WHERE stripe_id = $1 AND source = 'checkout'";
    if tx.execute(ADD, &[&account, &stripe_id, &source.as_str(), &now])? == 1 {
        return Ok(Link::New);
    }
    match account_of(tx, stripe_id)? {
        Some(owner) if owner == account => {
            if source == LinkSource::Operator {
                tx.execute(TRUST, &[&stripe_id])?;
            }
            Ok(Link::Known)
        }
        Some(owner) => Ok(Link::OfAnother(owner)),
        None => Err(Fault::bare(format!("the customer {stripe_id} was not linked")).into()),
    }
}

/// Stripe did not make the customer, and the same request would never bring one: the next purchase makes another.
pub fn refused(tx: &mut dyn Tx, customer: &Customer, now: Timestamp) -> Result<()> {
    const REFUSED: &str = "UPDATE customers SET refused_at = $3
        WHERE account = $1 AND generation = $2 AND stripe_id IS NULL AND refused_at IS NULL";
    tx.execute(REFUSED, &[&customer.account, &customer.generation, &now])?;
    Ok(())
}

/// The customer was deleted at Stripe, or is bound to another currency: the next purchase makes another.
pub fn gone(tx: &mut dyn Tx, stripe_id: &str, now: Timestamp) -> Result<bool> {
    const GONE: &str = "UPDATE customers SET gone_at = $2 WHERE stripe_id = $1 AND gone_at IS NULL";
    Ok(tx.execute(GONE, &[&stripe_id, &now])? == 1)
}

/// Stripe's id of the customer that the user's portal shows: one with a subscription that has not ended comes first, and
/// one that only a checkout named comes last.
pub fn linked(tx: &mut dyn Tx, account: i64) -> Result<Option<String>> {
    const FIND: &str = "SELECT c.stripe_id FROM customers c
        WHERE c.account = $1 AND c.gone_at IS NULL AND c.stripe_id IS NOT NULL
        ORDER BY CASE WHEN EXISTS (SELECT 1 FROM subscriptions s
            WHERE s.account = $1 AND s.customer = c.stripe_id AND s.ended_at IS NULL) THEN 0 ELSE 1 END,
        CASE c.source WHEN 'request' THEN 0 WHEN 'operator' THEN 1 ELSE 2 END, c.generation DESC LIMIT 1";
    tx.one(FIND, &[&account], |row| row.text("stripe_id"))
}

/// Stripe's ids of the account's customers that were not deleted.
pub fn of_account(tx: &mut dyn Tx, account: i64) -> Result<Vec<String>> {
    const FIND: &str =
        "SELECT stripe_id FROM customers WHERE account = $1 AND stripe_id IS NOT NULL AND gone_at IS NULL
        ORDER BY generation";
    tx.all(FIND, &[&account], |row| row.text("stripe_id"))
}

/// The account whose customer this is or was.
pub fn account_of(tx: &mut dyn Tx, stripe_id: &str) -> Result<Option<i64>> {
    const FIND: &str = "SELECT account FROM customers WHERE stripe_id = $1";
    tx.one(FIND, &[&stripe_id], |row| row.int("account"))
}

/// A change that a customer at Stripe is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerChange {
    pub account: i64,
    /// 1 for the account's first, then without a gap.
    pub number: i64,
    /// The idempotency key of the request.
    pub request_key: String,
    /// Its exact body.
    pub request_body: String,
    /// How often Stripe has not taken it.
    pub attempts: i64,
    /// The customer.
    pub stripe_id: String,
}

/// Stores a change for the account's current customer. Without a customer it stores nothing: the request that makes one
/// says it all.
pub fn add_change(tx: &mut dyn Tx, account: i64, key: &str, body: &str, now: Timestamp) -> Result<()> {
    const ADD: &str = "INSERT INTO customer_changes
        (account, generation, number, request_key, request_body, attempts, next_attempt_at, made_at)
        SELECT c.account, c.generation,
            (SELECT COALESCE(MAX(k.number), 0) + 1 FROM customer_changes k WHERE k.account = $1), $2, $3, 0, $4, $4
        FROM customers c WHERE c.account = $1 AND c.gone_at IS NULL AND c.stripe_id IS NOT NULL
            AND c.source <> 'checkout'
        ORDER BY CASE c.source WHEN 'request' THEN 0 ELSE 1 END, c.generation DESC LIMIT 1";
    tx.execute(ADD, &[&account, &key, &body, &now])?;
    Ok(())
}

/// The changes that are due: of each account only the first that is still open.
pub fn due_changes(tx: &mut dyn Tx, now: Timestamp, limit: i64) -> Result<Vec<CustomerChange>> {
    const DUE: &str = concat!(
        "SELECT ",
        change_columns!(),
        " FROM customer_changes k
        JOIN customers c ON c.account = k.account AND c.generation = k.generation
        WHERE k.taken_at IS NULL AND k.refused_at IS NULL AND k.next_attempt_at <= $1
            AND NOT EXISTS (SELECT e.number FROM customer_changes e WHERE e.account = k.account
                AND e.number < k.number AND e.taken_at IS NULL AND e.refused_at IS NULL)
        ORDER BY k.next_attempt_at, k.account, k.number LIMIT $2"
    );
    tx.all(DUE, &[&now, &limit], change)
}

/// The account's first change that is still open, due or not.
pub fn first_change(tx: &mut dyn Tx, account: i64) -> Result<Option<CustomerChange>> {
    const FIRST: &str = concat!(
        "SELECT ",
        change_columns!(),
        " FROM customer_changes k
        JOIN customers c ON c.account = k.account AND c.generation = k.generation
        WHERE k.account = $1 AND k.taken_at IS NULL AND k.refused_at IS NULL ORDER BY k.number LIMIT 1"
    );
    tx.one(FIRST, &[&account], change)
}

/// What became of an attempt to send a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeOutcome {
    Taken,
    /// For good.
    Refused,
    /// It is sent again at this time, with this key.
    Postponed {
        until: Timestamp,
        key: String,
    },
}

/// Records what became of an attempt. One that is taken or refused stays so.
pub fn decide_change(tx: &mut dyn Tx, change: &CustomerChange, outcome: &ChangeOutcome, now: Timestamp) -> Result<()> {
    const TAKEN: &str = "UPDATE customer_changes SET taken_at = $3
        WHERE account = $1 AND number = $2 AND taken_at IS NULL AND refused_at IS NULL";
    const REFUSED: &str = "UPDATE customer_changes SET refused_at = $3
        WHERE account = $1 AND number = $2 AND taken_at IS NULL AND refused_at IS NULL";
    const POSTPONED: &str =
        "UPDATE customer_changes SET next_attempt_at = $3, request_key = $4, attempts = attempts + 1
        WHERE account = $1 AND number = $2 AND taken_at IS NULL AND refused_at IS NULL";
    let CustomerChange { account, number, .. } = change;
    match outcome {
        ChangeOutcome::Taken => tx.execute(TAKEN, &[account, number, &now])?,
        ChangeOutcome::Refused => tx.execute(REFUSED, &[account, number, &now])?,
        ChangeOutcome::Postponed { until, key } => tx.execute(POSTPONED, &[account, number, until, key])?,
    };
    Ok(())
}

fn change(row: &Row<'_>) -> DbResult<CustomerChange> {
    Ok(CustomerChange {
        account: row.int("account")?,
        number: row.int("number")?,
        request_key: row.text("request_key")?,
        request_body: row.text("request_body")?,
        attempts: row.int("attempts")?,
        stripe_id: row.text("stripe_id")?,
    })
}

fn customer(row: &Row<'_>) -> DbResult<Customer> {
    Ok(Customer {
        account: row.int("account")?,
        generation: row.int("generation")?,
        request_key: row.text_or_null("request_key")?.unwrap_or_default(),
        request_body: row.text_or_null("request_body")?.unwrap_or_default(),
        stripe_id: row.text_or_null("stripe_id")?,
    })
}
