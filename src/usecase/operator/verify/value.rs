//! What an account's entries and holds made of the value of its lots: followed once more, move by move, and added up by day.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::ledger::{Account, Cost, Entry, Kind, Lot, LotChange, Replay, Subject};
use crate::store::holds::parse_hold_id;
use crate::store::lot_records::HoldRecord;
use crate::store::{AmountsByDay, Tx, figures, holds, proof};

/// Rows that are read at once.
const PAGE: i64 = 1000;

/// What a hold's end is ordered by: how many entries there were, when it was, when it would have been by itself, the number.
type End = (i64, Timestamp, Timestamp, i64);

/// An account on its way through its entries and holds.
pub(super) struct ValueWalk {
    account: i64,
    replay: Replay,
    /// By lot: what was paid, and the payment.
    lots: BTreeMap<i64, (Option<Cost>, Option<String>)>,
    /// The lots of each payment, oldest first.
    bought: BTreeMap<String, Vec<i64>>,
    /// Holds that were read and are not made yet, in order.
    coming: VecDeque<HoldRecord>,
    last_hold: i64,
    /// Ends of the holds that are made.
    ends: BTreeSet<End>,
    /// Whether what is recorded followed so far.
    follows: bool,
}

impl ValueWalk {
    pub(super) fn begin(tx: &mut dyn Tx, account: i64) -> Result<ValueWalk> {
        let (mut lots, mut bought, mut seq) = (BTreeMap::new(), BTreeMap::<String, Vec<i64>>::new(), 0);
        loop {
            let page = proof::lot_costs_after(tx, account, seq, PAGE)?;
            let Some(end) = page.last().map(|lot| lot.seq) else { break };
            for lot in page {
                if let Some(payment) = &lot.payment {
                    bought.entry(payment.clone()).or_default().push(lot.seq);
                }
                lots.insert(lot.seq, (lot.cost, lot.payment));
            }
            seq = end;
        }
        let replay = Replay::begin(Account::open(account), []);
        let (coming, ends) = (VecDeque::new(), BTreeSet::new());
        Ok(ValueWalk { account, replay, lots, bought, coming, last_hold: 0, ends, follows: true })
    }

    /// The next entry, after what happened to holds before it.
    pub(super) fn entry(&mut self, tx: &mut dyn Tx, entry: &Entry, sums: &mut AmountsByDay) -> Result<()> {
        self.holds_until(tx, entry.seq, sums)?;
        let captured = match (entry.kind, entry.reason.strip_prefix("hold_").and_then(parse_hold_id)) {
            (Kind::Spend, Some((_, number))) => Some(holds::parts(tx, self.account, number)?),
            _ => None,
        };
        let own = entry.lot.map(|lot| self.bought_with(lot, entry.seq));
        let subject = match (&captured, &own, entry.kind) {
            (Some(parts), ..) => Subject::Hold(parts),
            (_, Some(own), Kind::Refund | Kind::Dispute) => Subject::Payment(own),
            _ => Subject::Account,
        };
        let before = self.replay.open_lots().to_vec();
        self.follows = self.follows && self.replay.entry(entry, subject).is_some();
        if let Some((cost, _)) = self.lots.get(&entry.seq) {
            self.replay.set_cost(entry.seq, *cost);
        }
        figures::add_value(&before, &self.replay.lots_with(entry.seq), LotChange::Entry(entry), sums);
        Ok(())
    }

    /// The end: whether what is recorded leads to these lots.
    pub(super) fn finish(mut self, tx: &mut dyn Tx, stored: &[Lot], sums: &mut AmountsByDay) -> Result<bool> {
        self.holds_until(tx, i64::MAX, sums)?;
        let shape = |lots: &[Lot]| {
            let left = lots.iter().filter(|lot| lot.remaining != 0);
            left.map(|lot| (lot.seq, (lot.remaining, lot.held))).collect::<BTreeMap<_, _>>()
        };
        Ok(self.follows && shape(self.replay.open_lots()) == shape(stored))
    }

    /// The lots that the payment of this lot had bought before an entry.
    fn bought_with(&self, lot: i64, before: i64) -> Vec<i64> {
        let payment = self.lots.get(&lot).and_then(|(_, payment)| payment.as_ref());
        let own = payment.and_then(|payment| self.bought.get(payment)).map(Vec::as_slice).unwrap_or_default();
        own.iter().copied().filter(|seq| *seq < before).collect()
    }

    /// What happened to holds before the entry `until`, in order.
    fn holds_until(&mut self, tx: &mut dyn Tx, until: i64, sums: &mut AmountsByDay) -> Result<()> {
        loop {
            if self.coming.is_empty() {
                self.coming.extend(proof::hold_times_after(tx, self.account, self.last_hold, PAGE)?);
                self.last_hold = self.coming.back().map_or(self.last_hold, |hold| hold.number);
            }
            let made = self.coming.front().map(|hold| (hold.made_after, hold.created_at));
            let ended = self.ends.first().map(|(after, at, ..)| (*after, *at));
            let is_end = match (made, ended) {
                (None, None) => return Ok(()),
                (Some(made), Some(ended)) => ended < made,
                (made, _) => made.is_none(),
            };
            let next = if is_end { ended } else { made };
            if next.is_none_or(|(after, _)| after >= until) {
                return Ok(());
            }
            if is_end { self.end_hold(tx, sums)? } else { self.make_hold(tx)? }
        }
    }

    fn make_hold(&mut self, tx: &mut dyn Tx) -> Result<()> {
        let Some(hold) = self.coming.pop_front() else { return Ok(()) };
        let parts = holds::parts(tx, self.account, hold.number)?;
        self.follows = self.follows && self.replay.hold(&parts).is_some();
        if let Some((after, at)) = hold.ended {
            // Not before its beginning, also where the clock was set back.
            self.ends.insert((after, at.max(hold.created_at), hold.expires_at, hold.number));
        }
        Ok(())
    }

    fn end_hold(&mut self, tx: &mut dyn Tx, sums: &mut AmountsByDay) -> Result<()> {
        let Some((_, at, _, number)) = self.ends.pop_first() else { return Ok(()) };
        let parts = holds::parts(tx, self.account, number)?;
        let before = self.replay.open_lots().to_vec();
        self.follows = self.follows && self.replay.release(&parts).is_some();
        figures::add_value(&before, self.replay.open_lots(), LotChange::Hold(at), sums);
        Ok(())
    }
}
