//! The audit: what was done by hand, by tokens and by people who signed in, apart from movements, whose entries name their
//! actor. A row is written in the transaction that did it.

use super::db::{DbResult, Row, Tx};
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::error::Result;

/// How long a row is kept. The trigger in `schema.sql` says the same in milliseconds.
pub const KEPT_DAYS: i64 = 730;

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub number: i64,
    pub at: Timestamp,
    /// Who did it, as [`Actor::name`] says.
    pub actor: String,
    /// What: a word such as `token_revoked`.
    pub action: String,
    /// The id of what it was done to.
    pub target: Option<String>,
    /// The client's address, or `unknown`; absent for what no client asked for.
    pub address: Option<String>,
    pub detail: Option<String>,
    /// Why, in an operator's words.
    pub reason: Option<String>,
}

/// Adds a row.
pub fn add(
    tx: &mut dyn Tx,
    (actor, at): (&Actor, Timestamp),
    action: &str,
    target: Option<&str>,
    detail: Option<&str>,
) -> Result<()> {
    const ADD: &str = "INSERT INTO audit (number, at, actor, action, target, address, detail, reason)
        VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM audit), $1, $2, $3, $4, $5, $6, $7)";
    tx.execute(ADD, &[&at, &actor.name(), &action, &target, &actor.address(), &detail, &actor.reason()])?;
    Ok(())
}

/// The columns of a row.
macro_rules! columns {
    () => {
        "number, at, actor, action, target, address, detail, reason"
    };
}

/// Which rows are wanted: those in which one column says this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditFilter {
    All,
    Actor(String),
    Action(String),
    Target(String),
}

impl AuditFilter {
    /// By the first of these that is given.
    pub fn of(actor: Option<String>, action: Option<String>, target: Option<String>) -> AuditFilter {
        let by_actor = actor.map(AuditFilter::Actor);
        let chosen = by_actor.or(action.map(AuditFilter::Action)).or(target.map(AuditFilter::Target));
        chosen.unwrap_or(AuditFilter::All)
    }
}

/// Rows before the one with this number, newest first.
pub fn newest(tx: &mut dyn Tx, filter: &AuditFilter, before: i64, limit: i64) -> Result<Vec<AuditRow>> {
    const ALL: &str = concat!("SELECT ", columns!(), " FROM audit WHERE number < $1 ORDER BY number DESC LIMIT $2");
    const BY_ACTOR: &str =
        concat!("SELECT ", columns!(), " FROM audit WHERE actor = $3 AND number < $1 ORDER BY number DESC LIMIT $2");
    const BY_ACTION: &str =
        concat!("SELECT ", columns!(), " FROM audit WHERE action = $3 AND number < $1 ORDER BY number DESC LIMIT $2");
    const BY_TARGET: &str =
        concat!("SELECT ", columns!(), " FROM audit WHERE target = $3 AND number < $1 ORDER BY number DESC LIMIT $2");
    match filter {
        AuditFilter::All => tx.all(ALL, &[&before, &limit], audit_row),
        AuditFilter::Actor(actor) => tx.all(BY_ACTOR, &[&before, &limit, actor], audit_row),
        AuditFilter::Action(action) => tx.all(BY_ACTION, &[&before, &limit, action], audit_row),
        AuditFilter::Target(target) => tx.all(BY_TARGET, &[&before, &limit, target], audit_row),
    }
}

/// When the oldest row was written.
pub fn oldest(tx: &mut dyn Tx) -> Result<Option<Timestamp>> {
    const OLDEST: &str = "SELECT at FROM audit ORDER BY number LIMIT 1";
    tx.one(OLDEST, &[], |row| row.time("at"))
}

/// Removes up to so many rows from the beginning that were written before this time; how many. The table refuses rows that are
/// younger than [`KEPT_DAYS`] by the newest, and any but the oldest.
pub fn remove_old(tx: &mut dyn Tx, before: Timestamp, limit: i64) -> Result<usize> {
    const REMOVE: &str = "DELETE FROM audit WHERE number < (SELECT MIN(number) FROM audit) + $2
        AND number < (SELECT number FROM audit WHERE at >= $1 ORDER BY number LIMIT 1)";
    Ok(tx.execute(REMOVE, &[&before, &limit])?)
}

/// Whether the audit says so of this target. What is said of test data does not count once the database is live: its rows were
/// set apart.
pub fn is_recorded(tx: &mut dyn Tx, action: &str, target: &str) -> Result<bool> {
    const FIND: &str = "SELECT number FROM audit WHERE target = $2 AND action = $1
        AND number > (SELECT COALESCE(MAX(number), 0) FROM audit WHERE action = 'went_live')
        ORDER BY number DESC LIMIT 1";
    Ok(tx.one(FIND, &[&action, &target], |row| row.int("number"))?.is_some())
}

fn audit_row(row: &Row<'_>) -> DbResult<AuditRow> {
    Ok(AuditRow {
        number: row.int("number")?,
        at: row.time("at")?,
        actor: row.text("actor")?,
        action: row.text("action")?,
        target: row.text_or_null("target")?,
        address: row.text_or_null("address")?,
        detail: row.text_or_null("detail")?,
        reason: row.text_or_null("reason")?,
    })
}
