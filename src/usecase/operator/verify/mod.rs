//! The proof of the books: every account's chain is walked, and its sums, lots, holds and reasons are compared with what
//! is stored; the database itself is compared with the one that this program makes; and an anchor, if there is one, with the
//! entries that it covers.

mod figures;
mod stored;
mod value;
mod walk;

use std::collections::BTreeSet;

use crate::app::App;
use crate::error::Result;
use crate::id;
use crate::ledger::{BooksHead, Chain, Discrepancy};
use crate::store::{AmountsByDay, Tx, anchors, entries, proof};
use crate::usecase::operator::head::Anchor;

use figures::FiguresProof;
use stored::{check_end_of_chain, check_held, check_holds, check_lots, check_next, check_sums_of_lots};
use walk::walk_chain;

const PAGE: i64 = 1000;
/// Discrepancies that are listed; books with more are no worse.
const BREAKS_LIMIT: usize = 1000;
/// An account with more entries is left to the whole proof, and so is what comes after so many of all.
const QUICK_ENTRIES: i64 = 10_000;
const QUICK_ENTRIES_OF_ALL: u64 = 100_000;

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

/// Proves all books. `progress` is called after each account.
pub fn verify(app: &App, progress: impl FnMut(&Proof)) -> Result<Proof> {
    verify_against(app, None, progress)
}

/// Proves all books, and that what an anchor covers is as it was when the anchor was taken. Each account is proven on one
/// snapshot, and no snapshot is kept for long: the log beside the database cannot start over while one is.
pub fn verify_against(app: &App, anchor: Option<&Anchor>, mut progress: impl FnMut(&Proof)) -> Result<Proof> {
    let mut proof = Proof::default();
    let faults = app.store.integrity_faults()?;
    proof.breaks.extend(faults.into_iter().map(|what| of_account(0, what)));
    let mut figures = FiguresProof::begin(app)?;
    let (mut last, mut head) = (i64::MIN, BooksHead::default());
    loop {
        let accounts = app.store.read(|tx| proof::accounts_after(tx, last, PAGE))?;
        let Some(&end) = accounts.last() else { break };
        for account in accounts {
            let sums = &mut figures.sums;
            let (entries, at_anchor, breaks) = app.store.read(|tx| prove_account(tx, account, anchor, sums))?;
            head.add_chain(&at_anchor);
            proof.entries += entries;
            proof.accounts += 1;
            proof.breaks.extend(breaks);
            proof.breaks.truncate(BREAKS_LIMIT);
            progress(&proof);
        }
        last = end;
    }
    for account in app.store.read(|tx| proof::users_without_account(tx, PAGE))? {
        proof.breaks.push(of_account(account, "a user has this account, and it is missing".into()));
    }
    for payment in app.store.read(proof::payment_mismatches)? {
        let what = format!(
            "the payment {} is another user's or of another offer, or granted or lost other units, than its entries and its \
             order say",
            payment.reference
        );
        proof.breaks.push(of_account(payment.account, what));
    }
    for payment in app.store.read(proof::cost_mismatches)? {
        let what = format!("the lots that the payment {} bought cost another amount than it", payment.reference);
        proof.breaks.push(of_account(payment.account, what));
    }
    if let Some(anchor) = anchor {
        let found = app.store.read(|tx| check_anchor(tx, anchor, head))?;
        proof.breaks.extend(found.map(|what| of_account(0, what)));
    }
    // Figures follow from the rows: where those are wrong, these say nothing more.
    if proof.breaks.is_empty() {
        proof.breaks.extend(figures.finish(app)?.into_iter().map(|what| of_account(0, what)));
    }
    proof.breaks.truncate(BREAKS_LIMIT);
    Ok(proof)
}

/// So many accounts that follow each other, from one that chance chooses; fewer at the end of the list.
pub fn by_chance(app: &App, accounts: i64) -> Result<Vec<i64>> {
    let number = u64::from_le_bytes(id::random_bytes()?);
    app.store.read(|tx| {
        let last = u64::try_from(proof::last_account(tx)?).unwrap_or(0);
        let before = i64::try_from(number.checked_rem(last).unwrap_or(0)).unwrap_or(0);
        proof::accounts_after(tx, before, accounts)
    })
}

