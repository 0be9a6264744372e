//! The proof of the books: every account's chain is walked, and its sums, lots, holds and reasons are compared with what
//! is stored.

use std::collections::BTreeMap;

use crate::app::App;
use crate::error::Result;
use crate::ledger::{Account, Chain, Discrepancy, Entry, GRACE_LIMIT_SECONDS, Kind, Lot, Part, Timestamp, entry_id};
use crate::store::entries::FrontLot;
use crate::store::holds::{Hold, hold_id};
use crate::store::{Tx, audit, entries};

const PAGE: i64 = 1000;
/// Discrepancies that are listed; books with more are no worse.
const BREAKS_LIMIT: usize = 1000;

/// What the proof found.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Accounts walked.
    pub accounts: u64,
    /// Entries walked.
    pub entries: u64,
    /// Where the books contradict themselves; none when they hold.
    pub breaks: Vec<Discrepancy>,
}

/// Proves all books on one snapshot. `progress` is called after each account.
pub fn verify(app: &App, mut progress: impl FnMut(&Proof)) -> Result<Proof> {
    app.store.read(|tx| {
        let mut proof = Proof::default();
        let mut last = 0;
        loop {
            let accounts = audit::accounts_after(tx, last, PAGE)?;
            let Some(&end) = accounts.last() else { break };
            for account in accounts {
                proof.entries += prove_account(tx, account, &mut proof.breaks)?;
                proof.accounts += 1;
                proof.breaks.truncate(BREAKS_LIMIT);
                progress(&proof);
            }
            last = end;
        }
        for account in audit::users_without_account(tx, PAGE)? {
            proof.breaks.push(of_account(account, "a user has this account, and it is missing".into()));
        }
        for payment in audit::payment_mismatches(tx)? {
            let what = format!("the payment {} granted or lost other units than its entries say", payment.reference);
            proof.breaks.push(of_account(payment.account, what));
        }
        proof.breaks.truncate(BREAKS_LIMIT);
        Ok(proof)
    })
}

/// Proves one account; returns how many entries it has.
fn prove_account(tx: &mut dyn Tx, account: i64, breaks: &mut Vec<Discrepancy>) -> Result<u64> {
    let walk = walk_chain(tx, account)?;
    breaks.extend(walk.broken_at.clone());
    breaks.extend(check_reasons(tx, account)?);
    let mut found = Vec::new();
    match entries::find(tx, account)? {
        None => found.push("there are rows of this account, and the account is missing".into()),
        Some(row) => {
            let (next_due, front) = (row.next_due, row.front);
            let stored = row.with_lots(tx, None)?.account;
            found.extend(check_owner(tx, account)?);
            found.extend(check_end_of_chain(&walk.chain, &stored));
            found.extend(check_sums_of_lots(&stored));
            // A chain that is broken says nothing about what should be stored.
            if walk.broken_at.is_none() {
                found.extend(check_lots(tx, account, walk.lots)?);
                found.extend(check_holds(tx, account, walk.captures)?);
            }
            found.extend(check_held(tx, &stored)?);
            found.extend(check_next(tx, &stored, next_due, front)?);
        }
    }
    breaks.extend(found.into_iter().map(|what| of_account(account, what)));
    Ok(walk.entries)
}

/// A discrepancy of the account as a whole.
fn of_account(account: i64, what: String) -> Discrepancy {
    Discrepancy { account, seq: 0, what }
}

/// What an account's entries say, followed from the first to the last.
struct Walk {
    chain: Chain,
    /// Entries that were read.
    entries: u64,
    /// Where the chain breaks; the entries after it were not read.
    broken_at: Option<Discrepancy>,
    /// By the seq of the entry that opened the lot.
    lots: BTreeMap<i64, ExpectedLot>,
    /// By the hold's id.
    captures: BTreeMap<String, Capture>,
}

/// What the entries say of a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ExpectedLot {
    units: i64,
    expires_at: Option<Timestamp>,
    /// Units of it that have expired.
    expired: i64,
    /// Whether it may live beyond that, because a plan's payment opened it.
    is_plans: bool,
}

