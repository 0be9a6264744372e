//! What a unit is called, and counts of units in words.

use crate::money::grouped;

/// The words for what is sold: `picture`, `pictures`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitWords {
    /// For one.
    pub singular: String,
    /// For none and for many.
    pub plural: String,
}

impl UnitWords {
    /// The word after this number: the singular for 1 and -1, otherwise the plural.
    pub fn noun(&self, count: i64) -> &str {
        if count.unsigned_abs() == 1 { &self.singular } else { &self.plural }
    }

    /// `1 picture`, `1,000 pictures`.
    pub fn count(&self, count: i64) -> String {
        format!("{} {}", grouped(count), self.noun(count))
    }
}
