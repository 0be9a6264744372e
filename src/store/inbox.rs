//! Stripe's events: each once by its id, with what became of it.

use super::db::{DbResult, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;

/// The columns of an event.
macro_rules! columns {
    () => {
        "id, kind, api_version, livemode, object, customer, invoice, body, created_at, received_at, status, ignore_reason, detail,
        waits_for, attempts, decided_at, next_attempt_at, assigned_to, assigned_offer"
    };
}

/// What gives back money of a payment that is not ours, or that the operator closed: it counts if that is assigned later.
macro_rules! gives_back_what_was_closed {
    () => {
        "ignore_reason IS NOT NULL AND waits_for IS NOT NULL AND (kind LIKE 'refund.%' OR kind LIKE 'charge.refund%'
        OR kind LIKE 'charge.dispute.%' OR kind LIKE 'credit_note.%')"
    };
}

/// What an event waits for if Stripe could not be asked. Many wait for that, so it is never the id of a payment.
pub const STRIPE: &str = "stripe";

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

/// Why a payment is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoreReason {
    /// Nothing in it is ours: another product of the same Stripe account.
    Foreign,
    /// The operator closed it.
    Dismissed,
}

impl IgnoreReason {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            IgnoreReason::Foreign => "foreign",
            IgnoreReason::Dismissed => "dismissed",
        }
    }

    fn parse(text: &str) -> Option<IgnoreReason> {
        [IgnoreReason::Foreign, IgnoreReason::Dismissed].into_iter().find(|reason| reason.as_str() == text)
    }
}

/// What became of an event, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub status: Status,
    /// Only of what is ignored.
    pub ignore_reason: Option<IgnoreReason>,
    /// In words, for the operator.
    pub detail: String,
    /// An id; when the books learn it, the event is applied again. What waits has one, and so has a payment that is
    /// unmatched or ignored: its own, since another event may tell of the same money.
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
    /// The id of the customer that the object names.
    pub customer: Option<String>,
    /// Of an invoice payment: the id of the invoice that it paid.
    pub invoice: Option<String>,
    /// `None` in the inbox once it was removed: [`remove_bodies`].
    pub body: Option<String>,
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
        detail, waits_for, attempts, decided_at, next_attempt_at, customer, ignore_reason, invoice)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $8, $12, $13, $14, $15) ON CONFLICT (id) DO NOTHING";
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
            &event.customer,
            &decision.ignore_reason.map(IgnoreReason::as_str),
            &event.invoice,
        ],
    )?;
    Ok(added == 1)
}

/// Records a further attempt.
pub fn decide(tx: &mut dyn Tx, id: &str, decision: &Decision, now: Timestamp) -> Result<()> {
    const DECIDE: &str = "UPDATE events SET status = $2, detail = $3, waits_for = $4, next_attempt_at = $5,
        attempts = attempts + 1, decided_at = $6, ignore_reason = $7 WHERE id = $1";
    let Decision { status, ignore_reason, detail, waits_for, next_attempt_at } = decision;
    let ignore_reason = ignore_reason.map(IgnoreReason::as_str);
    tx.execute(DECIDE, &[&id, &status.as_str(), detail, waits_for, next_attempt_at, &now, &ignore_reason])?;
    Ok(())
}

/// Records whom the operator assigned an event to.
pub fn assign(tx: &mut dyn Tx, id: &str, account: i64, offer: Option<&str>) -> Result<()> {
    const ASSIGN: &str = "UPDATE events SET assigned_to = $2, assigned_offer = $3 WHERE id = $1";
    tx.execute(ASSIGN, &[&id, &account, &offer])?;
    Ok(())
}

