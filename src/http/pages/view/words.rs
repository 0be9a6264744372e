//! Words that every page shares: what a unit is called, and how an instant is written.

use jiff::tz::TimeZone;

use crate::clock::{Timestamp, rfc3339};
use crate::money::grouped;

/// What a unit is called, from the catalogue: `picture`, `pictures`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitWords {
    /// One of them.
    pub one: String,
    /// Several, or none.
    pub many: String,
}

impl UnitWords {
    /// From the catalogue's two words.
    pub fn new(one: &str, many: &str) -> UnitWords {
        UnitWords { one: one.to_owned(), many: many.to_owned() }
    }

    /// The word for so many: `picture` for 1 and -1, else `pictures`.
    pub fn noun(&self, count: i64) -> &str {
        if count.unsigned_abs() == 1 { &self.one } else { &self.many }
    }

    /// `1 picture`, `1,000 pictures`.
    pub fn count(&self, count: i64) -> String {
        format!("{} {}", grouped(count), self.noun(count))
    }

    /// The plural with a capital, for headings: `Pictures`.
    pub fn capitalised(&self) -> String {
        capitalised(&self.many)
    }
}

/// The text with its first letter as a capital.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// An instant as a page shows it, in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// For `<time datetime>`: RFC 3339.
    pub machine: String,
    /// `24 Nov 2026, 05:23 UTC`.
    pub words: String,
    /// `24 Nov 2026`.
    pub date: String,
}

impl Moment {
    /// Writes an instant.
    pub fn of(at: Timestamp) -> Moment {
        let instant = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
        let instant = TimeZone::UTC.to_datetime(instant);
        Moment {
            machine: rfc3339(at),
            words: instant.strftime("%-d %b %Y, %H:%M UTC").to_string(),
            date: instant.strftime("%-d %b %Y").to_string(),
        }
    }
}
