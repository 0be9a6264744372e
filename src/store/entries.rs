//! The books: accounts, their entries, and their lots. The only place that stores a balance, and it stores only what
//! `ledger` decided. `schema.sql` says how they lie on the disk; here they are read through its views.

use super::db::{DbResult, Row, Tx};
use super::lots::{self, lot_columns};
use super::{holds, no_account, unit_moves};
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::ledger::{Account, Entry, EntryNote, Hash, Kind, Lot, LotChange, Posting};

pub use super::lots::FrontLot;

/// The columns of an account, of the view `a`.
macro_rules! account_columns {
    () => {
        "a.account, a.remaining, a.held, a.credited, a.entries, a.head, a.next_due, a.low_balance, a.front, a.front_free,
        a.front_paid"
    };
}
/// The columns of an entry, of the view `e`.
macro_rules! entry_columns {
    () => {
        "e.account, e.seq, e.kind, e.delta, e.balance_after, e.reason, e.note,
        e.note_salt, e.note_digest, e.lot, e.expires_at, e.created_at, e.previous"
    };
}
pub(super) use entry_columns;

/// An account's row, before any of its lots is read.
#[derive(Clone, Debug)]
pub struct AccountRow {
    /// The account, without lots.
    pub account: Account,
    /// When the next lot or hold ends by itself; a lot counts if something in it is not held.
    pub next_due: Option<Timestamp>,
    /// The user's own threshold of a low balance.
    pub low_balance: Option<i64>,
    /// The lot that the next spend takes from.
    pub front: Option<FrontLot>,
}

/// Which lots of an account were loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lots {
    /// All open ones.
    All,
    /// The front lot. One more lot stands for all the others, and is never stored.
    FrontOnly,
}

/// An account with the lots that a movement needs.
#[derive(Clone, Debug)]
pub struct LoadedAccount {
    pub account: Account,
    pub lots: Lots,
    /// The user's own threshold of a low balance.
    pub low_balance: Option<i64>,
}

impl AccountRow {
    /// Whether a spend of so many units needs the front lot alone: it has more free units, and nothing is due.
    pub fn front_covers(&self, units: i64, now: Timestamp) -> bool {
        self.front.is_some_and(|front| front.free > units) && self.next_due.is_none_or(|due| due > now)
    }

    /// The account with its front lot, and one lot that stands for all others. It owes nothing, because there is no debt
    /// beside free units.
    pub fn with_front_only(self) -> LoadedAccount {
        const OTHERS: i64 = i64::MAX;
        let (account, front) = (self.account, self.front.unwrap_or_default());
        let left = front.free.saturating_add(front.held);
        let lot = Lot {
            seq: front.seq,
            units: front.units,
            remaining: left,
            held: front.held,
            expired: 0,
            expires_at: None,
            grace_until: None,
            cost: front.cost,
        };
        let rest = account.remaining.saturating_sub(left);
        let held = account.held.saturating_sub(front.held);
        let others = Lot { seq: OTHERS, units: rest, remaining: rest, held, cost: None, ..lot };
        let lots = vec![lot, others];
        LoadedAccount { account: Account { lots, ..account }, lots: Lots::FrontOnly, low_balance: self.low_balance }
    }

    /// The account with its open lots, and with those that `payment` bought, open or not.
    pub fn with_lots(self, tx: &mut dyn Tx, payment: Option<&str>) -> Result<LoadedAccount> {
        const OPEN: &str = concat!(
            "SELECT ",
            lot_columns!(),
            " FROM lots
            WHERE account = $1 AND (remaining > 0 OR seq = $2) ORDER BY seq LIMIT 100000"
        );
        const OPEN_OR_BOUGHT: &str = concat!(
            "SELECT ",
            lot_columns!(),
            " FROM lots
            WHERE account = $1 AND (remaining > 0 OR seq = $2 OR payment = $3) ORDER BY seq LIMIT 100000"
        );
        let (account, front) = (self.account.number, self.front.map(|front| front.seq));
        let mut lots = match payment {
            None => tx.all(OPEN, &[&account, &front], lots::lot)?,
            Some(payment) => tx.all(OPEN_OR_BOUGHT, &[&account, &front, &payment], lots::lot)?,
        };
        if let Some(front) = self.front
            && let Some(lot) = lots.iter_mut().find(|lot| lot.seq == front.seq)
        {
            lot.remaining = lot.remaining.saturating_add(front.free);
        }
        let account = Account { lots, ..self.account };
        Ok(LoadedAccount { account, lots: Lots::All, low_balance: self.low_balance })
    }
}