/// Removes the bodies of events that were decided before this time and need no further attempt, the oldest first; how many.
/// Those that may still be needed are left for [`bodies_to_reduce`].
pub fn remove_bodies(tx: &mut dyn Tx, before: Timestamp, limit: i64) -> Result<usize> {
    const REMOVE: &str = concat!(
        "UPDATE events SET body = NULL WHERE id IN (SELECT id FROM events
        WHERE body IS NOT NULL AND decided_at < $1 AND status NOT IN ('waiting', 'unmatched', 'failed')
        AND NOT (",
        gives_back_what_was_closed!(),
        ") ORDER BY decided_at, id LIMIT $2)"
    );
    Ok(tx.execute(REMOVE, &[&before, &limit])?)
}

/// The ids and bodies of events that were decided before this time and may still be needed, the oldest first: only what is
/// said of people can go.
pub fn bodies_to_reduce(tx: &mut dyn Tx, before: Timestamp, limit: i64) -> Result<Vec<(String, String)>> {
    const TO_REDUCE: &str = concat!(
        "SELECT id, body FROM events WHERE body IS NOT NULL AND decided_at < $1 AND reduced_at IS NULL AND ",
        gives_back_what_was_closed!(),
        " ORDER BY decided_at, id LIMIT $2"
    );
    tx.all(TO_REDUCE, &[&before, &limit], |row| Ok((row.text("id")?, row.text("body")?)))
}

/// Replaces a body by what is left of it; `None` where nothing can be.
pub fn reduce_body(tx: &mut dyn Tx, id: &str, body: Option<&str>, now: Timestamp) -> Result<()> {
    const REDUCE: &str = "UPDATE events SET body = $2, reduced_at = $3 WHERE id = $1";
    tx.execute(REDUCE, &[&id, &body, &now])?;
    Ok(())
}

/// Closes an event that was not applied, and those that tell of the same payment. Where the event does not name what it
/// waits for, that is its own object. Returns the ids of all that were closed.
pub fn dismiss(tx: &mut dyn Tx, id: &str, detail: &str, now: Timestamp) -> Result<Vec<String>> {
    const DISMISS: &str = "UPDATE events SET status = 'ignored', ignore_reason = 'dismissed', detail = $2,
        waits_for = COALESCE(NULLIF(waits_for, $4), object), next_attempt_at = NULL, decided_at = $3
        WHERE status IN ('unmatched', 'waiting', 'failed') AND (id = $1 OR waits_for =
            (SELECT COALESCE(NULLIF(e.waits_for, $4), e.object) FROM events e WHERE e.id = $1))
        RETURNING id";
    tx.all(DISMISS, &[&id, &detail, &now, &STRIPE], |row| row.text("id"))
}

/// Opens what the operator had closed about a payment.
pub fn reopen(tx: &mut dyn Tx, referent: &str) -> Result<()> {
    const REOPEN: &str = "UPDATE events SET status = 'unmatched', ignore_reason = NULL
        WHERE waits_for = $1 AND ignore_reason = 'dismissed' AND body IS NOT NULL";
    tx.execute(REOPEN, &[&referent])?;
    Ok(())
}

/// The operator's words, if the payment with this id was closed.
pub fn dismissal(tx: &mut dyn Tx, referent: &str) -> Result<Option<String>> {
    const FIND: &str = "SELECT detail FROM events WHERE waits_for = $1 AND ignore_reason = 'dismissed'
        ORDER BY id LIMIT 1";
    tx.one(FIND, &[&referent], |row| row.text("detail"))
}

/// Events about a customer that were unmatched or ignored, oldest first; not those that the operator closed.
pub fn unapplied_of_customer(tx: &mut dyn Tx, customer: &str, limit: i64) -> Result<Vec<InboxRow>> {
    const UNAPPLIED: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM events WHERE customer = $1 AND status IN ('unmatched', 'ignored')
        AND (ignore_reason IS NULL OR ignore_reason <> 'dismissed') AND body IS NOT NULL ORDER BY created_at, id LIMIT $2"
    );
    tx.all(UNAPPLIED, &[&customer, &limit], inbox_row)
}

/// The event with this id.
pub fn by_id(tx: &mut dyn Tx, id: &str) -> Result<Option<InboxRow>> {
    const FIND: &str = concat!("SELECT ", columns!(), " FROM events WHERE id = $1");
    tx.one(FIND, &[&id], inbox_row)
}

