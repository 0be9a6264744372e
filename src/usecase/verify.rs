//! The proof of the books: every account's chain walked, its sums and its lots held against what is stored.

use crate::app::App;
use crate::error::Result;
use crate::ledger::{Account, Break, Chain};
use crate::store::{Tx, entries};

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
    pub breaks: Vec<Break>,
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
        Ok(proof)
    })
}

/// Walks one account; answers how many entries it has.
fn walk(tx: &mut dyn Tx, account: i64, breaks: &mut Vec<Break>) -> Result<u64> {
    let mut chain = Chain::start(account);
    let (mut count, mut seq) = (0u64, 0);
    'pages: loop {
        let page = entries::of_account_after(tx, account, seq, PAGE)?;
        let Some(end) = page.last().map(|entry| entry.seq) else { break };
        for entry in &page {
            count += 1;
            if let Err(broken) = chain.follow(entry) {
                breaks.push(broken);
                break 'pages;
            }
        }
        seq = end;
    }
    let stored = entries::load(tx, account, None)?;
    let mut broken = |what: String| breaks.push(Break { account, seq: 0, what });
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
    for reference in entries::payments_without_entries(tx, account)? {
        broken(format!("the payment {reference} gave or lost other units than the entries say"));
    }
    Ok(count)
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
