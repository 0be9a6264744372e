//! The proof of the books: every account's chain walked, its sums and its lots held against what is stored.

use std::collections::BTreeMap;

use crate::app::App;
use crate::error::Result;
use crate::ledger::{Account, Chain, Discrepancy, Entry, Kind, Part, Timestamp, entry_id};
use crate::store::entries::Found;
use crate::store::holds::hold_id;
use crate::store::{Tx, entries, holds};

const PAGE: i64 = 1000;
/// Breaks that are listed; a book with more is as broken.
const BREAKS_LIMIT: usize = 1000;

/// What the proof found.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Accounts walked.
    pub accounts: u64,
    /// Entries walked.
    pub entries: u64,
    /// Where the books do not hold; none when they do.
    pub breaks: Vec<Discrepancy>,
}

/// Walks all books on one snapshot. `progress` hears of each account.
pub fn verify(app: &App, mut progress: impl FnMut(&Proof)) -> Result<Proof> {
    app.store.read(|tx| {
        let mut proof = Proof::default();
        let mut last = 0;
        loop {
            let accounts = entries::accounts_after(tx, last, PAGE)?;
            let Some(&end) = accounts.last() else { break };
            for account in accounts {
                let walked = walk(tx, account, &mut proof.breaks)?;
                proof.entries += walked;
                proof.accounts += 1;
                proof.breaks.truncate(BREAKS_LIMIT);
                progress(&proof);
            }
            last = end;
        }
        for account in entries::users_without_account(tx, PAGE)? {
            proof.breaks.push(Discrepancy {
                account,
                seq: 0,
                what: "a user has this account, and it is missing".into(),
            });
        }
        for (account, reference) in entries::payments_without_entries(tx)? {
            let what = format!("the payment {reference} gave or lost other units than the entries say");
            proof.breaks.push(Discrepancy { account, seq: 0, what });
        }
        proof.breaks.truncate(BREAKS_LIMIT);
        Ok(proof)
    })
}

/// Walks one account; answers how many entries it has.
fn walk(tx: &mut dyn Tx, account: i64, breaks: &mut Vec<Discrepancy>) -> Result<u64> {
    let mut chain = Chain::start(account);
    let mut opened = Opened::new();
    let mut captured = Captured::new();
    let (mut count, mut seq, mut is_whole) = (0u64, 0, true);
    'pages: loop {
        let page = entries::of_account_after(tx, account, seq, PAGE)?;
        let Some(end) = page.last().map(|entry| entry.seq) else { break };
        for entry in &page {
            count += 1;
            if let Err(broken) = chain.follow(entry) {
                breaks.push(broken);
                is_whole = false;
                break 'pages;
            }
            note_lots(&mut opened, entry);
            note_capture(&mut captured, entry);
        }
        seq = end;
    }
    claims_follow(tx, account, breaks)?;
    let mut broken = |what: String| breaks.push(Discrepancy { account, seq: 0, what });
    let Some(Found { account: stored, next_due, front, .. }) = entries::find(tx, account, None)? else {
        broken("there are rows of this account, and the account is missing".into());
        return Ok(count);
    };
    if !entries::is_owned(tx, account)? {
        broken("no user has this account".into());
    }
    let walked = (chain.entries, chain.remaining, chain.credited, chain.head);
    if walked != (stored.entries, stored.remaining, stored.credited, stored.head) {
        broken(format!(
            "its entries end at {} with {} units ({} credited), the account says {} with {} units ({} credited){}",
            chain.entries,
            chain.remaining,
            chain.credited,
            stored.entries,
            stored.remaining,
            stored.credited,
            if chain.head == stored.head { "" } else { ", and the last hash differs" },
        ));
    }
    lots_hold(&stored).into_iter().for_each(&mut broken);
    if is_whole {
        lots_follow(tx, account, opened)?.into_iter().for_each(&mut broken);
        holds_follow(tx, account, captured)?.into_iter().for_each(&mut broken);
    }
    let held = stored.lots.iter().filter(|lot| lot.held > 0).map(|lot| Part { lot: lot.seq, units: lot.held });
    if held.collect::<Vec<_>>() != holds::held_by_lot(tx, account)? {
        broken("its lots hold back other units than its open holds say".into());
    }
    if front != stored.front().map(|lot| (lot.seq, lot.free())) {
        broken("the account does not say which of its lots comes next, and what is free of it".into());
    }
    if next_due != entries::next_due(tx, &stored)? {
        broken("the account does not say when the next of its lots or holds is over".into());
    }
    Ok(count)
}

