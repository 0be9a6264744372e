//! Stripe's events: each once by its id, with what became of it.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;

/// The columns of an event.
macro_rules! columns {
    () => {
        "id, kind, api_version, livemode, object, body, created_at, received_at, status, detail, waits_for, attempts,
        decided_at, next_attempt_at, assigned_to, assigned_offer"
    };
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Everything that it means is in the books.
    Applied,
    /// It concerns nothing that till does.
    Ignored,
    /// It refers to something that is not known yet.
    Waiting,
    /// Somebody paid, and it is unclear who or for what: the operator decides.
    Unmatched,
    /// Applying it failed; it is tried again.
    Failed,
}

impl Status {
    pub const ALL: [Status; 5] = [Status::Applied, Status::Ignored, Status::Waiting, Status::Unmatched, Status::Failed];

    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Applied => "applied",
            Status::Ignored => "ignored",
            Status::Waiting => "waiting",
            Status::Unmatched => "unmatched",
            Status::Failed => "failed",
        }
    }

    /// Reads the stored word.
    pub fn parse(text: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What became of an event, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub status: Status,
    /// In words, for the operator.
    pub detail: String,
    /// The id of what it waits for: a payment, for example.
    pub waits_for: Option<String>,
    /// When the worker tries it again.
    pub next_attempt_at: Option<Timestamp>,
}

/// An event as Stripe sent it.
#[derive(Clone, Debug)]
pub struct IncomingEvent {
    /// `evt_…`
    pub id: String,
    /// Stripe's `type`.
    pub kind: String,
    /// The version in which Stripe wrote it.
    pub api_version: Option<String>,
    /// Whether it is about real money.
    pub livemode: bool,
    /// The id of what it is about.
    pub object: Option<String>,
    pub body: String,
    /// Stripe's time.
    pub created_at: Timestamp,
    pub received_at: Timestamp,
}

/// A row of the inbox.
#[derive(Clone, Debug)]
pub struct InboxRow {
    pub event: IncomingEvent,
    pub decision: Decision,
    /// How often it was tried.
    pub attempts: i64,
    pub decided_at: Timestamp,
    /// The account that the operator assigned it to.
    pub assigned_to: Option<i64>,
    /// The pack that the operator says was bought.
    pub assigned_offer: Option<String>,
}

/// Stores an event with its decision; `false` when it is in the inbox already.
pub fn add(tx: &mut dyn Tx, event: &IncomingEvent, decision: &Decision) -> Result<bool> {
    const ADD: &str =
        "INSERT INTO events (id, kind, api_version, livemode, object, body, created_at, received_at, status,
        detail, waits_for, attempts, decided_at, next_attempt_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $8, $12) ON CONFLICT (id) DO NOTHING";
    let added = tx.execute(
        ADD,
        &[
            &event.id,
            &event.kind,
            &event.api_version,
            &event.livemode,
            &event.object,
            &event.body,
            &event.created_at,
            &event.received_at,
            &decision.status.as_str(),
            &decision.detail,
            &decision.waits_for,
            &decision.next_attempt_at,
        ],
    )?;
    Ok(added == 1)
}

/// Records a further attempt.
pub fn decide(tx: &mut dyn Tx, id: &str, decision: &Decision, now: Timestamp) -> Result<()> {
    const DECIDE: &str = "UPDATE events SET status = $2, detail = $3, waits_for = $4, next_attempt_at = $5,
        attempts = attempts + 1, decided_at = $6 WHERE id = $1";
    let Decision { status, detail, waits_for, next_attempt_at } = decision;
    tx.execute(DECIDE, &[&id, &status.as_str(), detail, waits_for, next_attempt_at, &now])?;
    Ok(())
}

/// Records whom the operator assigned an event to.
pub fn assign(tx: &mut dyn Tx, id: &str, account: i64, offer: Option<&str>) -> Result<()> {
    const ASSIGN: &str = "UPDATE events SET assigned_to = $2, assigned_offer = $3 WHERE id = $1";
    tx.execute(ASSIGN, &[&id, &account, &offer])?;
    Ok(())
}

