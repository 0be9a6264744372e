//! Which lots each of a user's entries drew on, and what became of each lot, worked out from what is recorded. That takes a
//! walk over the entries, so it is bounded, and only pages that explain a balance ask for it.

use std::collections::BTreeMap;

use crate::clock::{DAY_SECONDS, Timestamp};
use crate::error::Result;
use crate::ledger::{Account, Entry, EntryEffect, Kind, Lot, LotFate, Part, Replay, Subject};
use crate::store::holds::parse_hold_id;
use crate::store::lot_records::{self, HoldRecord, LotRecord};
use crate::store::{Tx, entries};

/// Entries, holds and lots, each, that the walk takes: some hundredths of a second.
const LIMIT: usize = 5000;
/// Lots of holds that it takes.
const PARTS: usize = 4 * LIMIT;
/// The sum of the open lots over all steps: what an account with a thousand lots can cost.
const VISITS: usize = 1_000_000;

/// What was worked out of an account.
#[derive(Clone, Debug)]
pub struct LotHistory {
    /// The last entry of which it is not known, and when it was made; `None`: all are known.
    pub before: Option<(i64, Timestamp)>,
    /// What each entry after it did, by its seq.
    pub effects: BTreeMap<i64, EntryEffect>,
    /// What became of each lot that was opened after it.
    pub fates: BTreeMap<i64, LotFate>,
}

/// What is recorded of an account's lots and holds: the newest of them.
#[derive(Clone, Debug)]
pub struct LotRecords {
    /// By seq.
    pub lots: BTreeMap<i64, LotRecord>,
    /// By number.
    pub holds: BTreeMap<i64, HoldRecord>,
    /// The lots of each hold.
    pub parts: BTreeMap<i64, Vec<Part>>,
    are_holds_cut: bool,
    are_parts_cut: bool,
}

/// A hold's beginning or end.
struct HoldStep<'a> {
    /// How many entries there were.
    after: i64,
    at: Timestamp,
    is_end: bool,
    hold: &'a HoldRecord,
}

impl LotRecords {
    /// Reads them.
    pub fn read(tx: &mut dyn Tx, account: i64) -> Result<LotRecords> {
        let limit = i64::try_from(LIMIT).unwrap_or(i64::MAX);
        let lots = lot_records::lots(tx, account, limit)?;
        let mut holds = lot_records::holds(tx, account, limit + 1)?;
        let are_holds_cut = holds.len() > LIMIT;
        holds.truncate(LIMIT);
        let first = holds.last().map_or(0, |hold| hold.number);
        let found = lot_records::parts_from(tx, account, first, i64::try_from(PARTS).unwrap_or(i64::MAX))?;
        let are_parts_cut = found.len() >= PARTS;
        let mut parts: BTreeMap<i64, Vec<Part>> = BTreeMap::new();
        for (number, part) in found {
            parts.entry(number).or_default().push(part);
        }
        Ok(LotRecords {
            lots: lots.into_iter().map(|record| (record.lot.seq, record)).collect(),
            holds: holds.into_iter().map(|hold| (hold.number, hold)).collect(),
            parts,
            are_holds_cut,
            are_parts_cut,
        })
    }

    /// The lots of the hold that an entry captured.
    pub fn captured(&self, entry: &Entry) -> Option<(&HoldRecord, &[Part])> {
        let (_, number) = entry.reason.strip_prefix("hold_").and_then(parse_hold_id)?;
        Some((self.holds.get(&number)?, self.parts.get(&number)?))
    }

    /// The lots that the payment of this lot had bought before an entry.
    fn bought_with(&self, lot: i64, before: i64) -> Vec<i64> {
        let payment = self.lots.get(&lot).and_then(|record| record.payment.as_ref());
        let same = |record: &&LotRecord| payment.is_some() && record.payment.as_ref() == payment;
        let own = self.lots.range(..before).map(|(_, record)| record).filter(same);
        own.map(|record| record.lot.seq).collect()
    }

    /// What happened to holds after the entry `start`, in order.
    fn steps(&self, start: i64) -> Vec<HoldStep<'_>> {
        let mut steps = vec![];
        for hold in self.holds.values().filter(|hold| hold.made_after >= start) {
            steps.push(HoldStep { after: hold.made_after, at: hold.created_at, is_end: false, hold });
            if let Some((after, at)) = hold.ended {
                // Not before its beginning, also where the clock was set back.
                steps.push(HoldStep { after, at: at.max(hold.created_at), is_end: true, hold });
            }
        }
        // Those that end by themselves end in the order of their times.
        steps.sort_by_key(|step| (step.after, step.at, step.is_end, step.hold.expires_at, step.hold.number));
        steps
    }
}