impl ExpectedLot {
    /// Whether this is what is stored. No entry says that a lot has a grace, so that is compared with the most that rule
    /// 9 allows.
    fn is_of(self, lot: &Lot) -> bool {
        let is_same = (self.units, self.expires_at, self.expired) == (lot.units, lot.expires_at, lot.expired);
        let is_allowed = |grace: Timestamp| {
            let limit = self.expires_at.filter(|_| self.is_plans).map(|end| end.plus_seconds(GRACE_LIMIT_SECONDS));
            limit.is_some_and(|limit| grace <= limit)
        };
        is_same && lot.grace_until.is_none_or(is_allowed)
    }
}

/// What the entries say of the capture of a hold.
struct Capture {
    units: i64,
    note: Option<String>,
}

fn walk_chain(tx: &mut dyn Tx, account: i64) -> Result<Walk> {
    let (lots, captures) = (BTreeMap::new(), BTreeMap::new());
    let mut walk = Walk { chain: Chain::start(account), entries: 0, broken_at: None, lots, captures };
    let mut seq = 0;
    loop {
        let page = entries::of_account_after(tx, account, seq, PAGE)?;
        let Some(end) = page.last().map(|entry| entry.seq) else { return Ok(walk) };
        for entry in &page {
            walk.entries += 1;
            if let Err(broken) = walk.chain.follow(entry) {
                walk.broken_at = Some(broken);
                return Ok(walk);
            }
            walk.note(entry);
        }
        seq = end;
    }
}

impl Walk {
    /// Notes what an entry says of lots and holds.
    fn note(&mut self, entry: &Entry) {
        if entry.kind.is_credit() && entry.delta > 0 {
            let is_plans = entry.kind == Kind::Subscription;
            let lot = ExpectedLot { units: entry.delta, expires_at: entry.expires_at, expired: 0, is_plans };
            self.lots.insert(entry.seq, lot);
        }
        if entry.kind == Kind::Expiry
            && let Some(lot) = entry.lot.and_then(|seq| self.lots.get_mut(&seq))
        {
            lot.expired = lot.expired.saturating_sub(entry.delta);
        }
        if entry.kind == Kind::Spend
            && let Some(hold) = entry.reason.strip_prefix("hold_")
        {
            let capture = Capture { units: entry.delta.saturating_neg(), note: entry.note.clone() };
            self.captures.insert(hold.to_owned(), capture);
        }
    }
}

/// Each entry has used up its reason, and no other reason is used up.
fn check_reasons(tx: &mut dyn Tx, account: i64) -> Result<Vec<Discrepancy>> {
    let mismatches = audit::reason_mismatches(tx, account)?.into_iter();
    let discrepancies = mismatches.map(|mismatch| {
        let (seq, reason) = (mismatch.seq, mismatch.reason);
        let what = match mismatch.is_entry {
            true => format!("its reason {reason:?} is not marked as used by it, so it could happen again"),
            false => format!("the reason {reason:?} is marked as used by this entry, which is missing or has another"),
        };
        Discrepancy { account, seq, what }
    });
    Ok(discrepancies.collect())
}

fn check_owner(tx: &mut dyn Tx, account: i64) -> Result<Option<String>> {
    let is_owned = audit::is_owned(tx, account)?;
    Ok((!is_owned).then(|| "no user has this account".into()))
}

/// The account's sums and hash are those at the end of its chain.
fn check_end_of_chain(chain: &Chain, stored: &Account) -> Option<String> {
    let is_same_head = chain.head == stored.head;
    let walked = (chain.entries, chain.remaining, chain.credited);
    let is_same = is_same_head && walked == (stored.entries, stored.remaining, stored.credited);
    (!is_same).then(|| {
        format!(
            "its entries end at {} with {} units ({} credited), the account says {} with {} units ({} credited){}",
            chain.entries,
            chain.remaining,
            chain.credited,
            stored.entries,
            stored.remaining,
            stored.credited,
            if is_same_head { "" } else { ", and the last hash differs" },
        )
    })
}

