//! What a user has left, as a number, a meter and sentences.

use crate::catalog::UnitWords;
use crate::http::pages::words::capitalised;
use crate::money::grouped;

/// The length of the meter in the units of its drawing.
const METER: i64 = 1000;

#[derive(Clone, Debug)]
pub(crate) struct UnitsView {
    pub words: UnitWords,
    /// The sum of the ledger. Negative when a reversal took back units that were spent.
    pub remaining: i64,
    /// Of these, set aside by open holds.
    pub held: i64,
    /// All units ever credited. The meter is full at this number.
    pub total: i64,
}

impl UnitsView {
    /// `Pictures`.
    pub(crate) fn heading(&self) -> String {
        capitalised(&self.words.plural)
    }

    pub(crate) fn number(&self) -> String {
        grouped(self.remaining)
    }

    /// The words after the number: `pictures left`, or `pictures` for a debt.
    pub(crate) fn label(&self) -> String {
        let noun = self.words.noun(self.remaining);
        if self.is_in_debt() { noun.to_owned() } else { format!("{noun} left") }
    }

    pub(crate) fn is_in_debt(&self) -> bool {
        self.remaining < 0
    }

    pub(crate) fn debt_sentence(&self) -> String {
        format!(
            "{}: a refund or dispute took back {} that were already used; the next top-up repays it first.",
            grouped(self.remaining),
            self.words.plural
        )
    }

    /// The meter in words, for screen readers.
    pub(crate) fn meter_text(&self) -> String {
        format!("{} of {} left", grouped(self.remaining.max(0)), self.words.count(self.total.max(self.meter_now())))
    }

    /// Under the meter: the number at which it is full. `None` while nothing was added.
    pub(crate) fn added_sentence(&self) -> Option<String> {
        (self.total > 0).then(|| format!("{} added so far", self.words.count(self.total)))
    }

    /// What is held and what can be used. `None` when nothing is held.
    pub(crate) fn held_sentence(&self) -> Option<String> {
        let verb = if self.held == 1 { "is" } else { "are" };
        let free = self.words.count(self.remaining.saturating_sub(self.held).max(0));
        let can = format!("{free} can be used now.");
        (self.held > 0).then(|| format!("{} {verb} set aside for work under way; {can}", self.words.count(self.held)))
    }

    /// The meter's value, never negative.
    pub(crate) fn meter_now(&self) -> i64 {
        self.remaining.clamp(0, self.meter_full())
    }

    /// The meter's end: what was ever credited, but at least the balance and at least 1.
    pub(crate) fn meter_full(&self) -> i64 {
        self.total.max(self.remaining).max(1)
    }

    pub(crate) fn free_length(&self) -> i64 {
        self.length(self.remaining.saturating_sub(self.held))
    }

    pub(crate) fn held_length(&self) -> i64 {
        self.length(self.remaining).saturating_sub(self.free_length()).max(0)
    }

    pub(crate) fn meter_length(&self) -> i64 {
        METER
    }

    /// The length of a part of the meter. Even a few units get a visible length.
    fn length(&self, units: i64) -> i64 {
        if units <= 0 {
            return 0;
        }
        let share = i128::from(units) * i128::from(METER) / i128::from(self.meter_full());
        i64::try_from(share).unwrap_or(METER).clamp(12, METER)
    }
}
