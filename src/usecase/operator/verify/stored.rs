//! What is stored of an account beside its entries: sums, lots and holds are what the entries say, and agree with each other.

use std::collections::BTreeMap;

use super::walk::{Capture, ExpectedLot};
use crate::error::Result;
use crate::ledger::{Account, Chain, EntryNote, Lot, Part, Timestamp, entry_id};
use crate::store::entries::{self, FrontLot};
use crate::store::holds::{Hold, hold_id};
use crate::store::{Tx, lots, proof};

/// Rows that are read at once.
const PAGE: i64 = 1000;

/// The account's sums and hash are those at the end of its chain.
pub(super) fn check_end_of_chain(chain: &Chain, stored: &Account) -> Option<String> {
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
pub(super) fn check_sums_of_lots(account: &Account) -> Vec<String> {
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
pub(super) fn check_lots(
    tx: &mut dyn Tx,
    account: i64,
    mut expected: BTreeMap<i64, ExpectedLot>,
) -> Result<Vec<String>> {
    let (mut found, mut seq, mut digest) = (vec![], 0, [0; 32]);
    loop {
        let page = proof::lots_after(tx, account, seq, PAGE)?;
        let Some(end) = page.last().map(|lot| lot.seq) else { break };
        for lot in &page {
            let expected = expected.remove(&lot.seq);
            digest = lots::combine(digest, lots::row_digest(account, lot.seq, [lot.remaining, lot.held]));
            if !expected.is_some_and(|expected| expected.is_of(lot)) {
                found.push(format!("the lot {} is not as its entries say", entry_id(account, lot.seq)));
            }
        }
        seq = end;
    }
    found.extend(expected.keys().map(|seq| format!("the lot {} is missing", entry_id(account, *seq))));
    if digest != proof::lots_digest(tx, account)? {
        found.push("its lots have other units than were stored, each or in all".into());
    }
    Ok(found)
}

/// The stored holds are as many as the account says, their captures are those of the entries, and their units lie in
/// lots.
pub(super) fn check_holds(
    tx: &mut dyn Tx,
    account: i64,
    mut captures: BTreeMap<String, Capture>,
) -> Result<Vec<String>> {
    let (mut found, mut number) = (vec![], 0);
    loop {
        let page = proof::holds_after(tx, account, number, PAGE)?;
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
    let made = proof::holds_made(tx, account)?;
    if made != number {
        found.push(format!("its holds end at {number}, the account says {made}"));
    }
    found.extend(captures.keys().map(|hold| format!("the hold {hold} is missing")));
    for number in proof::hold_mismatches(tx, account)? {
        found.push(format!("the hold {} has other units than its lots", hold_id(account, number)));
    }
    for number in proof::displaced_holds(tx, account)? {
        let hold = hold_id(account, number);
        found.push(format!("the hold {hold} was made or ended at another place among the entries than it says"));
    }
    Ok(found)
}

fn check_capture(hold: &Hold, capture: Option<Capture>) -> Vec<String> {
    let mut found = vec![];
    if capture.as_ref().map_or(0, |capture| capture.units) != hold.captured {
        found.push(format!("the hold {} was captured with other units than the entries say", hold.id()));
    }
    if capture.is_some_and(|capture| !is_same_note(hold, capture.note.as_ref())) {
        found.push(format!("the hold {} has another note than its entry", hold.id()));
    }
    found
}

/// A hold and the entry of its capture have the same note, or one of the two was erased. (A hold that is captured after its
/// note was erased makes an entry without one.)
fn is_same_note(hold: &Hold, captured: Option<&EntryNote>) -> bool {
    match (captured, &hold.note) {
        (Some(note), Some(text)) => note.may_have_been(text),
        (Some(note), None) => note.text().is_none() || hold.note_erased_at.is_some(),
        (None, text) => text.is_none(),
    }
}

/// Each lot holds back what the open holds set aside in it.
pub(super) fn check_held(tx: &mut dyn Tx, stored: &Account) -> Result<Option<String>> {
    let held = stored.lots.iter().filter(|lot| lot.held > 0).map(|lot| Part { lot: lot.seq, units: lot.held });
    let is_same = held.collect::<Vec<_>>() == proof::held_by_lot(tx, stored.number)?;
    Ok((!is_same).then(|| "its lots hold back other units than its open holds say".into()))
}

/// The account's row names the lot that comes next, and when the next lot or hold ends.
pub(super) fn check_next(
    tx: &mut dyn Tx,
    stored: &Account,
    next_due: Option<Timestamp>,
    front: Option<FrontLot>,
) -> Result<Vec<String>> {
    let mut found = vec![];
    if front != stored.front().map(FrontLot::of) {
        found.push(
            "the account does not say which of its lots comes next, how much of it is free, and what was paid for it"
                .into(),
        );
    }
    if next_due != entries::next_due(tx, stored)? {
        found.push("the account does not say when the next of its lots or holds ends".into());
    }
    Ok(found)
}