/// The units in an account's lots are those that its row says, less a debt, and there is no debt beside free units.
fn check_sums_of_lots(account: &Account) -> Vec<String> {
    let mut found = vec![];
    let sum = |of: fn(&Lot) -> i64| account.lots.iter().map(of).fold(0i64, i64::saturating_add);
    if account.debt() < 0 || (account.debt() > 0 && sum(Lot::free) > 0) {
        let in_lots = sum(|lot| lot.remaining);
        found.push(format!("its lots hold {in_lots} units, the account says {}", account.remaining));
    }
    let held = sum(|lot| lot.held);
    if held != account.held {
        found.push(format!("its lots hold back {held} units, the account says {}", account.held));
    }
    found
}

/// The stored lots are those that the entries opened.
fn check_lots(tx: &mut dyn Tx, account: i64, mut expected: BTreeMap<i64, ExpectedLot>) -> Result<Vec<String>> {
    let (mut found, mut seq) = (vec![], 0);
    loop {
        let page = audit::lots_after(tx, account, seq, PAGE)?;
        let Some(end) = page.last().map(|lot| lot.seq) else { break };
        for lot in &page {
            let expected = expected.remove(&lot.seq);
            if !expected.is_some_and(|expected| expected.is_of(lot)) {
                found.push(format!("the lot {} is not as its entries say", entry_id(account, lot.seq)));
            }
        }
        seq = end;
    }
    found.extend(expected.keys().map(|seq| format!("the lot {} is missing", entry_id(account, *seq))));
    Ok(found)
}

/// The stored holds are as many as the account says, their captures are those of the entries, and their units lie in
/// lots.
fn check_holds(tx: &mut dyn Tx, account: i64, mut captures: BTreeMap<String, Capture>) -> Result<Vec<String>> {
    let (mut found, mut number) = (vec![], 0);
    loop {
        let page = audit::holds_after(tx, account, number, PAGE)?;
        if page.is_empty() {
            break;
        }
        for hold in &page {
            number += 1;
            if hold.number != number {
                found.push(format!("the hold {} is missing", hold_id(account, number)));
                number = hold.number;
            }
            found.extend(check_capture(hold, captures.remove(&hold.id())));
        }
    }
    let made = audit::holds_made(tx, account)?;
    if made != number {
        found.push(format!("its holds end at {number}, the account says {made}"));
    }
    found.extend(captures.keys().map(|hold| format!("the hold {hold} is missing")));
    for number in audit::hold_mismatches(tx, account)? {
        found.push(format!("the hold {} has other units than its lots", hold_id(account, number)));
    }
    Ok(found)
}

fn check_capture(hold: &Hold, capture: Option<Capture>) -> Vec<String> {
    let mut found = vec![];
    if capture.as_ref().map_or(0, |capture| capture.units) != hold.captured {
        found.push(format!("the hold {} was captured with other units than the entries say", hold.id()));
    }
    if capture.is_some_and(|capture| capture.note != hold.note) {
        found.push(format!("the hold {} has another note than its entry", hold.id()));
    }
    found
}

/// Each lot holds back what the open holds set aside in it.
fn check_held(tx: &mut dyn Tx, stored: &Account) -> Result<Option<String>> {
    let held = stored.lots.iter().filter(|lot| lot.held > 0).map(|lot| Part { lot: lot.seq, units: lot.held });
    let is_same = held.collect::<Vec<_>>() == audit::held_by_lot(tx, stored.number)?;
    Ok((!is_same).then(|| "its lots hold back other units than its open holds say".into()))
}

/// The account's row names the lot that comes next, and when the next lot or hold ends.
fn check_next(
    tx: &mut dyn Tx,
    stored: &Account,
    next_due: Option<Timestamp>,
    front: Option<FrontLot>,
) -> Result<Vec<String>> {
    let mut found = vec![];
    if front != stored.front().map(|lot| FrontLot { seq: lot.seq, free: lot.free() }) {
        found.push("the account does not say which of its lots comes next, and how much of it is free".into());
    }
    if next_due != entries::next_due(tx, stored)? {
        found.push("the account does not say when the next of its lots or holds ends".into());
    }
    Ok(found)
}
