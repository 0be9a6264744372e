//! Lots in plain words: where each is from, which of them an entry drew on, and what became of one.

use crate::catalog::{Catalog, Offer};
use crate::language::Language;
use crate::ledger::{Entry, EntryEffect, Kind, LotFate, Part};
use crate::store::orders::OfferKind;
use crate::usecase::users::activity::Movement;
use crate::usecase::users::lot_history::{LotHistory, LotRecords};
use crate::usecase::users::welcome;

/// Lots that are named in one line.
const NAMED: usize = 6;

/// What lots are named by.
#[derive(Clone, Copy)]
pub(super) struct LotWords<'a> {
    pub records: &'a LotRecords,
    pub catalog: &'a Catalog,
    pub language: Language,
}

impl LotWords<'_> {
    /// Which lots a movement drew on, or gave back to; `None` where there are none, or they are not known.
    pub(super) fn of_movement(&self, movement: &Movement, history: Option<&LotHistory>) -> Option<String> {
        match movement {
            Movement::Entry(entry, _) => self.of_entry(entry, history?.effects.get(&entry.seq)?),
            Movement::Unused(hold) => self.of_parts(self.records.parts.get(&hold.number)?),
        }
    }

    /// `60 from Starter of 3 Nov 2026, 20 from the pack of 3 Mar 2026`.
    pub(super) fn of_parts(&self, parts: &[Part]) -> Option<String> {
        let language = self.language;
        let from = |part: &Part| language.entries_from(language.number(part.units), self.name(part.lot));
        let mut said: Vec<String> = parts.iter().take(NAMED).map(from).collect();
        let others = parts.iter().skip(NAMED).fold(0_i64, |sum, part| sum.saturating_add(part.units));
        if others > 0 {
            said.push(language.entries_others(language.number(others)));
        }
        (!said.is_empty()).then(|| said.join(", "))
    }

    fn of_entry(&self, entry: &Entry, effect: &EntryEffect) -> Option<String> {
        let language = self.language;
        let mut said: Vec<String> = self.of_parts(&effect.taken).into_iter().collect();
        if let Some(put) = effect.put.filter(|put| put.lot != entry.seq) {
            said.push(language.entries_back_to(language.number(put.units), self.name(put.lot)));
        }
        if effect.owed > 0 {
            said.push(language.entries_owed(language.number(effect.owed)));
        }
        if effect.repaid > 0 {
            said.push(language.entries_repaid(language.number(effect.repaid)));
        }
        if let Some((hold, _)) = self.records.captured(entry) {
            let rest = hold.units.saturating_add(entry.delta);
            if rest > 0 {
                said.push(language.entries_of_hold(language.number(rest), language.number(hold.units)));
            }
        }
        (!said.is_empty()).then(|| said.join(" · "))
    }

    /// `the pack of 3 Mar 2026`.
    fn name(&self, seq: i64) -> String {
        let language = self.language;
        let Some(record) = self.records.lots.get(&seq) else { return language.entries_lot_other().to_owned() };
        let date = language.date(record.opened_at);
        match &record.offer {
            Some((kind, key)) => match (kind, self.catalog.offer(key)) {
                (OfferKind::Plan, Some(offer @ Offer::Plan(_))) => {
                    language.entries_lot_named(offer.title(&self.catalog.unit, language), date)
                }
                (OfferKind::Pack, Some(offer @ Offer::Pack(pack))) if pack.own_name(&self.catalog.unit).is_some() => {
                    language.entries_lot_named(offer.title(&self.catalog.unit, language), date)
                }
                (OfferKind::Plan, _) => language.entries_lot_plan(date),
                (OfferKind::Pack, _) => language.entries_lot_pack(date),
            },
            None if welcome::is_reason(record.account, &record.reason) => language.entries_lot_welcome().to_owned(),
            None if record.kind == Kind::Grant => language.entries_lot_gift(date),
            None => language.entries_lot_other().to_owned(),
        }
    }
}

/// What became of a lot, each way in a few words.
pub(super) fn fate_words(fate: &LotFate, language: Language) -> Vec<String> {
    let number = |units| language.number(units);
    let ways = [
        (fate.spent, language.balance_spent(number(fate.spent))),
        (fate.expired, language.balance_expired(number(fate.expired))),
        (fate.reversed, language.balance_reversed(number(fate.reversed))),
        (fate.corrected, language.balance_corrected(number(fate.corrected))),
        (fate.repaid, language.balance_repaid(number(fate.repaid))),
        (fate.returned, language.balance_put_back(number(fate.returned))),
        (fate.held, language.balance_kept(number(fate.held))),
    ];
    ways.into_iter().filter(|(units, _)| *units > 0).map(|(_, words)| words).collect()
}
