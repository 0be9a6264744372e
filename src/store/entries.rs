//! The books: accounts, entries, lots. The only place that stores a balance, and it stores only what `ledger` decided.

use super::{Row, Tx, Value, corrupt, holds};
use crate::clock::Timestamp;
use crate::error::{Error, Fault, Result};
use crate::ledger::{Account, Entry, Kind, Lot, Posting};

/// An account as it is stored, and what else its row says.
pub struct Found {
    /// The account, with its lots.
    pub account: Account,
    /// When the next thing on it ends by itself: a lot of which something is not held, or a hold.
    pub next_due: Option<Timestamp>,
    /// Units below which the balance is low, where the user has a threshold of their own.
    pub low_balance: Option<i64>,
    /// The lot that the next spend takes from, and its free units.
    pub front: Option<(i64, i64)>,
}

impl Found {
    /// Whether a spend of so many units changes the account's row alone: the front lot has more, and nothing is due.
    pub fn is_simple(&self, units: i64, now: Timestamp) -> bool {
        self.front.is_some_and(|(_, free)| free > units) && self.next_due.is_none_or(|due| due > now)
    }

    /// The account for such a spend: its front lot, and one that stands for all others. It cannot owe anything, for there
    /// is no debt beside free units.
    pub fn simplified(&self) -> Account {
        const OTHERS: i64 = i64::MAX;
        let lot = |seq, remaining, held| Lot { seq, units: remaining, remaining, held, expired: 0, expires_at: None };
        let (account, (seq, free)) = (&self.account, self.front.unwrap_or_default());
        let others = lot(OTHERS, account.remaining.saturating_sub(free), account.held);
        Account { lots: vec![lot(seq, free, 0), others], ..account.clone() }
    }
}

/// An account with its open lots, and those that `payment` bought, open or not.
pub fn load(tx: &mut dyn Tx, number: i64, payment: Option<&str>) -> Result<Found> {
    let found = find(tx, number, payment)?;
    found.ok_or_else(|| Fault::bare(format!("account {number} is missing")).into())
}

/// The same, if there is such an account.
pub fn find(tx: &mut dyn Tx, number: i64, payment: Option<&str>) -> Result<Option<Found>> {
    const ACCOUNT: &str =
        "SELECT account, remaining, held, credited, entries, head, next_due, low_balance, front, front_free
        FROM accounts WHERE account = $1";
    let Some(row) = tx.query_one(ACCOUNT, &[number.into()])? else { return Ok(None) };
    let mut found = without_lots(&row)?;
    match payment {
        None => add_lots(tx, &mut found)?,
        Some(payment) => add_lots_of(tx, &mut found, payment)?,
    }
    Ok(Some(found))
}

/// A user's account without its lots: see [`Found::is_simple`], and [`add_lots`]. `None` when there is no such user.
pub fn load_of_user(tx: &mut dyn Tx, id: &str) -> Result<Option<Found>> {
    const ACCOUNT: &str = "SELECT a.account, a.remaining, a.held, a.credited, a.entries, a.head, a.next_due,
        a.low_balance, a.front, a.front_free
        FROM users u JOIN accounts a ON a.account = u.account WHERE u.id = $1";
    tx.query_one(ACCOUNT, &[id.into()])?.map(|row| without_lots(&row)).transpose()
}

fn without_lots(row: &Row) -> Result<Found> {
    let account = Account {
        number: row.int(0)?,
        remaining: row.int(1)?,
        held: row.int(2)?,
        credited: row.int(3)?,
        entries: row.int(4)?,
        head: row.hash(5)?,
        lots: vec![],
    };
    // One without the other is a wrong one, which is not passed over.
    let front = match [row.int_or_null(8)?, row.int_or_null(9)?] {
        [None, None] => None,
        [front, free] => Some((front.unwrap_or_default(), free.unwrap_or_default())),
    };
    Ok(Found { account, next_due: row.time_or_null(6)?, low_balance: row.int_or_null(7)?, front })
}

