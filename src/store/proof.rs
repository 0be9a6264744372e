//! What only the proof of the books and their export read: every row, in order, and rows that contradict each other.

use super::db::{DbResult, Row, Tx};
use super::entries::{self, entry_columns};
use super::holds::{self, Hold, hold_columns};
use super::lot_records::{self, HoldRecord};
use super::lots::{self, lot_columns};
use super::no_account;
use crate::error::Result;
use crate::ledger::{Cost, Entry, Hash, Lot, Part};

/// A reason and an entry that do not belong together as they should.
#[derive(Clone, Debug)]
pub struct ReasonMismatch {
    /// The number of the entry.
    pub seq: i64,
    pub reason: String,
    /// Whether the entry exists, and no reason row names it; otherwise a reason row names an entry that is missing or has
    /// another reason.
    pub is_entry: bool,
}

/// A payment whose units are not those of its entries.
#[derive(Clone, Debug)]
pub struct PaymentMismatch {
    pub account: i64,
    pub reference: String,
}

/// An entry, and what is stored beside its hash.
#[derive(Clone, Debug)]
pub struct StoredEntry {
    pub entry: Entry,
    /// Who made it.
    pub actor: Option<String>,
}

/// All entries in the order of accounts and of time, after the given one, page by page.
pub fn entries_after(tx: &mut dyn Tx, account: i64, seq: i64, limit: i64) -> Result<Vec<StoredEntry>> {
    // From the table, and by a range of parts: only so its key finds where the page before ended, without sorting.
    const PAGE: &str = concat!(
        "SELECT ",
        entry_columns!(),
        ", e.actor FROM books e
        WHERE (e.account, e.part, e.seq) > ($1, 0, $2) AND e.part < 1 ORDER BY e.account, e.part, e.seq LIMIT $3"
    );
    tx.all(PAGE, &[&account, &seq, &limit], stored_entry)
}

/// An account's entries in order, after the one with number `seq`.
pub fn entries_of_account_after(tx: &mut dyn Tx, account: i64, seq: i64, limit: i64) -> Result<Vec<StoredEntry>> {
    const PAGE: &str = concat!(
        "SELECT ",
        entry_columns!(),
        ", e.actor FROM entries e
        WHERE e.account = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3"
    );
    tx.all(PAGE, &[&account, &seq, &limit], stored_entry)
}

/// The accounts of the last payments, the newest first; one may be there more than once.
pub fn accounts_of_newest_payments(tx: &mut dyn Tx, limit: i64) -> Result<Vec<i64>> {
    const NEWEST: &str = "SELECT account FROM payments ORDER BY paid_at DESC, reference DESC LIMIT $1";
    tx.all(NEWEST, &[&limit], |row| row.int("account"))
}

/// The highest number of an account; 0 if there is none.
pub fn last_account(tx: &mut dyn Tx) -> Result<i64> {
    const LAST: &str = "SELECT COALESCE(MAX(account), 0) AS account FROM users";
    Ok(tx.one(LAST, &[], |row| row.int("account"))?.unwrap_or_default())
}

fn stored_entry(row: &Row<'_>) -> DbResult<StoredEntry> {
    Ok(StoredEntry { entry: entries::entry(row)?, actor: row.text_or_null("actor")? })
}

/// Accounts that have any row in the books, after the given one, in order.
pub fn accounts_after(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<i64>> {
    // Straight from one account to the next, without a look at the rows between.
    const PAGE: &str = "WITH RECURSIVE known (account, place) AS (
            SELECT MIN(account), 1 FROM books WHERE account > $1
            UNION ALL SELECT (SELECT MIN(b.account) FROM books b WHERE b.account > k.account), k.place + 1
                FROM known k WHERE k.account IS NOT NULL AND k.place < CAST($2 AS BIGINT))
        SELECT account FROM known WHERE account IS NOT NULL ORDER BY account LIMIT $2";
    tx.all(PAGE, &[&account, &limit], |row| row.int("account"))
}

