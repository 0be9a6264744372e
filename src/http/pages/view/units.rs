//! What a user has left, as a number, a meter and sentences.

use super::UnitWords;
use crate::money::grouped;

/// The meter's length in its own drawing.
const METER: i64 = 1000;

/// A user's units.
#[derive(Clone, Debug)]
pub struct UnitsView {
    /// What units are called.
    pub words: UnitWords,
    /// The balance: the sum of the ledger. Negative when a reversal took back what was spent.
    pub remaining: i64,
    /// Of these, set aside for work under way.
    pub held: i64,
    /// All units ever credited: where the meter is full.
    pub total: i64,
}

impl UnitsView {
    /// The balance with commas.
    pub fn number(&self) -> String {
        grouped(self.remaining)
    }

    /// What stands beside the number: `pictures left`, or `pictures` for a debt.
    pub fn label(&self) -> String {
        let noun = self.words.noun(self.remaining);
        if self.is_in_debt() { noun.to_owned() } else { format!("{noun} left") }
    }

    /// Whether the next top-up has something to repay.
    pub fn is_in_debt(&self) -> bool {
        self.remaining < 0
    }

    /// Why the balance is negative.
    pub fn debt_sentence(&self) -> String {
        format!(
            "{}: a refund or dispute took back {} that were already used; the next top-up repays it first.",
            grouped(self.remaining),
            self.words.many
        )
    }

    /// What the meter says to those who do not see it.
    pub fn meter_text(&self) -> String {
        format!("{} of {} left", grouped(self.remaining.max(0)), self.words.count(self.total.max(self.meter_now())))
    }

    /// Under the meter: what it is full at. What is missing was spent, expired or taken back, which the ledger tells.
    /// `None` while nothing was added.
    pub fn added_sentence(&self) -> Option<String> {
        (self.total > 0).then(|| format!("{} added so far", self.words.count(self.total)))
    }

    /// What is held, and what is left beside it. `None` when nothing is held.
    pub fn held_sentence(&self) -> Option<String> {
        let verb = if self.held == 1 { "is" } else { "are" };
        let free = self.words.count(self.remaining.saturating_sub(self.held).max(0));
        let can = format!("{free} can be used now.");
        (self.held > 0).then(|| format!("{} {verb} set aside for work under way; {can}", self.words.count(self.held)))
    }

    /// The meter's value, never negative.
    pub fn meter_now(&self) -> i64 {
        self.remaining.clamp(0, self.meter_full())
    }

    /// The meter's end: what was ever credited, but at least the balance and at least 1.
    pub fn meter_full(&self) -> i64 {
        self.total.max(self.remaining).max(1)
    }

    /// Length of the part that can be used.
    pub fn free_length(&self) -> i64 {
        self.length(self.remaining.saturating_sub(self.held))
    }

    /// Length of the part that is held.
    pub fn held_length(&self) -> i64 {
        self.length(self.remaining).saturating_sub(self.free_length()).max(0)
    }

    /// The meter's length.
    pub fn meter_length(&self) -> i64 {
        METER
    }

    /// A share of the meter; a little is drawn as a little, not as none.
    fn length(&self, units: i64) -> i64 {
        if units <= 0 {
            return 0;
        }
        let share = i128::from(units) * i128::from(METER) / i128::from(self.meter_full());
        i64::try_from(share).unwrap_or(METER).clamp(12, METER)
    }
}
