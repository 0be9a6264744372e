//! Where a user's balance comes from: every lot with the entry that opened it, what is left of it, when it ends, and what
//! became of the rest; and what is set aside for work under way.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ledger::{Entry, Lot, LotFate};
use crate::store::lot_records::{HoldRecord, LotRecord};
use crate::store::receipts::{self, Receipt};
use crate::store::{Tx, entries};
use crate::usecase::users::lot_history::{self, LotHistory, LotRecords};
use crate::usecase::users::{self, UserSnapshot};

/// Lots with units that the page shows; what ends last is left out.
const OPEN_LOTS: usize = 200;
/// Lots without units on one page.
const ENDED_LOTS: usize = 20;
/// Open holds that the page shows.
const HOLDS: usize = 20;

/// A lot and where it is from.
#[derive(Clone, Debug)]
pub struct ExplainedLot {
    /// The entry that opened it.
    pub opened_by: Entry,
    pub receipt: Option<Receipt>,
    pub lot: Lot,
    /// What became of it; `None` where that was not worked out.
    pub fate: Option<LotFate>,
}

/// A user's balance with all that explains it.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub member: UserSnapshot,
    /// Lots with units, in the order in which they end.
    pub open: Vec<ExplainedLot>,
    /// Lots that are used up or ended, newest first.
    pub ended: Vec<ExplainedLot>,
    /// The number of the last lot in `ended`, where older ones follow.
    pub older: Option<i64>,
    /// Holds that are open, newest first.
    pub holds: Vec<HoldRecord>,
    pub records: LotRecords,
    pub history: Option<LotHistory>,
}

/// Explains a balance. Of the lots that are used up or ended, those before the one with number `before`.
pub fn explain(app: &App, account: i64, before: i64) -> Result<Explanation> {
    let member = users::show_account(app, account)?;
    app.store.read(|tx| {
        let records = LotRecords::read(tx, account)?;
        let history = lot_history::work_out(tx, account, &records)?;
        let (mut open, mut ended): (Vec<&LotRecord>, Vec<&LotRecord>) =
            records.lots.values().rev().partition(|record| record.lot.remaining > 0);
        open.sort_by_key(|record| (record.lot.ends_at().is_none(), record.lot.ends_at(), record.lot.seq));
        open.truncate(OPEN_LOTS);
        ended.retain(|record| record.lot.seq < before);
        let is_more = ended.len() > ENDED_LOTS;
        ended.truncate(ENDED_LOTS);
        let older = ended.last().filter(|_| is_more).map(|record| record.lot.seq);
        let (open, ended) = (with_origin(tx, &open, &history)?, with_origin(tx, &ended, &history)?);
        let holds = records.holds.values().rev().filter(|hold| hold.is_open).take(HOLDS).cloned().collect();
        Ok(Explanation { member: member.clone(), open, ended, older, holds, records, history })
    })
}

fn with_origin(tx: &mut dyn Tx, records: &[&LotRecord], history: &Option<LotHistory>) -> Result<Vec<ExplainedLot>> {
    let mut explained = Vec::with_capacity(records.len());
    for record in records {
        let (account, lot) = (record.account, record.lot.clone());
        let Some(opened_by) = entries::newest(tx, account, lot.seq + 1, 1)?.pop() else { continue };
        let receipt = match &record.payment {
            Some(payment) => receipts::find(tx, account, payment)?,
            None => None,
        };
        let fate = history.as_ref().and_then(|history| history.fates.get(&lot.seq).copied());
        explained.push(ExplainedLot { opened_by, receipt, lot, fate });
    }
    Ok(explained)
}

impl Explanation {
    /// Before when it is not known what became of lots; `None` if it is known of all, or of none.
    pub fn unknown_before(&self) -> Option<Timestamp> {
        self.history.as_ref().and_then(|history| history.before).map(|(_, at)| at)
    }
}
