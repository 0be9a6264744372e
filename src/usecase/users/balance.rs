//! Where a user's balance comes from: every lot with the entry that opened it, what is left of it, and when it ends.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ledger::Entry;
use crate::store::receipts::{self, Receipt};
use crate::store::{entries, lots};
use crate::usecase::users::{self, UserSnapshot};

/// Lots that the page shows; the oldest are left out.
const LOTS: usize = 200;

/// A lot and where it is from.
#[derive(Clone, Debug)]
pub struct ExplainedLot {
    /// The entry that opened it.
    pub opened_by: Entry,
    pub receipt: Option<Receipt>,
    pub units: i64,
    pub left: i64,
    pub held: i64,
    /// When it ends; `None`: never.
    pub ends_at: Option<Timestamp>,
}

/// A user with the lots that have units, in the order in which they are used.
pub fn explain(app: &App, account: i64) -> Result<(UserSnapshot, Vec<ExplainedLot>)> {
    let member = users::show_account(app, account)?;
    let explained = app.store.read(|tx| {
        let mut open = lots::open(tx, account)?;
        open.sort_by_key(|origin| (origin.lot.ends_at().is_none(), origin.lot.ends_at(), origin.lot.seq));
        open.truncate(LOTS);
        let paid = receipts::of_lots(tx, account, open.iter().map(|origin| origin.lot.seq))?;
        let mut explained = Vec::with_capacity(open.len());
        for origin in open {
            let lot = origin.lot;
            let Some(opened_by) = entries::newest(tx, account, lot.seq + 1, 1)?.pop() else { continue };
            let receipt = paid.iter().find(|paid| paid.seq == lot.seq).map(|paid| paid.receipt.clone());
            let (units, left, held, ends_at) = (lot.units, lot.remaining, lot.held, lot.ends_at());
            explained.push(ExplainedLot { opened_by, receipt, units, left, held, ends_at });
        }
        Ok(explained)
    })?;
    Ok((member, explained))
}