/// Adds the open lots.
pub fn add_lots(tx: &mut dyn Tx, found: &mut Found) -> Result<()> {
    const LOTS: &str = "SELECT seq, units, remaining, held, expired, expires_at FROM lots
        WHERE account = $1 AND (remaining > 0 OR seq = $2) ORDER BY seq LIMIT 100000";
    let front = found.front.map(|(seq, _)| seq);
    let lots = tx.query(LOTS, &[found.account.number.into(), front.into()])?;
    put_lots(found, &lots)
}

fn add_lots_of(tx: &mut dyn Tx, found: &mut Found, payment: &str) -> Result<()> {
    const LOTS: &str = "SELECT seq, units, remaining, held, expired, expires_at FROM lots
        WHERE account = $1 AND (remaining > 0 OR seq = $2 OR payment = $3) ORDER BY seq LIMIT 100000";
    let front = found.front.map(|(seq, _)| seq);
    let lots = tx.query(LOTS, &[found.account.number.into(), front.into(), payment.into()])?;
    put_lots(found, &lots)
}

fn put_lots(found: &mut Found, rows: &[Row]) -> Result<()> {
    let mut lots = rows.iter().map(lot).collect::<std::result::Result<Vec<_>, Fault>>()?;
    if let Some((seq, free)) = found.front
        && let Some(front) = lots.iter_mut().find(|lot| lot.seq == seq)
    {
        front.remaining = front.remaining.saturating_add(free);
    }
    found.account.lots = lots;
    Ok(())
}

/// Stores a posting: the entry, the account, the lots that changed. `false` when the account has an entry with this
/// reason already; then nothing is stored. `payment` is what bought the lot that it opens.
pub fn post(tx: &mut dyn Tx, before: &Account, posting: &Posting, payment: Option<&str>) -> Result<bool> {
    if !add(tx, &posting.entry)? {
        return Ok(false);
    }
    store(tx, before, &posting.after, payment)?;
    Ok(true)
}

/// Stores a spend of a [simplified](Found::simplified) account: the entry, and the account's row. `false` when the account
/// has an entry with this reason already; then nothing is stored.
pub fn post_simple(tx: &mut dyn Tx, before: &Account, posting: &Posting) -> Result<bool> {
    const SPEND: &str = "UPDATE books SET remaining = $3, entries = $4, head = $5, front_free = $7
        WHERE account = $1 AND claim = '=' AND line = 0 AND entries = $2 AND front = $6";
    let after = &posting.after;
    let front = after.lots.first().ok_or_else(|| Fault::bare("a simplified account has no front lot"))?;
    if !add(tx, &posting.entry)? {
        return Ok(false);
    }
    tx.mark_changed(after.number);
    let moved = tx.execute(
        SPEND,
        &[
            after.number.into(),
            before.entries.into(),
            after.remaining.into(),
            after.entries.into(),
            (&after.head).into(),
            front.seq.into(),
            front.remaining.into(),
        ],
    )?;
    if moved == 1 { Ok(true) } else { Err(moved_meanwhile(after)) }
}

