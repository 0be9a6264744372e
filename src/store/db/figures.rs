//! Figures of the shop by day: what a movement or a payment adds to them. A transaction notes changes in memory, and the
//! writer adds them to their rows once for all that it commits together, so that a spend writes no row for them.

use crate::clock::{Timestamp, day_of};

macro_rules! figures {
    ($($(#[$words:meta])* $name:ident = $column:literal,)*) => {
        /// One figure: a column of the table `figures`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Figure {
            $($(#[$words])* $name,)*
        }

        impl Figure {
            /// All, in the order of their columns.
            pub const ALL: [Figure; FIGURES] = [$(Figure::$name,)*];

            /// The name of its column.
            pub fn column(self) -> &'static str {
                match self {
                    $(Figure::$name => $column,)*
                }
            }
        }
    };
}

/// How many figures there are.
pub const FIGURES: usize = 18;

figures! {
    /// Charged for plans, in minor units, like all money here.
    Plans = "plans",
    /// Charged for packs.
    Packs = "packs",
    /// Marked as paid at Stripe, which took no money.
    OutOfBand = "out_of_band",
    /// Refunded, less the refunds that failed.
    Refunded = "refunded",
    /// Withdrawn by disputes.
    Withheld = "withheld",
    /// Given back by disputes.
    Reinstated = "reinstated",
    /// Returned by credit notes without a refund.
    Returned = "returned",
    /// What was paid for the units that were credited.
    ValueAdded = "value_added",
    /// What was paid for the units that were used.
    Earned = "earned",
    /// What was paid for the units that expired.
    Forfeited = "forfeited",
    /// What was paid for the units that were taken back.
    ValueReversed = "value_reversed",
    /// Units of packs and plans.
    Bought = "bought",
    /// Units of grants.
    Given = "given",
    /// Units that were used.
    Used = "used",
    /// Units that expired.
    Expired = "expired",
    /// Units that reversals, corrections and downgrades took, less those that came back.
    Reversed = "reversed",
    /// The change of the units in lots, by what they were paid with.
    Left = "units_left",
    /// Users who became known.
    Users = "users",
}

/// An addition to a figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FigureChange {
    /// UTC: milliseconds since 1970 ÷ 86,400,000.
    pub day: i64,
    /// ISO code in lower case; empty for what has none.
    pub currency: String,
    pub figure: Figure,
    pub amount: i64,
}

impl FigureChange {
    /// On the day of this time.
    pub fn at(at: Timestamp, currency: &str, figure: Figure, amount: i64) -> FigureChange {
        FigureChange { day: day_of(at), currency: currency.to_owned(), figure, amount }
    }

    /// The same taken away.
    pub fn undone(self) -> FigureChange {
        FigureChange { amount: self.amount.saturating_neg(), ..self }
    }
}

/// What all figures of one day and currency amount to, in the order of [`Figure::ALL`].
pub type Amounts = [i64; FIGURES];

/// Changes that were noted, summed by day and currency.
pub type AmountsByDay = std::collections::BTreeMap<(i64, String), Amounts>;

/// Adds a change to sums.
pub fn add_to(sums: &mut AmountsByDay, change: &FigureChange) {
    let amounts = sums.entry((change.day, change.currency.clone())).or_default();
    if let Some(amount) = amounts.get_mut(change.figure as usize) {
        *amount = amount.saturating_add(change.amount);
    }
}

/// The changes of the transaction under way, in the order of the jobs that noted them, so that those of a job that failed can
/// be dropped.
#[derive(Default)]
pub(in crate::store) struct FigureJournal {
    changes: Vec<FigureChange>,
    /// Where those of the job under way begin.
    job: usize,
}

/// How far back a change of the same figure is looked for: a batch of spends changes a handful of them.
const LOOK_BACK: usize = 8;

impl FigureJournal {
    pub(super) fn note(&mut self, change: FigureChange) {
        if change.amount == 0 {
            return;
        }
        let of_job = self.changes.get_mut(self.job..).unwrap_or_default();
        let is_same = |other: &&mut FigureChange| {
            (other.figure, other.day, &other.currency) == (change.figure, change.day, &change.currency)
        };
        match of_job.iter_mut().rev().take(LOOK_BACK).find(is_same) {
            Some(same) => same.amount = same.amount.saturating_add(change.amount),
            None => self.changes.push(change),
        }
    }

    /// A job begins. Give the answer to [`FigureJournal::undo`] if it fails.
    pub(super) fn begin_job(&mut self) -> usize {
        self.job = self.changes.len();
        self.job
    }

    /// Drops what was noted since the job began, or all with 0.
    pub(super) fn undo(&mut self, job: usize) {
        self.changes.truncate(job);
        self.job = job;
    }

    /// What was noted, summed; without rows in which nothing changes.
    pub(super) fn take(&mut self) -> AmountsByDay {
        let mut sums = AmountsByDay::new();
        self.changes.drain(..).for_each(|change| add_to(&mut sums, &change));
        self.job = 0;
        sums.retain(|_, amounts| amounts.iter().any(|amount| *amount != 0));
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_is_in_the_schema_in_this_order() {
        let schema = include_str!("../../../schema.sql");
        let table = schema.split("CREATE TABLE figures (").nth(1).unwrap().split(") STRICT").next().unwrap();
        let columns = table.lines().filter_map(|line| line.split_whitespace().next());
        let columns: Vec<&str> =
            columns.filter(|word| !["--", "PRIMARY", "day", "currency", "writer", "changes"].contains(word)).collect();
        assert_eq!(columns, Figure::ALL.map(Figure::column));
    }

    #[test]
    fn changes_are_summed_by_day_and_currency_and_those_of_a_failed_job_are_dropped() {
        let mut journal = FigureJournal::default();
        let [before, day, end] = [-1, 86_400_000, 2 * 86_400_000 - 1].map(Timestamp::from_millis);
        journal.note(FigureChange::at(day, "usd", Figure::Earned, 9));
        journal.note(FigureChange::at(end, "usd", Figure::Earned, 1));
        assert_eq!(journal.changes.len(), 1);
        let job = journal.begin_job();
        journal.note(FigureChange::at(day, "", Figure::Used, 5));
        journal.note(FigureChange::at(day, "usd", Figure::Earned, 70));
        journal.note(FigureChange::at(day, "usd", Figure::Earned, 7));
        assert_eq!(journal.changes.len(), job + 2, "what one job changes twice is one change");
        journal.undo(job);
        journal.note(FigureChange::at(before, "eur", Figure::Packs, 5));
        journal.note(FigureChange::at(before, "eur", Figure::Packs, 5).undone());
        let sums = journal.take();
        let mut expected = [0; FIGURES];
        expected[Figure::Earned as usize] = 10;
        assert_eq!(sums.into_iter().collect::<Vec<_>>(), [((1, "usd".to_owned()), expected)]);
        assert_eq!((day_of(before), journal.changes.len()), (-1, 0));
    }
}
