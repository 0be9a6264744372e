//! The audit: what was done by hand, by tokens and by people who signed in, apart from movements, whose entries name their
//! actor. A row is written in the transaction that did it.

use super::db::{DbResult, Row, Tx};
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::error::Result;

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
}

/// Adds a row.
pub fn add(
    tx: &mut dyn Tx,
    (actor, at): (&Actor, Timestamp),
    action: &str,
    target: Option<&str>,
    detail: Option<&str>,
) -> Result<()> {
    const ADD: &str = "INSERT INTO audit (at, actor, action, target, address, detail) VALUES ($1, $2, $3, $4, $5, $6)";
    tx.execute(ADD, &[&at, &actor.name(), &action, &target, &actor.address(), &detail])?;
    Ok(())
}

/// Rows before the one with this number, newest first.
pub fn newest(tx: &mut dyn Tx, before: i64, limit: i64) -> Result<Vec<AuditRow>> {
    const PAGE: &str = "SELECT number, at, actor, action, target, address, detail FROM audit
        WHERE number < $1 ORDER BY number DESC LIMIT $2";
    tx.all(PAGE, &[&before, &limit], audit_row)
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
    })
}
