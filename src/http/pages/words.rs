//! Words that several pages share: how an instant is written, and headings.

use crate::clock::{Timestamp, rfc3339};
use crate::language::Language;

/// The text with its first letter as a capital.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// An instant as a page shows it, in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// RFC 3339, for `<time datetime>`.
    pub machine: String,
    /// `24 Nov 2026, 05:23 UTC`.
    pub words: String,
    /// `24 Nov 2026`.
    pub date: String,
}

impl Moment {
    pub(super) fn of(at: Timestamp, language: Language) -> Moment {
        Moment { machine: rfc3339(at), words: language.time(at), date: language.date(at) }
    }
}
