//! A user's activity: the entries of the ledger with what was paid for them, and the holds that ended without a charge.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ledger::{Entry, Kind};
use crate::store::holds::{self, UnusedHold};
use crate::store::receipts::{self, PaidLot, Receipt};
use crate::store::{Tx, entries};
use crate::usecase::users::lot_history::{self, LotHistory, LotRecords};

/// Entries of one month that a statement lists.
const MONTH_LIMIT: i64 = 2000;

/// Something that happened to a user's units.
#[derive(Clone, Debug)]
pub enum Movement {
    /// An entry with the payment that made it; of a refund or dispute, with the one that was returned or disputed.
    Entry(Entry, Option<Box<Receipt>>),
    /// A hold that was released or expired: nothing was charged.
    Unused(UnusedHold),
}

impl Movement {
    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Movement::Entry(entry, _) => entry.created_at,
            Movement::Unused(hold) => hold.ended_at,
        }
    }
}

/// A part of the activity, newest first.
#[derive(Clone, Debug)]
pub struct Activity {
    pub movements: Vec<Movement>,
    /// The number of the last entry here, where older ones follow.
    pub next: Option<i64>,
}

impl Activity {
    /// The number of the newest entry in it, or zero. Of the newest part that is the account's last.
    pub fn last_entry(&self) -> i64 {
        let entry = |movement: &Movement| match movement {
            Movement::Entry(entry, _) => Some(entry.seq),
            Movement::Unused(_) => None,
        };
        self.movements.iter().filter_map(entry).max().unwrap_or(0)
    }
}

/// One month of the books.
#[derive(Clone, Debug)]
pub struct Month {
    /// The balance before its first entry.
    pub opening: i64,
    /// Its entries, oldest first.
    pub movements: Vec<Movement>,
    pub closing: i64,
    /// Payments of the month, oldest first.
    pub receipts: Vec<Receipt>,
    /// Whether it has more entries than are listed.
    pub is_cut: bool,
    pub lots: Lots,
}

/// What says which lots each entry of an account drew on.
#[derive(Clone, Debug)]
pub struct Lots {
    pub records: LotRecords,
    /// `None` where it was not worked out.
    pub history: Option<LotHistory>,
}

impl Lots {
    /// Works it out.
    pub fn read(tx: &mut dyn Tx, account: i64) -> Result<Lots> {
        let records = LotRecords::read(tx, account)?;
        let history = lot_history::work_out(tx, account, &records)?;
        Ok(Lots { records, history })
    }
}

/// The activity before the entry with number `before`.
pub fn page(app: &App, account: i64, before: i64, limit: i64) -> Result<Activity> {
    app.store.read(|tx| activity(tx, account, before, limit))
}

/// The same, with what says which lots each entry drew on.
pub fn explained_page(app: &App, account: i64, before: i64, limit: i64) -> Result<(Activity, Lots)> {
    app.store.read(|tx| Ok((activity(tx, account, before, limit)?, Lots::read(tx, account)?)))
}

/// What says which lots each entry drew on, for a list that is read in parts.
pub fn lots(app: &App, account: i64) -> Result<Lots> {
    app.store.read(|tx| Lots::read(tx, account))
}

/// The activity in a transaction.
pub fn activity(tx: &mut dyn Tx, account: i64, before: i64, limit: i64) -> Result<Activity> {
    // The entry `before` itself says how far the holds go that belong here.
    let mut found = entries::newest(tx, account, before.saturating_add(1), limit.saturating_add(2))?;
    let upper = match found.first() {
        Some(first) if first.seq == before => Some(found.remove(0).created_at),
        _ => None,
    };
    let holds = limit;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let lower = found.get(limit).map(|older| older.created_at);
    found.truncate(limit);
    let next = lower.and(found.last()).map(|last| last.seq);
    let ends = [lower.unwrap_or(Timestamp::from_millis(0)), upper.unwrap_or(Timestamp::from_millis(i64::MAX))];
    // At most as many as entries, so that a page stays a page.
    let unused = holds::unused(tx, account, ends, holds)?.into_iter().map(Movement::Unused);
    let mut movements = with_receipts(tx, account, found)?;
    movements.extend(unused);
    // Entries of one instant keep their order.
    movements.sort_by_key(|movement| std::cmp::Reverse(movement.at()));
    Ok(Activity { movements, next })
}

/// Entries with what was paid for them.
fn with_receipts(tx: &mut dyn Tx, account: i64, found: Vec<Entry>) -> Result<Vec<Movement>> {
    let bought = found.iter().filter(|entry| is_bought(entry)).map(|entry| entry.seq);
    let paid = receipts::of_lots(tx, account, bought)?;
    let mut movements = Vec::with_capacity(found.len());
    for entry in found {
        let receipt = match (entry.kind, entry.lot) {
            (Kind::Refund | Kind::Dispute, Some(lot)) => {
                let bought = receipts::of_lots(tx, account, std::iter::once(lot))?.pop();
                bought.map(|bought| Box::new(bought.receipt))
            }
            _ => receipt_of(&entry, &paid),
        };
        movements.push(Movement::Entry(entry, receipt));
    }
    Ok(movements)
}

fn is_bought(entry: &Entry) -> bool {
    entry.reason.starts_with("topup_") || entry.reason.starts_with("sub_")
}

/// Of a payment that gave several lots, the first tells what was paid.
fn receipt_of(entry: &Entry, paid: &[PaidLot]) -> Option<Box<Receipt>> {
    let paid = paid.iter().find(|lot| lot.seq == entry.seq)?;
    let bare = entry.reason.strip_prefix("topup_").or_else(|| entry.reason.strip_prefix("sub_"));
    bare.filter(|reference| *reference == paid.receipt.reference).map(|_| Box::new(paid.receipt.clone()))
}

/// What happened in a time, such as a month.
pub fn month(app: &App, account: i64, from: Timestamp, to: Timestamp) -> Result<Month> {
    app.store.read(|tx| {
        let last = entries::find(tx, account)?.map_or(0, |row| row.account.entries);
        let before = last_before(tx, account, last, from)?;
        let opening = balance_at(tx, account, before)?;
        let mut found = entries::of_account_after(tx, account, before, MONTH_LIMIT + 1)?;
        found.retain(|entry| entry.created_at < to);
        let is_cut = found.len() > usize::try_from(MONTH_LIMIT).unwrap_or(usize::MAX);
        let closing = match is_cut {
            true => {
                let end = last_before(tx, account, last, to)?;
                balance_at(tx, account, end)?
            }
            false => found.last().map_or(opening, |entry| entry.balance_after),
        };
        found.truncate(usize::try_from(MONTH_LIMIT).unwrap_or(usize::MAX));
        let receipts = receipts::within(tx, account, from, to, 500)?;
        let lots = Lots::read(tx, account)?;
        Ok(Month { opening, movements: with_receipts(tx, account, found)?, closing, receipts, is_cut, lots })
    })
}

/// The number of the last entry before this time, found by halving: entries are in the order of time. Zero if there is none.
fn last_before(tx: &mut dyn Tx, account: i64, last: i64, time: Timestamp) -> Result<i64> {
    let (mut before, mut after) = (0, last + 1);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        match entries::newest(tx, account, middle + 1, 1)?.first().is_some_and(|entry| entry.created_at < time) {
            true => before = middle,
            false => after = middle,
        }
    }
    Ok(before)
}

fn balance_at(tx: &mut dyn Tx, account: i64, seq: i64) -> Result<i64> {
    Ok(entries::newest(tx, account, seq + 1, 1)?.first().map_or(0, |entry| entry.balance_after))
}