/// Works out an account. `None` where that would take too long, or what is recorded does not lead to what is stored.
pub fn work_out(tx: &mut dyn Tx, account: i64, records: &LotRecords) -> Result<Option<LotHistory>> {
    let made = entries::find(tx, account)?.map_or(0, |row| row.account.entries);
    let limit = i64::try_from(LIMIT).unwrap_or(i64::MAX);
    let first = made.saturating_sub(limit).max(0);
    let walked = entries::of_account_after(tx, account, first, limit)?;
    if records.are_parts_cut {
        return Ok(None);
    }
    let start = match first == 0 && !records.are_holds_cut {
        true => None,
        false => match empty_moment(records, &walked) {
            Some(entry) => Some((entry.seq, entry.created_at)),
            None => return Ok(None),
        },
    };
    Ok(walk(account, records, &walked, start))
}

/// The first entry of these that left nothing: no units, no debt and no hold. From there on nothing from before matters.
fn empty_moment<'a>(records: &LotRecords, walked: &'a [Entry]) -> Option<&'a Entry> {
    // Holds that were not read had ended by then.
    let oldest = records.holds.values().next().filter(|_| records.are_holds_cut);
    let from = oldest.map(|hold| hold.created_at.plus_seconds(DAY_SECONDS));
    let captures = walked.iter().filter_map(|entry| Some((records.captured(entry)?.0.number, entry.seq)));
    let captures: BTreeMap<i64, i64> = captures.collect();
    let is_open_after = |hold: &HoldRecord, seq: i64| {
        let captured = captures.get(&hold.number).is_some_and(|captured| *captured > seq);
        hold.made_after < seq && (hold.is_open || captured || hold.ended.is_some_and(|(after, _)| after >= seq))
    };
    let mut empty = walked.iter().filter(|entry| entry.balance_after == 0);
    empty.find(|entry| {
        from.is_none_or(|from| entry.created_at >= from)
            && !records.holds.values().any(|hold| is_open_after(hold, entry.seq))
    })
}

fn walk(account: i64, records: &LotRecords, walked: &[Entry], before: Option<(i64, Timestamp)>) -> Option<LotHistory> {
    let start = before.map_or(0, |(seq, _)| seq);
    let empty = records.lots.range(..=start).map(|(_, record)| {
        let Lot { seq, units, expires_at, .. } = record.lot;
        Lot { seq, units, remaining: 0, held: 0, expired: 0, expires_at, grace_until: None, cost: None }
    });
    let mut replay = Replay::begin(Account { entries: start, ..Account::open(account) }, empty);
    let mut effects = BTreeMap::new();
    let mut steps = records.steps(start).into_iter().peekable();
    let mut visits = 0usize;
    let mut close = |replay: &mut Replay, until: i64| -> Option<()> {
        while let Some(step) = steps.next_if(|step| step.after < until) {
            let parts = records.parts.get(&step.hold.number)?;
            if step.is_end { replay.release(parts)? } else { replay.hold(parts)? }
        }
        Some(())
    };
    for entry in walked.iter().filter(|entry| entry.seq > start) {
        close(&mut replay, entry.seq)?;
        visits = visits.saturating_add(replay.open_lots().len());
        if visits > VISITS {
            return None;
        }
        let own;
        let subject = match (entry.kind, entry.lot, records.captured(entry)) {
            (Kind::Spend, _, Some((_, parts))) => Subject::Hold(parts),
            (Kind::Refund | Kind::Dispute, Some(lot), _) => {
                own = records.bought_with(lot, entry.seq);
                Subject::Payment(&own)
            }
            _ => Subject::Account,
        };
        effects.insert(entry.seq, replay.entry(entry, subject)?);
    }
    close(&mut replay, i64::MAX)?;
    is_stored(records, replay.open_lots()).then(|| LotHistory { before, effects, fates: replay.into_fates() })
}

/// Whether these open lots are those in the books.
fn is_stored(records: &LotRecords, open: &[Lot]) -> bool {
    let mut worked_out: Vec<[i64; 3]> = open.iter().map(|lot| [lot.seq, lot.remaining, lot.held]).collect();
    worked_out.sort_unstable();
    let stored = records.lots.values().map(|record| &record.lot).filter(|lot| lot.remaining > 0);
    stored.map(|lot| [lot.seq, lot.remaining, lot.held]).eq(worked_out)
}