impl LoadedAccount {
    /// A new account, which has no lots to load.
    pub fn open(number: i64) -> LoadedAccount {
        LoadedAccount { account: Account::open(number), lots: Lots::All, low_balance: None }
    }
}

/// The row of an account, which in a write stays as it is until the end.
pub fn find(tx: &mut dyn Tx, account: i64) -> Result<Option<AccountRow>> {
    const ACCOUNT: &str = concat!("SELECT ", account_columns!(), " FROM accounts a WHERE a.account = $1");
    tx.one_locked(ACCOUNT, &[&account], account_row)
}

/// Keeps an account as it is until the write's end, for what is written beside it in an order: its messages.
pub fn lock(tx: &mut dyn Tx, account: i64) -> Result<()> {
    const LOCK: &str = "SELECT a.account FROM accounts a WHERE a.account = $1";
    tx.one_locked(LOCK, &[&account], |row| row.int("account")).map(drop)
}

/// The row of a user's account. `None` when there is no such user.
pub fn find_of_user(tx: &mut dyn Tx, id: &str) -> Result<Option<AccountRow>> {
    const ACCOUNT: &str = concat!(
        "SELECT ",
        account_columns!(),
        " FROM users u JOIN accounts a ON a.account = u.account WHERE u.id = $1"
    );
    tx.one_locked(ACCOUNT, &[&id], account_row)
}

/// An account with its open lots, and with those that `payment` bought, open or not.
pub fn load(tx: &mut dyn Tx, account: i64, payment: Option<&str>) -> Result<LoadedAccount> {
    let row = find(tx, account)?.ok_or_else(|| no_account(account))?;
    row.with_lots(tx, payment)
}

/// Stores a posting: the entry, the account, the lots that changed. `false` when the account has an entry with this
/// reason already; then nothing is stored. `payment` is what bought the lot that the posting opens, `actor` who made it.
pub fn post(
    tx: &mut dyn Tx,
    before: &LoadedAccount,
    posting: &Posting,
    payment: Option<&str>,
    actor: &Actor,
) -> Result<bool> {
    if !add(tx, &posting.entry, actor)? {
        return Ok(false);
    }
    store(tx, before, &posting.after, payment, LotChange::Entry(&posting.entry))?;
    tx.add_to_figure(unit_moves::moved(&posting.entry));
    Ok(true)
}

/// Uses the entry's reason up, and adds the entry. `false` when the reason was used before.
fn add(tx: &mut dyn Tx, entry: &Entry, actor: &Actor) -> Result<bool> {
    const USE_REASON: &str = "INSERT INTO books (account, part, used_reason, used_by) VALUES ($1, 2, $2, $3)
        ON CONFLICT (account, part, seq, used_reason) DO NOTHING";
    const ADD: &str = "INSERT INTO books
        (account, part, seq, kind, delta, balance_after, reason, note, note_salt, note_digest, lot, expires_at,
            created_at, previous, actor, anchors)
        VALUES ($1, 0, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
            (SELECT COALESCE(MAX(number), 0) FROM anchors))";
    let note = entry.note.as_ref();
    if tx.execute(USE_REASON, &[&entry.account, &entry.reason, &entry.seq])? == 0 {
        return Ok(false);
    }
    tx.execute(
        ADD,
        &[
            &entry.account,
            &entry.seq,
            &entry.kind.as_str(),
            &entry.delta,
            &entry.balance_after,
            &entry.reason,
            &entry.note_text(),
            &note.and_then(EntryNote::salt),
            &note.map(EntryNote::digest),
            &entry.lot,
            &entry.expires_at,
            &entry.created_at,
            &entry.previous,
            &actor.name(),
        ],
    )?;
    Ok(true)
}