/// Users whose account is missing.
pub fn users_without_account(tx: &mut dyn Tx, limit: i64) -> Result<Vec<i64>> {
    const LOST: &str = "SELECT u.account FROM users u LEFT JOIN accounts a ON a.account = u.account
        WHERE a.account IS NULL ORDER BY u.account LIMIT $1";
    tx.all(LOST, &[&limit], |row| row.int("account"))
}

/// Whether the account belongs to the user who has its number.
pub fn is_owned(tx: &mut dyn Tx, account: i64) -> Result<bool> {
    const OWNER: &str = "SELECT u.account FROM books b JOIN users u ON u.account = b.owner
        WHERE b.account = $1 AND b.part = 1 AND b.owner = b.account";
    Ok(tx.one(OWNER, &[&account], |row| row.int("account"))?.is_some())
}

/// An account's lots in order, empty ones included, after the one with number `seq`.
pub fn lots_after(tx: &mut dyn Tx, account: i64, seq: i64, limit: i64) -> Result<Vec<Lot>> {
    const PAGE: &str =
        concat!("SELECT ", lot_columns!(), " FROM lots WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3");
    tx.all(PAGE, &[&account, &seq, &limit], lots::lot)
}

/// What was paid for a lot.
#[derive(Clone, Debug)]
pub struct LotCost {
    pub seq: i64,
    pub cost: Option<Cost>,
    /// The reference of the payment that bought it.
    pub payment: Option<String>,
}

/// What was paid for an account's lots, in order, after the one with number `seq`.
pub fn lot_costs_after(tx: &mut dyn Tx, account: i64, seq: i64, limit: i64) -> Result<Vec<LotCost>> {
    const PAGE: &str =
        "SELECT seq, cost, currency, payment FROM lots WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    tx.all(PAGE, &[&account, &seq, &limit], |row| {
        let cost = lots::cost(row)?;
        Ok(LotCost { seq: row.int("seq")?, cost, payment: row.text_or_null("payment")? })
    })
}

/// When an account's holds were made and ended, in order, after the one with this number.
pub fn hold_times_after(tx: &mut dyn Tx, account: i64, number: i64, limit: i64) -> Result<Vec<HoldRecord>> {
    const PAGE: &str =
        "SELECT number, units, NULL AS note, created_at, expires_at, made_after, ended_after, captured_at,
            COALESCE(released_at, expired_at) AS ended_at
        FROM holds WHERE account = $1 AND number > $2 ORDER BY number LIMIT $3";
    tx.all(PAGE, &[&account, &number, &limit], lot_records::hold_record)
}

/// Entries of an account whose reason no row uses up for them, rows of reasons that name no such entry, and rows that the
/// views do not show.
pub fn reason_mismatches(tx: &mut dyn Tx, account: i64) -> Result<Vec<ReasonMismatch>> {
    const MISMATCHES: &str = "SELECT e.seq, e.reason, 1 AS is_entry FROM books e LEFT JOIN books r
            ON r.account = e.account AND r.part = 2 AND r.seq = 0 AND r.used_reason = e.reason AND r.used_by = e.seq
            WHERE e.account = $1 AND e.part = 0 AND r.account IS NULL
        UNION ALL SELECT COALESCE(r.used_by, 0), r.used_reason, 0 FROM books r LEFT JOIN books e
            ON e.account = r.account AND e.part = 0 AND e.seq = r.used_by AND e.reason = r.used_reason
            WHERE r.account = $1 AND r.part > 1 AND (e.account IS NULL OR r.part <> 2 OR r.seq <> 0)
        UNION ALL SELECT b.seq, b.used_reason, 0 FROM books b
            WHERE b.account = $1 AND b.part < 2
            AND (b.part < 0 OR b.used_reason <> '' OR (b.part = 1 AND b.seq <> 0))
        LIMIT 100";
    tx.all(MISMATCHES, &[&account], |row| {
        Ok(ReasonMismatch { seq: row.int("seq")?, reason: row.text("reason")?, is_entry: row.flag("is_entry")? })
    })
}

