//! Words that several pages share: how an instant is written, and headings.

use jiff::tz::TimeZone;

use crate::clock::{Timestamp, rfc3339};

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
    pub(super) fn of(at: Timestamp) -> Moment {
        let instant = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
        let instant = TimeZone::UTC.to_datetime(instant);
        Moment {
            machine: rfc3339(at),
            words: instant.strftime("%-d %b %Y, %H:%M UTC").to_string(),
            date: instant.strftime("%-d %b %Y").to_string(),
        }
    }
}