/// Whether an event about this object was ignored for this reason.
pub fn is_ignored_as(tx: &mut dyn Tx, object: &str, detail: &str) -> Result<bool> {
    const FIND: &str =
        "SELECT id FROM events WHERE object = $1 AND status = 'ignored' AND detail = $2 ORDER BY id LIMIT 1";
    Ok(tx.one(FIND, &[&object, &detail], |row| row.text("id"))?.is_some())
}

/// Removes a row that `till check` sent itself; `false` if there is none.
pub fn remove_probe(tx: &mut dyn Tx, id: &str, kind: &str) -> Result<bool> {
    const REMOVE: &str = "DELETE FROM events WHERE id = $1 AND kind = $2 AND status = 'ignored'";
    Ok(tx.execute(REMOVE, &[&id, &kind])? == 1)
}

/// Events that are applied again when the books learn this id, in the order of their ids.
pub fn waiting_for(tx: &mut dyn Tx, referent: &str, limit: i64) -> Result<Vec<InboxRow>> {
    const WAITING: &str =
        concat!("SELECT ", columns!(), " FROM events WHERE waits_for = $1 AND body IS NOT NULL ORDER BY id LIMIT $2");
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
    // Rows of Stripe's lists do not all tell their mode; events do.
    const FIRST: &str = "SELECT livemode FROM events WHERE status = 'applied' AND id NOT LIKE 'sweep%'
        ORDER BY received_at, id LIMIT 1";
    tx.one(FIRST, &[], |row| row.flag("livemode"))
}

/// How many events have this status.
pub fn count_of(tx: &mut dyn Tx, status: Status) -> Result<i64> {
    const COUNT: &str = "SELECT COUNT(*) AS events FROM events WHERE status = $1";
    Ok(tx.one(COUNT, &[&status.as_str()], |row| row.int("events"))?.unwrap_or_default())
}

/// When the last event arrived.
pub fn newest_arrival(tx: &mut dyn Tx) -> Result<Option<Timestamp>> {
    const NEWEST: &str = "SELECT received_at FROM events ORDER BY received_at DESC, id DESC LIMIT 1";
    tx.one(NEWEST, &[], |row| row.time("received_at"))
}

/// How many events that arrived before this time still wait for something else.
pub fn count_waiting_since(tx: &mut dyn Tx, before: Timestamp) -> Result<i64> {
    const COUNT: &str = "SELECT COUNT(*) AS events FROM events WHERE status = 'waiting' AND received_at < $1";
    Ok(tx.one(COUNT, &[&before], |row| row.int("events"))?.unwrap_or_default())
}

/// How many events have which status. What is not ours, and what the operator closed, is counted apart.
pub fn count(tx: &mut dyn Tx) -> Result<Vec<(&'static str, i64)>> {
    const COUNT: &str = "SELECT status, ignore_reason, COUNT(*) AS events FROM events
        GROUP BY status, ignore_reason ORDER BY status, COALESCE(ignore_reason, '') LIMIT 10";
    tx.all(COUNT, &[], |row| {
        let status = row.word("status", Status::parse)?;
        let reason = row.text_or_null("ignore_reason")?.and_then(|word| IgnoreReason::parse(&word));
        Ok((reason.map_or(status.as_str(), IgnoreReason::as_str), row.int("events")?))
    })
}

fn inbox_row(row: &Row<'_>) -> DbResult<InboxRow> {
    Ok(InboxRow {
        event: IncomingEvent {
            id: row.text("id")?,
            kind: row.text("kind")?,
            api_version: row.text_or_null("api_version")?,
            livemode: row.flag("livemode")?,
            object: row.text_or_null("object")?,
            customer: row.text_or_null("customer")?,
            invoice: row.text_or_null("invoice")?,
            body: row.text_or_null("body")?,
            created_at: row.time("created_at")?,
            received_at: row.time("received_at")?,
        },
        decision: Decision {
            status: row.word("status", Status::parse)?,
            ignore_reason: row.text_or_null("ignore_reason")?.and_then(|word| IgnoreReason::parse(&word)),
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