/// The event with this id.
pub fn by_id(tx: &mut dyn Tx, id: &str) -> Result<Option<InboxRow>> {
    const FIND: &str = concat!("SELECT ", columns!(), " FROM events WHERE id = $1");
    tx.one(FIND, &[&id], inbox_row)
}

/// Removes a row that `till check` sent itself; `false` if there is none.
pub fn remove_probe(tx: &mut dyn Tx, id: &str, kind: &str) -> Result<bool> {
    const REMOVE: &str = "DELETE FROM events WHERE id = $1 AND kind = $2 AND status = 'ignored'";
    Ok(tx.execute(REMOVE, &[&id, &kind])? == 1)
}

/// Events that wait for something, oldest first.
pub fn waiting_for(tx: &mut dyn Tx, referent: &str, limit: i64) -> Result<Vec<InboxRow>> {
    const WAITING: &str = concat!("SELECT ", columns!(), " FROM events WHERE waits_for = $1 ORDER BY id LIMIT $2");
    tx.all(WAITING, &[&referent, &limit], inbox_row)
}

/// Events that are due to be tried again.
pub fn to_retry(tx: &mut dyn Tx, now: Timestamp, limit: i64) -> Result<Vec<InboxRow>> {
    const DUE: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM events
        WHERE next_attempt_at IS NOT NULL AND next_attempt_at <= $1 ORDER BY next_attempt_at, id LIMIT $2"
    );
    tx.all(DUE, &[&now, &limit], inbox_row)
}

/// Events by arrival, newest first, before the given place; all, or those of one status.
pub fn newest(
    tx: &mut dyn Tx,
    status: Option<Status>,
    (at, id): (Timestamp, &str),
    limit: i64,
) -> Result<Vec<InboxRow>> {
    const PAGE: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM events
        WHERE (received_at, id) < ($1, $2) ORDER BY received_at DESC, id DESC LIMIT $3"
    );
    const PAGE_OF: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM events
        WHERE (received_at, id) < ($1, $2) AND status = $4 ORDER BY received_at DESC, id DESC LIMIT $3"
    );
    match status {
        None => tx.all(PAGE, &[&at, &id, &limit], inbox_row),
        Some(status) => tx.all(PAGE_OF, &[&at, &id, &limit, &status.as_str()], inbox_row),
    }
}

/// Whether what was applied first is of live mode; `None` if nothing was.
pub fn mode_of_applied(tx: &mut dyn Tx) -> Result<Option<bool>> {
    const FIRST: &str = "SELECT livemode FROM events WHERE status = 'applied' ORDER BY received_at, id LIMIT 1";
    tx.one(FIRST, &[], |row| row.flag("livemode"))
}

/// How many events have which status.
pub fn count(tx: &mut dyn Tx) -> Result<Vec<(Status, i64)>> {
    const COUNT: &str = "SELECT status, COUNT(*) AS events FROM events GROUP BY status ORDER BY status LIMIT 10";
    tx.all(COUNT, &[], |row| Ok((row.word("status", Status::parse)?, row.int("events")?)))
}

fn inbox_row(row: &Row<'_>) -> DbResult<InboxRow> {
    Ok(InboxRow {
        event: IncomingEvent {
            id: row.text("id")?,
            kind: row.text("kind")?,
            api_version: row.text_or_null("api_version")?,
            livemode: row.flag("livemode")?,
            object: row.text_or_null("object")?,
            body: row.text("body")?,
            created_at: row.time("created_at")?,
            received_at: row.time("received_at")?,
        },
        decision: Decision {
            status: row.word("status", Status::parse)?,
            detail: row.text("detail")?,
            waits_for: row.text_or_null("waits_for")?,
            next_attempt_at: row.time_or_null("next_attempt_at")?,
        },
        attempts: row.int("attempts")?,
        decided_at: row.time("decided_at")?,
        assigned_to: row.int_or_null("assigned_to")?,
        assigned_offer: row.text_or_null("assigned_offer")?,
    })
}
