//! Comparisons with Stripe: those that somebody asked for, the one under way, and what each found.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;

/// The columns of a comparison.
macro_rules! columns {
    () => {
        "number, actor, asked_at, started_at, part, rows, percent, moved_at, ended_at, agrees, failure, report"
    };
}

/// A comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub number: i64,
    /// Who asked for it; the appliance itself, if its time had come.
    pub actor: String,
    pub asked_at: Timestamp,
    /// `None` as long as it waits for its turn.
    pub started_at: Option<Timestamp>,
    pub progress: ComparisonProgress,
    /// When it last came further.
    pub moved_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Whether the books agreed with Stripe.
    pub agrees: bool,
    /// Why it did not come to its end.
    pub failure: Option<String>,
    /// What it found, as JSON.
    pub report: Option<String>,
}

/// How far it has come in one of the lists that it compares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComparisonProgress {
    /// The list's name.
    pub part: Option<String>,
    pub rows: i64,
    /// Of the time that the list covers, where that is known.
    pub percent: Option<i64>,
}

/// Asks for a comparison; `false` if one waits already.
pub fn ask(tx: &mut dyn Tx, actor: &str, now: Timestamp) -> Result<bool> {
    const ASK: &str = "INSERT INTO comparisons (number, actor, asked_at)
        SELECT (SELECT COALESCE(MAX(number), 0) + 1 FROM comparisons), $1, $2
        WHERE NOT EXISTS (SELECT number FROM comparisons WHERE started_at IS NULL)";
    Ok(tx.execute(ASK, &[&actor, &now])? == 1)
}

/// The comparison that waits for its turn.
pub fn asked(tx: &mut dyn Tx) -> Result<Option<i64>> {
    const FIND: &str = "SELECT number FROM comparisons WHERE started_at IS NULL ORDER BY number LIMIT 1";
    tx.one(FIND, &[], |row| row.int("number"))
}

/// Begins the one that waits, or a new one; returns its number.
pub fn begin(tx: &mut dyn Tx, waiting: Option<i64>, actor: &str, now: Timestamp) -> Result<i64> {
    const BEGIN: &str = "UPDATE comparisons SET started_at = $2, moved_at = $2
        WHERE number = $1 AND started_at IS NULL RETURNING number";
    const ADD: &str = "INSERT INTO comparisons (number, actor, asked_at, started_at, moved_at)
        VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM comparisons), $1, $2, $2, $2)
        RETURNING number";
    if let Some(number) = waiting
        && let Some(begun) = tx.one(BEGIN, &[&number, &now], |row| row.int("number"))?
    {
        return Ok(begun);
    }
    Ok(tx.one(ADD, &[&actor, &now], |row| row.int("number"))?.unwrap_or_default())
}

/// Keeps how far it has come.
pub fn advance(tx: &mut dyn Tx, number: i64, progress: &ComparisonProgress, now: Timestamp) -> Result<()> {
    const ADVANCE: &str = "UPDATE comparisons SET part = $2, rows = $3, percent = $4, moved_at = $5
        WHERE number = $1 AND ended_at IS NULL";
    let ComparisonProgress { part, rows, percent } = progress;
    tx.execute(ADVANCE, &[&number, part, rows, percent, &now])?;
    Ok(())
}

/// Keeps what it found, or why it did not come to its end.
pub fn end(
    tx: &mut dyn Tx,
    number: i64,
    agrees: bool,
    (report, failure): (Option<&str>, Option<&str>),
    now: Timestamp,
) -> Result<()> {
    const END: &str = "UPDATE comparisons SET ended_at = $2, agrees = $3, report = $4, failure = $5 WHERE number = $1";
    tx.execute(END, &[&number, &now, &agrees, &report, &failure])?;
    Ok(())
}

/// Comparisons before the one with this number, newest first.
pub fn newest(tx: &mut dyn Tx, before: i64, limit: i64) -> Result<Vec<Comparison>> {
    const PAGE: &str =
        concat!("SELECT ", columns!(), " FROM comparisons WHERE number < $1 ORDER BY number DESC LIMIT $2");
    tx.all(PAGE, &[&before, &limit], comparison)
}

/// The comparison with this number.
pub fn find(tx: &mut dyn Tx, number: i64) -> Result<Option<Comparison>> {
    const FIND: &str = concat!("SELECT ", columns!(), " FROM comparisons WHERE number = $1");
    tx.one(FIND, &[&number], comparison)
}

/// The last comparison that came to its end.
pub fn last(tx: &mut dyn Tx) -> Result<Option<Comparison>> {
    const LAST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM comparisons WHERE ended_at IS NOT NULL AND failure IS NULL ORDER BY number DESC LIMIT 1"
    );
    tx.one(LAST, &[], comparison)
}

/// Since when each comparison that came to its end found the books to agree; `None` if the last one did not.
pub fn agreeing_since(tx: &mut dyn Tx) -> Result<Option<Timestamp>> {
    const SINCE: &str = "SELECT started_at FROM comparisons WHERE agrees = 1 AND number > COALESCE(
            (SELECT MAX(number) FROM comparisons WHERE agrees = 0 AND ended_at IS NOT NULL AND failure IS NULL), 0)
        ORDER BY number LIMIT 1";
    Ok(tx.one(SINCE, &[], |row| row.time_or_null("started_at"))?.flatten())
}

/// Removes those that ended before this time, but not the last ones; returns how many.
pub fn remove_old(tx: &mut dyn Tx, before: Timestamp, kept: i64) -> Result<usize> {
    const REMOVE: &str = "DELETE FROM comparisons WHERE ended_at < $1
        AND number <= (SELECT MAX(number) FROM comparisons) - $2";
    Ok(tx.execute(REMOVE, &[&before, &kept])?)
}

fn comparison(row: &Row<'_>) -> DbResult<Comparison> {
    Ok(Comparison {
        number: row.int("number")?,
        actor: row.text("actor")?,
        asked_at: row.time("asked_at")?,
        started_at: row.time_or_null("started_at")?,
        progress: ComparisonProgress {
            part: row.text_or_null("part")?,
            rows: row.int("rows")?,
            percent: row.int_or_null("percent")?,
        },
        moved_at: row.time_or_null("moved_at")?,
        ended_at: row.time_or_null("ended_at")?,
        agrees: row.flag("agrees")?,
        failure: row.text_or_null("failure")?,
        report: row.text_or_null("report")?,
    })
}