/// Stores an account, and the lots that changed. Call it after any change of the account's holds. `payment` is what
/// bought the lot that is new.
pub fn store(
    tx: &mut dyn Tx,
    before: &LoadedAccount,
    after: &Account,
    payment: Option<&str>,
    lot_change: LotChange<'_>,
) -> Result<()> {
    const CHANGE: &str = "UPDATE books SET remaining = $3, held = $4, credited = $5, entries = $6, head = $7,
        front = $8, front_free = $9, front_paid = $10
        WHERE account = $1 AND part = 1 AND seq = 0 AND used_reason = '' AND entries = $2";
    let front = after.front().map(FrontLot::of);
    tx.mark_changed(after.number);
    let changed = tx.execute(
        CHANGE,
        &[
            &after.number,
            &before.account.entries,
            &after.remaining,
            &after.held,
            &after.credited,
            &after.entries,
            &after.head,
            &front.map(|front| front.seq),
            &front.map(|front| front.free),
            &front.and_then(|front| front.paid()),
        ],
    )?;
    if changed != 1 {
        return Err(Fault::bare(format!("account {} changed meanwhile", after.number)).retryable().into());
    }
    unit_moves::value_moved(&before.account.lots, &after.lots, lot_change)
        .into_iter()
        .for_each(|change| tx.add_to_figure(change));
    match before.lots {
        // The front lot's free units are in the account's row, and no other lot is touched.
        Lots::FrontOnly => Ok(()),
        Lots::All => {
            let changed = lots::store(tx, &before.account, after, payment)?;
            store_next_due(tx, &before.account, after, changed)
        }
    }
}

/// Stores when the next lot or hold ends, and what `changed` of the digest over the lots' rows.
fn store_next_due(tx: &mut dyn Tx, before: &Account, after: &Account, changed: Hash) -> Result<()> {
    const STORED: &str = "SELECT lots_digest FROM accounts WHERE account = $1";
    const CHANGE: &str = "UPDATE books SET next_due = $2, lots_digest = $3
        WHERE account = $1 AND part = 1 AND seq = 0 AND used_reason = ''";
    // Without holds, before and after, only the lots say what is due.
    let is_other_due = before.held != 0 || after.held != 0 || before.next_expiry() != after.next_expiry();
    if is_other_due || changed != [0; 32] {
        let due = next_due(tx, after)?;
        let stored: Option<Option<Hash>> = tx.one(STORED, &[&after.number], |row| row.bytes_or_null("lots_digest"))?;
        let digest = lots::combine(stored.flatten().unwrap_or_default(), changed);
        tx.mark_changed(after.number);
        tx.execute(CHANGE, &[&after.number, &due, &digest])?;
    }
    Ok(())
}

/// When the next lot or hold of an account ends by itself.
pub fn next_due(tx: &mut dyn Tx, account: &Account) -> Result<Option<Timestamp>> {
    let hold = if account.held > 0 { holds::next_end(tx, account.number)? } else { None };
    Ok([account.next_expiry(), hold].into_iter().flatten().min())
}

/// Reads what a movement of this user with this reason will need, so that it is in memory: see
/// [`Store::write_read_ahead`](super::Store::write_read_ahead).
pub fn read_ahead(tx: &mut dyn Tx, id: &str, reason: &str, lots: Lots) -> Result<()> {
    let Some(row) = find_of_user(tx, id)? else { return Ok(()) };
    let account = row.account.number;
    if lots == Lots::All {
        row.with_lots(tx, None)?;
    }
    // The places that its reason and its entry will have.
    by_reason(tx, account, reason)?;
    newest(tx, account, i64::MAX, 1).map(drop)
}

/// The entry that was made for a reason.
pub fn by_reason(tx: &mut dyn Tx, account: i64, reason: &str) -> Result<Option<Entry>> {
    const FIND: &str = concat!(
        "SELECT ",
        entry_columns!(),
        " FROM reasons r JOIN entries e ON e.account = r.account AND e.seq = r.seq
        WHERE r.account = $1 AND r.reason = $2"
    );
    tx.one(FIND, &[&account, &reason], entry)
}