/// Claims the entry's reason, and adds the entry where nobody had.
fn add(tx: &mut dyn Tx, entry: &Entry) -> Result<bool> {
    const CLAIM: &str = "INSERT INTO books (account, claim, line, entry) VALUES ($1, $2, 0, $3)
        ON CONFLICT (account, claim, line) DO NOTHING";
    const ADD: &str = "INSERT INTO books
        (account, claim, line, kind, delta, balance_after, reason, note, lot, expires_at, created_at, previous)
        VALUES ($1, '', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    if tx.execute(CLAIM, &[entry.account.into(), (&entry.reason).into(), entry.seq.into()])? == 0 {
        return Ok(false);
    }
    tx.execute(
        ADD,
        &[
            entry.account.into(),
            entry.seq.into(),
            entry.kind.as_str().into(),
            entry.delta.into(),
            entry.balance_after.into(),
            (&entry.reason).into(),
            entry.note.as_deref().into(),
            entry.lot.into(),
            entry.expires_at.into(),
            entry.created_at.into(),
            (&entry.previous).into(),
        ],
    )?;
    Ok(true)
}

/// Stores an account and the lots that changed, after whatever changed its holds. `payment` is what bought the lot that
/// is new.
pub fn store(tx: &mut dyn Tx, before: &Account, after: &Account, payment: Option<&str>) -> Result<()> {
    const MOVE: &str = "UPDATE books SET remaining = $3, held = $4, credited = $5, entries = $6, head = $7,
        front = $8, front_free = $9 WHERE account = $1 AND claim = '=' AND line = 0 AND entries = $2";
    const DUE: &str = "UPDATE books SET next_due = $2 WHERE account = $1 AND claim = '=' AND line = 0";
    let front = after.front();
    tx.mark_changed(after.number);
    let moved = tx.execute(
        MOVE,
        &[
            after.number.into(),
            before.entries.into(),
            after.remaining.into(),
            after.held.into(),
            after.credited.into(),
            after.entries.into(),
            (&after.head).into(),
            front.map(|lot| lot.seq).into(),
            front.map(Lot::free).into(),
        ],
    )?;
    if moved != 1 {
        return Err(moved_meanwhile(after));
    }
    store_lots(tx, before, after, payment)?;
    // Without holds, before and after, only the lots say what is due.
    if before.held != 0 || after.held != 0 || before.next_expiry() != after.next_expiry() {
        let due = next_due(tx, after)?;
        tx.execute(DUE, &[after.number.into(), due.into()])?;
    }
    Ok(())
}

fn moved_meanwhile(account: &Account) -> Error {
    Fault::bare(format!("account {} moved meanwhile", account.number)).retryable().into()
}

/// When the next thing on an account ends by itself.
pub fn next_due(tx: &mut dyn Tx, account: &Account) -> Result<Option<Timestamp>> {
    let hold = if account.held > 0 { holds::next_end(tx, account.number)? } else { None };
    Ok([account.next_expiry(), hold].into_iter().flatten().min())
}

fn store_lots(tx: &mut dyn Tx, before: &Account, after: &Account, payment: Option<&str>) -> Result<()> {
    const OPEN: &str = "INSERT INTO lots (account, seq, units, remaining, held, expired, expires_at, payment)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    const CHANGE: &str = "UPDATE lots SET remaining = $3, held = $4, expired = $5 WHERE account = $1 AND seq = $2";
    let fronts = [before.front().map(|lot| lot.seq), after.front().map(|lot| lot.seq)];
    // The free units of the front lot are in the account's row.
    let row = |lot: &Lot, front: Option<i64>| {
        let remaining = if front == Some(lot.seq) { lot.held } else { lot.remaining };
        [remaining, lot.held, lot.expired]
    };
    for lot in &after.lots {
        let (account, seq, new) = (after.number.into(), lot.seq.into(), row(lot, fronts[1]));
        let [remaining, held, expired] = new.map(Value::from);
        match before.lots.iter().find(|old| old.seq == lot.seq) {
            Some(old) if row(old, fronts[0]) == new => {}
            Some(_) => {
                tx.execute(CHANGE, &[account, seq, remaining, held, expired])?;
            }
            None => {
                let (units, expires_at) = (lot.units.into(), lot.expires_at.into());
                tx.execute(OPEN, &[account, seq, units, remaining, held, expired, expires_at, payment.into()])?;
            }
        }
    }
    Ok(())
}

/// The entry that a reason names, if it was made.
pub fn by_reason(tx: &mut dyn Tx, account: i64, reason: &str) -> Result<Option<Entry>> {
    const FIND: &str =
        "SELECT e.account, e.seq, e.kind, e.delta, e.balance_after, e.reason, e.note, e.lot, e.expires_at, e.created_at,
        e.previous FROM books c JOIN entries e ON e.account = c.account AND e.seq = c.entry
        WHERE c.account = $1 AND c.claim = $2 AND c.line = 0";
    Ok(tx.query_one(FIND, &[account.into(), reason.into()])?.as_ref().map(entry).transpose()?)
}

/// Entries before the one with number `before`, newest first.
pub fn newest(tx: &mut dyn Tx, account: i64, before: i64, limit: i64) -> Result<Vec<Entry>> {
    const PAGE: &str =
        "SELECT account, seq, kind, delta, balance_after, reason, note, lot, expires_at, created_at, previous
        FROM entries WHERE account = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3";
    collect(tx.query(PAGE, &[account.into(), before.into(), limit.into()])?)
}

/// All entries in the order of accounts and of time, after the given place: for proof and export, page by page.
pub fn after(tx: &mut dyn Tx, account: i64, seq: i64, limit: i64) -> Result<Vec<Entry>> {
    // From the table, for by its key alone a page is found where the one before it ended, without sorting.
    const PAGE: &str =
        "SELECT account, line, kind, delta, balance_after, reason, note, lot, expires_at, created_at, previous
        FROM books WHERE (account, claim, line) > ($1, '', $2) AND claim < '=' ORDER BY account, claim, line LIMIT $3";
    collect(tx.query(PAGE, &[account.into(), seq.into(), limit.into()])?)
}

/// An account's entries in order, after the one with number `seq`.
pub fn of_account_after(tx: &mut dyn Tx, account: i64, seq: i64, limit: i64) -> Result<Vec<Entry>> {
    const PAGE: &str =
        "SELECT account, seq, kind, delta, balance_after, reason, note, lot, expires_at, created_at, previous
        FROM entries WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    collect(tx.query(PAGE, &[account.into(), seq.into(), limit.into()])?)
}

/// Units spent for each day since `since`, by the day's number (milliseconds since 1970 ÷ 86,400,000), oldest first.
pub fn spent_by_day(tx: &mut dyn Tx, account: i64, since: Timestamp) -> Result<Vec<(i64, i64)>> {
    const DAYS: &str = "SELECT created_at / 86400000, CAST(SUM(-delta) AS INTEGER) FROM entries
        WHERE account = $1 AND kind = 'spend' AND created_at >= $2
        GROUP BY created_at / 86400000 ORDER BY created_at / 86400000 LIMIT 400";
    let rows = tx.query(DAYS, &[account.into(), since.into()])?;
    Ok(rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect::<std::result::Result<_, Fault>>()?)
}

/// Accounts of which a lot or a hold is over at `at`.
pub fn accounts_due(tx: &mut dyn Tx, at: Timestamp, limit: i64) -> Result<Vec<i64>> {
    const DUE: &str = "SELECT account FROM accounts WHERE next_due IS NOT NULL AND next_due <= $1
        ORDER BY next_due, account LIMIT $2";
    let rows = tx.query(DUE, &[at.into(), limit.into()])?;
    Ok(rows.iter().map(|row| row.int(0)).collect::<std::result::Result<_, Fault>>()?)
}

/// Accounts of which there is any row in the books, after the one given, in order: for the proof.
pub fn accounts_after(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<i64>> {
    // From one account straight to the next, past all that lies between.
    const PAGE: &str = "WITH RECURSIVE known (account, place) AS (
            SELECT MIN(account), 1 FROM books WHERE account > $1
            UNION ALL SELECT (SELECT MIN(b.account) FROM books b WHERE b.account > k.account), k.place + 1
                FROM known k WHERE k.account IS NOT NULL AND k.place < $2)
        SELECT account FROM known WHERE account IS NOT NULL ORDER BY account LIMIT $2";
    let rows = tx.query(PAGE, &[account.into(), limit.into()])?;
    Ok(rows.iter().map(|row| row.int(0)).collect::<std::result::Result<_, Fault>>()?)
}

/// Users whose account is missing: for the proof.
pub fn users_without_account(tx: &mut dyn Tx, limit: i64) -> Result<Vec<i64>> {
    const LOST: &str = "SELECT u.account FROM users u LEFT JOIN accounts a ON a.account = u.account
        WHERE a.account IS NULL ORDER BY u.account LIMIT $1";
    let rows = tx.query(LOST, &[limit.into()])?;
    Ok(rows.iter().map(|row| row.int(0)).collect::<std::result::Result<_, Fault>>()?)
}

/// An account's lots in order, empty ones among them, after the one with number `seq`: for the proof.
pub fn lots_after(tx: &mut dyn Tx, account: i64, seq: i64, limit: i64) -> Result<Vec<Lot>> {
    const PAGE: &str = "SELECT seq, units, remaining, held, expired, expires_at FROM lots
        WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    let rows = tx.query(PAGE, &[account.into(), seq.into(), limit.into()])?;
    Ok(rows.iter().map(lot).collect::<std::result::Result<_, Fault>>()?)
}

/// Whether the account is that of the user who has its number: for the proof.
pub fn is_owned(tx: &mut dyn Tx, account: i64) -> Result<bool> {
    const OWNER: &str = "SELECT u.account FROM books b JOIN users u ON u.account = b.owner
        WHERE b.account = $1 AND b.claim = '=' AND b.line = 0 AND b.owner = b.account";
    Ok(tx.query_one(OWNER, &[account.into()])?.is_some())
}

/// Entries of an account that no claim names, and claims that name no entry of their reason, as the entry's number, the
/// reason, and whether the entry is there: for the proof.
pub fn claims_astray(tx: &mut dyn Tx, account: i64) -> Result<Vec<(i64, String, bool)>> {
    const ASTRAY: &str = "SELECT e.line, e.reason, 1 FROM books e LEFT JOIN books c
            ON c.account = e.account AND c.claim = e.reason AND c.line = 0 AND c.entry = e.line
            WHERE e.account = $1 AND e.claim = '' AND c.account IS NULL
        UNION ALL SELECT COALESCE(c.entry, 0), c.claim, 0 FROM books c LEFT JOIN books e
            ON e.account = c.account AND e.claim = '' AND e.line = c.entry AND e.reason = c.claim
            WHERE c.account = $1 AND c.claim > '' AND (c.claim <> '=' OR c.line <> 0) AND (e.account IS NULL OR c.line <> 0)
        LIMIT 100";
    let astray = |row: &Row| Ok((row.int(0)?, row.text(1)?, row.int(2)? == 1));
    let rows = tx.query(ASTRAY, &[account.into()])?;
    Ok(rows.iter().map(astray).collect::<std::result::Result<_, Fault>>()?)
}

/// Payments that the books do not bear out: what they gave is not in their lots, or what was taken of them is not in the
/// entries that reversed them. Answers accounts and references.
pub fn payments_without_entries(tx: &mut dyn Tx) -> Result<Vec<(i64, String)>> {
    const LOST: &str = "SELECT p.account, p.reference FROM payments p WHERE
        p.gave <> (SELECT CAST(COALESCE(SUM(e.delta), 0) AS INTEGER) FROM lots l
            JOIN entries e ON e.account = l.account AND e.seq = l.seq WHERE l.payment = p.reference)
        OR -p.taken <> (SELECT CAST(COALESCE(SUM(e.delta), 0) AS INTEGER) FROM entries e
            JOIN lots l ON l.account = e.account AND l.seq = e.lot
            WHERE l.payment = p.reference AND e.account = p.account AND e.kind IN ('refund', 'dispute'))
        ORDER BY p.account, p.reference LIMIT 1000";
    let rows = tx.query(LOST, &[])?;
    Ok(rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect::<std::result::Result<_, Fault>>()?)
}

fn collect(rows: Vec<Row>) -> Result<Vec<Entry>> {
    Ok(rows.iter().map(entry).collect::<std::result::Result<_, Fault>>()?)
}

fn entry(row: &Row) -> std::result::Result<Entry, Fault> {
    let kind = row.text(2)?;
    Ok(Entry {
        account: row.int(0)?,
        seq: row.int(1)?,
        kind: Kind::parse(&kind).ok_or_else(|| corrupt(&kind))?,
        delta: row.int(3)?,
        balance_after: row.int(4)?,
        reason: row.text(5)?,
        note: row.text_or_null(6)?,
        lot: row.int_or_null(7)?,
        expires_at: row.time_or_null(8)?,
        created_at: row.time(9)?,
        previous: row.hash(10)?,
    })
}

fn lot(row: &Row) -> std::result::Result<Lot, Fault> {
    Ok(Lot {
        seq: row.int(0)?,
        units: row.int(1)?,
        remaining: row.int(2)?,
        held: row.int(3)?,
        expired: row.int(4)?,
        expires_at: row.time_or_null(5)?,
    })
}