/// Proves these accounts and the schema alone, which is quick however long the books are. An account with very many entries
/// is not among those that are counted.
pub fn verify_some(app: &App, accounts: &BTreeSet<i64>) -> Result<Proof> {
    let mut proof = Proof::default();
    let faults = app.store.schema_faults()?;
    proof.breaks.extend(faults.into_iter().map(|what| of_account(0, what)));
    for &account in accounts {
        if proof.entries >= QUICK_ENTRIES_OF_ALL {
            break;
        }
        let proved = app.store.read(|tx| {
            if entries::find(tx, account)?.is_some_and(|row| row.account.entries > QUICK_ENTRIES) {
                return Ok(None);
            }
            prove_account(tx, account, None, &mut AmountsByDay::new()).map(Some)
        })?;
        let Some((entries, _, breaks)) = proved else { continue };
        proof.entries += entries;
        proof.accounts += 1;
        proof.breaks.extend(breaks);
    }
    Ok(proof)
}

/// What an anchor says of the books up to it is what the entries lead to.
fn check_anchor(tx: &mut dyn Tx, anchor: &Anchor, head: BooksHead) -> Result<Option<String>> {
    let taken = anchors::taken(tx)?;
    let what = format!("the anchor {}", anchor.number);
    if anchor.number > taken {
        let older = "they are an older copy, or others than those that it was taken of";
        return Ok(Some(format!("{what} is not known to these books, whose last is {taken}: {older}")));
    }
    Ok((head != anchor.head).then(|| {
        let BooksHead { accounts, entries, .. } = anchor.head;
        format!(
            "{what} counted {entries} entries of {accounts} accounts, and up to there these books have {} of {}{}: entries \
             were changed, removed or added since among those that it covers",
            head.entries,
            head.accounts,
            if (entries, accounts) == (head.entries, head.accounts) { ", with other hashes" } else { "" },
        )
    }))
}

/// Proves one account. Returns how many entries it has, its chain up to where the anchor covers it, and what is wrong.
fn prove_account(
    tx: &mut dyn Tx,
    account: i64,
    anchor: Option<&Anchor>,
    sums: &mut AmountsByDay,
) -> Result<(u64, Chain, Vec<Discrepancy>)> {
    let covered = anchor.map(|anchor| anchors::covered(tx, anchor.number, account)).transpose()?;
    let walk = walk_chain(tx, account, covered.unwrap_or_default(), sums)?;
    let mut breaks: Vec<Discrepancy> = walk.broken_at.clone().into_iter().collect();
    breaks.extend(check_reasons(tx, account)?);
    let mut found = Vec::new();
    if account < 1 {
        found.push("it is no number of an account".into());
    }
    for (part, seq) in proof::misplaced_rows(tx, account)? {
        found
            .push(format!("its row of part {part} and number {seq} is no row of that part, or has columns of another"));
    }
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
                if !walk.value.finish(tx, &stored.lots, sums)? {
                    found.push("its entries and holds do not lead to the lots that are stored".into());
                }
            }
            found.extend(check_held(tx, &stored)?);
            found.extend(check_next(tx, &stored, next_due, front)?);
        }
    }
    breaks.extend(found.into_iter().map(|what| of_account(account, what)));
    Ok((walk.entries, walk.at_anchor, breaks))
}

/// A discrepancy of an account as a whole; of the books as a whole for account 0.
fn of_account(account: i64, what: String) -> Discrepancy {
    Discrepancy { account, seq: 0, what }
}

/// Each entry has used up its reason, and no other reason is used up.
fn check_reasons(tx: &mut dyn Tx, account: i64) -> Result<Vec<Discrepancy>> {
    let mismatches = proof::reason_mismatches(tx, account)?.into_iter();
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
    let is_owned = proof::is_owned(tx, account)?;
    Ok((!is_owned).then(|| "no user has this account".into()))
}
