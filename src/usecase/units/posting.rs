//! The way into the books for every use case that moves units: the account with whatever is over closed first, and the
//! posting stored whole.

use std::ops::Deref;

use crate::app::App;
use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::error::{Error, Fault, Refused, Result};
use crate::ledger::{Account, Entry, Posting, Refusal, expire, release};
use crate::notification::body::LowBalance;
use crate::store::entries::Found;
use crate::store::{Tx, entries, holds};

use crate::usecase::notifications::enqueue;

/// What holds for every movement in one transaction, and what they leave to be logged. A write closure may run again, so
/// each run works on a clone of its own, and hands over its `to_log` with its result.
#[derive(Clone, Debug)]
pub struct PostingContext {
    /// When this is.
    pub now: Timestamp,
    /// Units below which a balance is low, where the user has no threshold of their own.
    pub low_balance: i64,
    /// Balances that fell below their threshold: the use case logs them after the commit.
    pub(crate) to_log: Vec<LowBalance>,
}

impl PostingContext {
    /// As this catalogue says.
    pub fn of(catalog: &Catalog, now: Timestamp) -> PostingContext {
        PostingContext { now, low_balance: catalog.low_balance, to_log: vec![] }
    }

    /// As this appliance says, now.
    pub fn now(app: &App) -> PostingContext {
        PostingContext::of(&app.catalog, app.clock.now())
    }
}

/// An account with nothing left on it that is over, and what else a movement of it needs.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) account: Account,
    /// Units below which this user's balance is low.
    pub(crate) low_balance: i64,
    /// Whether it is simplified for one spend, which then changes its row alone.
    pub(crate) is_simple: bool,
}

impl Deref for Opened {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
    }
}

/// The account as it is now: holds and lots whose time is over are closed before anything else happens. With `payment`
/// the lots that it bought are loaded too, open or not: those that a reversal concerns.
pub(crate) fn open(tx: &mut dyn Tx, rules: &mut PostingContext, number: i64, payment: Option<&str>) -> Result<Opened> {
    let found = entries::load(tx, number, payment)?;
    close_due(tx, rules, found)
}

/// The account of a user as it is now; `None` when there is no such user.
pub(crate) fn open_of_user(tx: &mut dyn Tx, rules: &mut PostingContext, id: &str) -> Result<Option<Opened>> {
    let Some(mut found) = entries::load_of_user(tx, id)? else { return Ok(None) };
    entries::add_lots(tx, &mut found)?;
    close_due(tx, rules, found).map(Some)
}

/// The account of a user for one spend of so many units: mostly its row is enough.
pub(crate) fn open_to_spend(
    tx: &mut dyn Tx,
    rules: &mut PostingContext,
    id: &str,
    units: i64,
) -> Result<Option<Opened>> {
    let Some(mut found) = entries::load_of_user(tx, id)? else { return Ok(None) };
    if found.is_simple(units, rules.now) {
        let low_balance = found.low_balance.unwrap_or(rules.low_balance);
        return Ok(Some(Opened { account: found.simplified(), low_balance, is_simple: true }));
    }
    entries::add_lots(tx, &mut found)?;
    close_due(tx, rules, found).map(Some)
}

/// Stores a posting, and the notifications of it; `None` when its reason is in the books already. `payment` is what
/// bought the lot that it opens.
pub(crate) fn post(
    tx: &mut dyn Tx,
    rules: &mut PostingContext,
    before: &Opened,
    posting: &Posting,
    payment: Option<&str>,
) -> Result<Option<Entry>> {
    let is_new = match before.is_simple {
        true => entries::post_simple(tx, before, posting)?,
        false => entries::post(tx, before, posting, payment)?,
    };
    if !is_new {
        return Ok(None);
    }
    let low = enqueue::enqueue_for_entry(tx, rules.now, &posting.entry, before.low_balance, payment)?;
    rules.to_log.extend(low);
    Ok(Some(posting.entry.clone()))
}

/// A refusal of a movement that a request asked for: the balance has an end, and no other can be caused.
pub(crate) fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::BalanceLimit => {
            Refused::InvalidRequest("The balance would pass the most that an account may hold.".into()).into()
        }
        other => impossible(other).into(),
    }
}

/// A refusal by the ledger that no request can cause.
pub(crate) fn impossible(refusal: Refusal) -> Fault {
    Fault::bare(format!("the ledger refused a movement that must succeed: {refusal:?}"))
}

/// Holds first: what they give back may belong to a lot whose time is over too.
fn close_due(tx: &mut dyn Tx, rules: &mut PostingContext, found: Found) -> Result<Opened> {
    let low_balance = found.low_balance.unwrap_or(rules.low_balance);
    let mut account = Opened { account: found.account, low_balance, is_simple: false };
    if found.next_due.is_none_or(|due| due > rules.now) {
        return Ok(account);
    }
    while let Some(number) = holds::claim_over(tx, account.number, rules.now)? {
        let parts = holds::parts(tx, account.number, number)?;
        let after = release(&account, &parts).map_err(impossible)?;
        entries::store(tx, &account, &after, None)?;
        account.account = after;
    }
    while let Some(posting) = expire(&account, rules.now) {
        let posting = posting.map_err(impossible)?;
        post(tx, rules, &account, &posting, None)?.ok_or_else(|| Fault::bare("a lot expired twice"))?;
        account.account = posting.after;
    }
    Ok(account)
}
