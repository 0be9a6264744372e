//! The way into the books for every use case that moves units: the account with whatever is over expired first, and the
//! posting stored whole.

use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::ledger::{Account, Entry, Posting, Refusal, expire};
use crate::store::{Tx, entries};

/// The account as it is at `now`: lots whose time is over are expired before anything else happens. `also` loads one
/// more lot, open or not: the one that a reversal concerns.
pub(super) fn open(tx: &mut dyn Tx, number: i64, also: Option<i64>, now: Timestamp) -> Result<Account> {
    let mut account = entries::load(tx, number, also)?;
    while let Some(posting) = expire(&account, now) {
        let posting = posting.map_err(impossible)?;
        post(tx, &account, &posting)?.ok_or_else(|| Fault::bare("a lot expired twice"))?;
        account = posting.after;
    }
    Ok(account)
}

/// Stores a posting; `None` when its reason is in the books already.
pub(super) fn post(tx: &mut dyn Tx, before: &Account, posting: &Posting) -> Result<Option<Entry>> {
    Ok(entries::post(tx, before, posting)?.then(|| posting.entry.clone()))
}

/// A refusal by the ledger that no request can cause.
pub(super) fn impossible(refusal: Refusal) -> Fault {
    Fault::bare(format!("the ledger refused a movement that must succeed: {refusal:?}"))
}
