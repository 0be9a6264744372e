//! The way into the books for every use case that moves units: the account with whatever is over expired first, and the
//! posting stored whole.

use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::ledger::{Account, Entry, Posting, Refusal, expire};
use crate::store::{Tx, entries};

/// The account as it is at `now`: lots whose time is over are expired before anything else happens. With `payment` the
/// lots that it bought are loaded too, open or not: those that a reversal concerns.
pub(super) fn open(tx: &mut dyn Tx, number: i64, payment: Option<&str>, now: Timestamp) -> Result<Account> {
    let mut account = entries::load(tx, number, payment)?;
    while let Some(posting) = expire(&account, now) {
        let posting = posting.map_err(impossible)?;
        post(tx, &account, &posting, None)?.ok_or_else(|| Fault::bare("a lot expired twice"))?;
        account = posting.after;
    }
    Ok(account)
}

/// Stores a posting; `None` when its reason is in the books already. `payment` is what bought the lot that it opens.
pub(super) fn post(
    tx: &mut dyn Tx,
    before: &Account,
    posting: &Posting,
    payment: Option<&str>,
) -> Result<Option<Entry>> {
    Ok(entries::post(tx, before, posting, payment)?.then(|| posting.entry.clone()))
}

/// A refusal by the ledger that no request can cause.
pub(super) fn impossible(refusal: Refusal) -> Fault {
    Fault::bare(format!("the ledger refused a movement that must succeed: {refusal:?}"))
}
