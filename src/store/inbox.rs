//! Stripe's events: each once by its id, with what became of it.

use super::{Row, Tx, corrupt};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All that it means is in the books.
    Applied,
    /// It concerns nothing that till does.
    Ignored,
    /// What it refers to is not known yet.
    Waiting,
    /// Somebody paid, and it cannot be told who or for what: the operator decides.
    Unmatched,
    /// Applying it failed; it is tried again.
    Failed,
}

impl Status {
    /// All of them.
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
    /// What became of it.
    pub status: Status,
    /// In words, for the operator.
    pub detail: String,
    /// What it waits for: the id of a payment, say.
    pub waits_for: Option<String>,
    /// When the timer tries it again.
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
    /// As received.
    pub body: String,
    /// Stripe's time.
    pub created_at: Timestamp,
    /// Ours.
    pub received_at: Timestamp,
}

/// A row of the inbox.
#[derive(Clone, Debug)]
pub struct InboxRow {
    /// The event.
    pub event: IncomingEvent,
    /// What became of it.
    pub decision: Decision,
    /// How often it was tried.
    pub attempts: i64,
    /// When the decision was made.
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
            (&event.id).into(),
            (&event.kind).into(),
            event.api_version.as_deref().into(),
            event.livemode.into(),
            event.object.as_deref().into(),
            (&event.body).into(),
            event.created_at.into(),
            event.received_at.into(),
            decision.status.as_str().into(),
            (&decision.detail).into(),
            decision.waits_for.as_deref().into(),
            decision.next_attempt_at.into(),
        ],
    )?;
    Ok(added == 1)
}

/// Records a further attempt.
pub fn decide(tx: &mut dyn Tx, id: &str, decision: &Decision, now: Timestamp) -> Result<()> {
    const DECIDE: &str = "UPDATE events SET status = $2, detail = $3, waits_for = $4, next_attempt_at = $5,
        attempts = attempts + 1, decided_at = $6 WHERE id = $1";
    tx.execute(
        DECIDE,
        &[
            id.into(),
            decision.status.as_str().into(),
            (&decision.detail).into(),
            decision.waits_for.as_deref().into(),
            decision.next_attempt_at.into(),
            now.into(),
        ],
    )?;
    Ok(())
}

/// Whom the operator says an event is for.
pub fn assign(tx: &mut dyn Tx, id: &str, account: i64, offer: Option<&str>) -> Result<()> {
    const ASSIGN: &str = "UPDATE events SET assigned_to = $2, assigned_offer = $3 WHERE id = $1";
    tx.execute(ASSIGN, &[id.into(), account.into(), offer.into()])?;
    Ok(())
}

/// The event with this id.
pub fn by_id(tx: &mut dyn Tx, id: &str) -> Result<Option<InboxRow>> {
    const FIND: &str = "SELECT id, kind, api_version, livemode, object, body, created_at, received_at, status, detail,
        waits_for, attempts, decided_at, next_attempt_at, assigned_to, assigned_offer FROM events WHERE id = $1";
    Ok(tx.query_one(FIND, &[id.into()])?.as_ref().map(inboxed).transpose()?)
}

/// Events that wait for something, oldest first.
pub fn waiting_for(tx: &mut dyn Tx, referent: &str, limit: i64) -> Result<Vec<InboxRow>> {
    const WAITING: &str =
        "SELECT id, kind, api_version, livemode, object, body, created_at, received_at, status, detail,
        waits_for, attempts, decided_at, next_attempt_at, assigned_to, assigned_offer FROM events
        WHERE waits_for = $1 ORDER BY id LIMIT $2";
    collect(tx.query(WAITING, &[referent.into(), limit.into()])?)
}

/// Events that the timer is to try again.
pub fn to_retry(tx: &mut dyn Tx, now: Timestamp, limit: i64) -> Result<Vec<InboxRow>> {
    const DUE: &str = "SELECT id, kind, api_version, livemode, object, body, created_at, received_at, status, detail,
        waits_for, attempts, decided_at, next_attempt_at, assigned_to, assigned_offer FROM events
        WHERE next_attempt_at IS NOT NULL AND next_attempt_at <= $1 ORDER BY next_attempt_at, id LIMIT $2";
    collect(tx.query(DUE, &[now.into(), limit.into()])?)
}

/// Events by arrival, newest first, before the given place; all, or those of one status.
pub fn newest(tx: &mut dyn Tx, status: Option<Status>, before: (Timestamp, &str), limit: i64) -> Result<Vec<InboxRow>> {
    const PAGE: &str = "SELECT id, kind, api_version, livemode, object, body, created_at, received_at, status, detail,
        waits_for, attempts, decided_at, next_attempt_at, assigned_to, assigned_offer FROM events
        WHERE (received_at, id) < ($1, $2) ORDER BY received_at DESC, id DESC LIMIT $3";
    const PAGE_OF: &str =
        "SELECT id, kind, api_version, livemode, object, body, created_at, received_at, status, detail,
        waits_for, attempts, decided_at, next_attempt_at, assigned_to, assigned_offer FROM events
        WHERE (received_at, id) < ($1, $2) AND status = $4 ORDER BY received_at DESC, id DESC LIMIT $3";
    let (at, id) = before;
    collect(match status {
        None => tx.query(PAGE, &[at.into(), id.into(), limit.into()])?,
        Some(status) => tx.query(PAGE_OF, &[at.into(), id.into(), limit.into(), status.as_str().into()])?,
    })
}

/// How many events have which status.
pub fn count(tx: &mut dyn Tx) -> Result<Vec<(Status, i64)>> {
    const COUNT: &str = "SELECT status, COUNT(*) FROM events GROUP BY status ORDER BY status LIMIT 10";
    let rows = tx.query(COUNT, &[])?;
    let read = |row: &Row| {
        let status = row.text(0)?;
        Ok((Status::parse(&status).ok_or_else(|| corrupt(&status))?, row.int(1)?))
    };
    Ok(rows.iter().map(read).collect::<std::result::Result<_, Fault>>()?)
}

fn collect(rows: Vec<Row>) -> Result<Vec<InboxRow>> {
    Ok(rows.iter().map(inboxed).collect::<std::result::Result<_, Fault>>()?)
}

fn inboxed(row: &Row) -> std::result::Result<InboxRow, Fault> {
    let status = row.text(8)?;
    Ok(InboxRow {
        event: IncomingEvent {
            id: row.text(0)?,
            kind: row.text(1)?,
            api_version: row.text_or_null(2)?,
            livemode: row.int(3)? == 1,
            object: row.text_or_null(4)?,
            body: row.text(5)?,
            created_at: row.time(6)?,
            received_at: row.time(7)?,
        },
        decision: Decision {
            status: Status::parse(&status).ok_or_else(|| corrupt(&status))?,
            detail: row.text(9)?,
            waits_for: row.text_or_null(10)?,
            next_attempt_at: row.time_or_null(13)?,
        },
        attempts: row.int(11)?,
        decided_at: row.time(12)?,
        assigned_to: row.int_or_null(14)?,
        assigned_offer: row.text_or_null(15)?,
    })
}