/// Rows of an account in the books that are in no place of their part, or have columns of another: their part and seq.
pub fn misplaced_rows(tx: &mut dyn Tx, account: i64) -> Result<Vec<(i64, i64)>> {
    // The table's own checks, written again: they can be turned off.
    const MISPLACED: &str = "SELECT part, seq FROM books WHERE account = $1 AND NOT CASE part
            WHEN 0 THEN seq > 0 AND used_reason = '' AND used_by IS NULL AND COALESCE(head, lots_digest) IS NULL
                AND COALESCE(owner, remaining, held, credited, entries, next_due, front, front_free, holds,
                    low_balance) IS NULL AND front_paid IS NULL
            WHEN 1 THEN seq = 0 AND used_reason = '' AND used_by IS NULL AND COALESCE(kind, reason, note, actor) IS NULL
                AND COALESCE(previous, note_salt, note_digest) IS NULL
                AND COALESCE(delta, balance_after, lot, expires_at, created_at, anchors) IS NULL
            WHEN 2 THEN seq = 0 AND used_reason <> '' AND used_by > 0 AND COALESCE(kind, reason, note, actor) IS NULL
                AND COALESCE(previous, note_salt, note_digest, head, lots_digest) IS NULL
                AND COALESCE(delta, balance_after, lot, expires_at, created_at, anchors, owner, remaining, held, credited,
                    entries, next_due, front, front_free, holds, low_balance) IS NULL AND front_paid IS NULL
            ELSE FALSE END ORDER BY part, seq LIMIT 100";
    tx.all(MISPLACED, &[&account], |row| Ok((row.int("part")?, row.int("seq")?)))
}

/// Payments that the books contradict: the units that they gave are not in lots of their account, those that were reversed are
/// not in the entries that reversed them, which are not as many, or the order or the invoice was another user's or, for
/// the units that were ordered, of another offer: in Stripe's checkout the buyer may take another one.
pub fn payment_mismatches(tx: &mut dyn Tx) -> Result<Vec<PaymentMismatch>> {
    const MISMATCHES: &str = "SELECT p.account, p.reference FROM payments p WHERE
        p.units_granted <> (SELECT CAST(COALESCE(SUM(e.delta), 0) AS BIGINT) FROM lots l
            JOIN entries e ON e.account = l.account AND e.seq = l.seq
            WHERE l.payment = p.reference AND l.account = p.account)
        OR EXISTS (SELECT 1 FROM lots l WHERE l.payment = p.reference AND l.account <> p.account)
        OR EXISTS (SELECT 1 FROM plan_periods l WHERE l.invoice = p.invoice AND l.account <> p.account)
        OR EXISTS (SELECT 1 FROM orders o WHERE o.session = p.session AND o.kind = 'pack'
            AND (o.account <> p.account OR (o.offer <> p.offer AND o.units = p.units_granted)))
        OR (p.reversals, -p.units_reversed) <> (SELECT COUNT(*), CAST(COALESCE(SUM(e.delta), 0) AS BIGINT) FROM entries e
            JOIN lots l ON l.account = e.account AND l.seq = e.lot
            WHERE l.payment = p.reference AND e.account = p.account AND e.kind IN ('refund', 'dispute'))
        ORDER BY p.account, p.reference LIMIT 1000";
    tx.all(MISMATCHES, &[], |row| {
        Ok(PaymentMismatch { account: row.int("account")?, reference: row.text("reference")? })
    })
}

