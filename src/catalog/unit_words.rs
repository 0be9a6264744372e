//! What a unit is called, and counts of units in words.

use super::LocalText;
use crate::language::Language;

/// The words for what is sold: `picture`, `pictures`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitWords {
    /// For one.
    pub singular: LocalText,
    /// For none and for many.
    pub plural: LocalText,
}

impl UnitWords {
    /// The word after this number: the singular for 1 and -1, otherwise the plural.
    pub fn noun(&self, count: i64, language: Language) -> &str {
        if count.unsigned_abs() == 1 { self.one(language) } else { self.many(language) }
    }

    /// `1 picture`, `1,000 pictures`.
    pub fn count(&self, count: i64, language: Language) -> String {
        format!("{} {}", language.number(count), self.noun(count, language))
    }

    /// `picture`.
    pub fn one(&self, language: Language) -> &str {
        self.singular.in_language(language)
    }

    /// `pictures`.
    pub fn many(&self, language: Language) -> &str {
        self.plural.in_language(language)
    }
}