/// Entries before the one with number `before`, newest first.
pub fn newest(tx: &mut dyn Tx, account: i64, before: i64, limit: i64) -> Result<Vec<Entry>> {
    const PAGE: &str = concat!(
        "SELECT ",
        entry_columns!(),
        " FROM entries e
        WHERE e.account = $1 AND e.seq < $2 ORDER BY e.seq DESC LIMIT $3"
    );
    tx.all(PAGE, &[&account, &before, &limit], entry)
}

/// An account's entries in order, after the one with number `seq`.
pub fn of_account_after(tx: &mut dyn Tx, account: i64, seq: i64, limit: i64) -> Result<Vec<Entry>> {
    const PAGE: &str = concat!(
        "SELECT ",
        entry_columns!(),
        " FROM entries e
        WHERE e.account = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3"
    );
    tx.all(PAGE, &[&account, &seq, &limit], entry)
}

/// Units spent by the entries after the one with number `seq` for each day since `since`, by the day's number (milliseconds
/// since 1970 ÷ 86,400,000), oldest first.
pub fn spent_by_day(tx: &mut dyn Tx, account: i64, seq: i64, since: Timestamp) -> Result<Vec<(i64, i64)>> {
    const DAYS: &str = "SELECT created_at / 86400000 AS day, CAST(SUM(-delta) AS BIGINT) AS units FROM entries
        WHERE account = $1 AND seq > $2 AND kind = 'spend' AND created_at >= $3
        GROUP BY created_at / 86400000 ORDER BY created_at / 86400000 LIMIT 400";
    tx.all(DAYS, &[&account, &seq, &since], |row| Ok((row.int("day")?, row.int("units")?)))
}

/// Erases the notes of an account's entries after the one with number `after` up to `last`; how many had one.
pub fn erase_notes(tx: &mut dyn Tx, account: i64, after: i64, last: i64) -> Result<usize> {
    const ERASE: &str = "UPDATE books SET note = NULL, note_salt = NULL WHERE account = $1 AND part = 0
        AND seq > $2 AND seq <= $3 AND used_reason = '' AND note IS NOT NULL";
    tx.mark_changed(account);
    Ok(tx.execute(ERASE, &[&account, &after, &last])?)
}

/// Accounts of which a lot or a hold has ended at `at`, and is not closed yet.
pub fn accounts_due(tx: &mut dyn Tx, at: Timestamp, limit: i64) -> Result<Vec<i64>> {
    const DUE: &str = "SELECT account FROM accounts WHERE next_due IS NOT NULL AND next_due <= $1
        ORDER BY next_due, account LIMIT $2";
    tx.all(DUE, &[&at, &limit], |row| row.int("account"))
}

fn account_row(row: &Row<'_>) -> DbResult<AccountRow> {
    let account = Account {
        number: row.int("account")?,
        remaining: row.int("remaining")?,
        held: row.int("held")?,
        credited: row.int("credited")?,
        entries: row.int("entries")?,
        head: row.hash("head")?,
        lots: vec![],
    };
    let (next_due, low_balance) = (row.time_or_null("next_due")?, row.int_or_null("low_balance")?);
    let front = lots::front(row)?;
    Ok(AccountRow { account, next_due, low_balance, front })
}

pub(super) fn entry(row: &Row<'_>) -> DbResult<Entry> {
    Ok(Entry {
        account: row.int("account")?,
        seq: row.int("seq")?,
        kind: row.word("kind", Kind::parse)?,
        delta: row.int("delta")?,
        balance_after: row.int("balance_after")?,
        reason: row.text("reason")?,
        note: note(row)?,
        lot: row.int_or_null("lot")?,
        expires_at: row.time_or_null("expires_at")?,
        created_at: row.time("created_at")?,
        previous: row.hash("previous")?,
    })
}

/// The note as it is stored. A text or a salt without a digest is a note too, so that the proof sees it.
fn note(row: &Row<'_>) -> DbResult<Option<EntryNote>> {
    let (text, salt) = (row.text_or_null("note")?, row.bytes_or_null("note_salt")?);
    Ok(match row.bytes_or_null("note_digest")? {
        None if text.is_none() && salt.is_none() => None,
        digest => Some(EntryNote::from_stored(digest.unwrap_or_default(), text, salt)),
    })
}