/// Payments whose cost is not that of the lots that they bought and of the months that are still to come.
pub fn cost_mismatches(tx: &mut dyn Tx) -> Result<Vec<PaymentMismatch>> {
    const MISMATCHES: &str = "SELECT p.account, p.reference FROM payments p WHERE
        (EXISTS (SELECT 1 FROM lots l WHERE l.payment = p.reference AND l.cost IS NOT NULL)
            OR EXISTS (SELECT 1 FROM allotments a WHERE a.reference = p.reference AND a.cost <> 0))
        AND p.cost <> (SELECT CAST(COALESCE(SUM(l.cost), 0) AS BIGINT) FROM lots l
                WHERE l.payment = p.reference AND l.currency = p.currency)
            + (SELECT CAST(COALESCE(SUM(a.cost), 0) AS BIGINT) FROM allotments a
                WHERE a.reference = p.reference AND a.posted_at IS NULL)
        ORDER BY p.account, p.reference LIMIT 1000";
    tx.all(MISMATCHES, &[], |row| {
        Ok(PaymentMismatch { account: row.int("account")?, reference: row.text("reference")? })
    })
}

/// An account's holds in order, after the one with this number.
pub fn holds_after(tx: &mut dyn Tx, account: i64, number: i64, limit: i64) -> Result<Vec<Hold>> {
    const PAGE: &str =
        concat!("SELECT ", hold_columns!(), " FROM holds WHERE account = $1 AND number > $2 ORDER BY number LIMIT $3");
    tx.all(PAGE, &[&account, &number, &limit], holds::hold)
}

/// What open holds keep of each lot.
pub fn held_by_lot(tx: &mut dyn Tx, account: i64) -> Result<Vec<Part>> {
    const HELD: &str = "SELECT p.lot, CAST(SUM(p.units) AS BIGINT) AS units FROM holds h
        JOIN hold_lots p ON p.account = h.account AND p.number = h.number
        WHERE h.account = $1 AND h.captured_at IS NULL AND h.released_at IS NULL AND h.expired_at IS NULL
        GROUP BY p.lot ORDER BY p.lot LIMIT 100000";
    tx.all(HELD, &[&account], holds::part)
}

/// How many holds an account has had, as its row says.
pub fn holds_made(tx: &mut dyn Tx, account: i64) -> Result<i64> {
    const MADE: &str = "SELECT holds FROM accounts WHERE account = $1";
    tx.one(MADE, &[&account], |row| row.int("holds"))?.ok_or_else(|| no_account(account))
}

/// The digest over the rows of an account's lots, as its own row says.
pub fn lots_digest(tx: &mut dyn Tx, account: i64) -> Result<Hash> {
    const DIGEST: &str = "SELECT lots_digest FROM accounts WHERE account = $1";
    let digest: Option<Option<Hash>> = tx.one(DIGEST, &[&account], |row| row.bytes_or_null("lots_digest"))?;
    Ok(digest.flatten().unwrap_or_default())
}

/// The numbers of an account's holds, open or closed, that have other units than their lots.
pub fn hold_mismatches(tx: &mut dyn Tx, account: i64) -> Result<Vec<i64>> {
    const MISMATCHES: &str = "SELECT h.number FROM holds h WHERE h.account = $1 AND h.units <>
        (SELECT CAST(COALESCE(SUM(p.units), 0) AS BIGINT) FROM hold_lots p
            WHERE p.account = h.account AND p.number = h.number)
        ORDER BY h.number LIMIT 100";
    tx.all(MISMATCHES, &[&account], |row| row.int("number"))
}

/// The numbers of an account's holds that cannot have been made, or cannot have ended, after as many entries as they say: there are
/// not so many, a hold before was made after more, or its own capture is among them.
pub fn displaced_holds(tx: &mut dyn Tx, account: i64) -> Result<Vec<i64>> {
    const DISPLACED: &str = "SELECT h.number FROM holds h JOIN accounts a ON a.account = h.account
        LEFT JOIN holds p ON p.account = h.account AND p.number = h.number - 1
        LEFT JOIN reasons r ON r.account = h.account AND r.reason = 'hold_hld_' || h.account || '_' || h.number
        WHERE h.account = $1 AND (h.made_after > a.entries OR h.ended_after > a.entries OR p.made_after > h.made_after
            OR r.seq <= h.made_after OR (h.ended_after IS NULL) <> (COALESCE(h.released_at, h.expired_at) IS NULL))
        ORDER BY h.number LIMIT 100";
    tx.all(DISPLACED, &[&account], |row| row.int("number"))
}