/// That each entry's reason is claimed for it, and nothing else is.
fn claims_follow(tx: &mut dyn Tx, account: i64, breaks: &mut Vec<Discrepancy>) -> Result<()> {
    for (seq, reason, is_there) in entries::claims_astray(tx, account)? {
        let what = match is_there {
            true => format!("its reason {reason:?} is not claimed for it, so it could happen again"),
            false => format!("the reason {reason:?} is claimed for this entry, which is missing or has another"),
        };
        breaks.push(Discrepancy { account, seq, what });
    }
    Ok(())
}

/// What the entries say of each lot: units, when it expires, and how many units of it have expired.
type Opened = BTreeMap<i64, (i64, Option<Timestamp>, i64)>;

fn note_lots(opened: &mut Opened, entry: &Entry) {
    if entry.kind.is_credit() && entry.delta > 0 {
        opened.insert(entry.seq, (entry.delta, entry.expires_at, 0));
    }
    if entry.kind == Kind::Expiry
        && let Some((_, _, expired)) = entry.lot.and_then(|lot| opened.get_mut(&lot))
    {
        *expired = expired.saturating_sub(entry.delta);
    }
}

/// What the entries say was captured of each hold, by its id, and its note.
type Captured = BTreeMap<String, (i64, Option<String>)>;

fn note_capture(captured: &mut Captured, entry: &Entry) {
    if entry.kind == Kind::Spend
        && let Some(hold) = entry.reason.strip_prefix("hold_")
    {
        captured.insert(hold.to_owned(), (entry.delta.saturating_neg(), entry.note.clone()));
    }
}

/// Holds the stored holds against what the entries, the account and their own lots say of them.
fn holds_follow(tx: &mut dyn Tx, account: i64, mut captured: Captured) -> Result<Vec<String>> {
    let (mut broken, mut number) = (vec![], 0);
    loop {
        let page = holds::after(tx, account, number, PAGE)?;
        if page.is_empty() {
            break;
        }
        for hold in &page {
            number += 1;
            if hold.number != number {
                broken.push(format!("the hold {} is missing", hold_id(account, number)));
                number = hold.number;
            }
            let said = captured.remove(&hold.id());
            if said.as_ref().map_or(0, |(units, _)| *units) != hold.captured {
                broken.push(format!("the hold {} was captured with other units than the entries say", hold.id()));
            }
            if said.is_some_and(|(_, note)| note != hold.note) {
                broken.push(format!("the hold {} has another note than its entry", hold.id()));
            }
        }
    }
    let made = holds::made(tx, account)?;
    if made != number {
        broken.push(format!("its holds end at {number}, the account says {made}"));
    }
    broken.extend(captured.keys().map(|hold| format!("the hold {hold} is missing")));
    for number in holds::without_lots(tx, account)? {
        broken.push(format!("the hold {} has other units than its lots", hold_id(account, number)));
    }
    Ok(broken)
}

/// Holds the stored lots against what the entries say of them.
fn lots_follow(tx: &mut dyn Tx, account: i64, mut opened: Opened) -> Result<Vec<String>> {
    let (mut broken, mut seq) = (vec![], 0);
    loop {
        let page = entries::lots_after(tx, account, seq, PAGE)?;
        let Some(end) = page.last().map(|lot| lot.seq) else { break };
        for lot in &page {
            if opened.remove(&lot.seq) != Some((lot.units, lot.expires_at, lot.expired)) {
                broken.push(format!("the lot {} is not as its entries say", entry_id(account, lot.seq)));
            }
        }
        seq = end;
    }
    broken.extend(opened.keys().map(|seq| format!("the lot {} is missing", entry_id(account, *seq))));
    Ok(broken)
}

/// What the lots of an account must satisfy.
fn lots_hold(account: &Account) -> Vec<String> {
    let mut broken = vec![];
    let sum = |of: fn(&crate::ledger::Lot) -> i64| account.lots.iter().map(of).fold(0i64, i64::saturating_add);
    if account.debt() < 0 || (account.debt() > 0 && sum(|lot| lot.free()) > 0) {
        broken.push(format!(
            "its lots hold {} units, the account says {}",
            sum(|lot| lot.remaining),
            account.remaining
        ));
    }
    if sum(|lot| lot.held) != account.held {
        broken.push(format!("its lots hold back {} units, the account says {}", sum(|lot| lot.held), account.held));
    }
    broken
}
