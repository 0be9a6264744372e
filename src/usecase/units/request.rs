//! What a call that moves units brings with it, parsed once: how many units, a note, an idempotency key. The bounds of notes
//! and keys stand here alone; the API's description and the command line take them from here. Also the refusals that
//! spends, holds and grants have in common.

use std::fmt;

use crate::clock::Timestamp;
use crate::error::{Error, Fault, Refused, Result};
use crate::id;
use crate::ledger::{EntryNote, Refusal, UNITS_LIMIT, Units};

use crate::usecase::units::posting;

/// The most characters of a note.
pub const NOTE_LIMIT: usize = 500;
/// The most characters of an idempotency key.
pub const KEY_LIMIT: usize = 255;

/// A sentence about a movement, for people: 1 to [`NOTE_LIMIT`] characters, not all white space, and of control characters
/// only the line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note(String);

impl Note {
    pub fn parse(text: String) -> Result<Note, Refused> {
        let length = text.chars().count();
        if text.trim().is_empty() || length > NOTE_LIMIT || text.chars().any(|c| c.is_control() && c != '\n') {
            let expected = format!("1 to {NOTE_LIMIT} characters without control characters were expected");
            return Err(Refused::InvalidRequest(format!("note has {length} characters: {expected}.")));
        }
        Ok(Note(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The note as the ledger takes it, with a salt of its own.
    pub fn to_entry_note(&self) -> Result<EntryNote, Fault> {
        entry_note(&self.0)
    }
}

/// A note as the ledger takes it, with a salt of its own.
pub(super) fn entry_note(text: &str) -> Result<EntryNote, Fault> {
    Ok(EntryNote::new(text.to_owned(), id::random_bytes()?))
}

/// What makes a movement happen once: 1 to [`KEY_LIMIT`] printable ASCII characters. It holds for one user and one kind of
/// call, for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    pub fn parse(text: &str) -> Result<IdempotencyKey, Refused> {
        if (1..=KEY_LIMIT).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Ok(IdempotencyKey(text.to_owned()));
        }
        let length = text.chars().count();
        let expected = IdempotencyKey::expected();
        Err(Refused::InvalidRequest(format!("The Idempotency-Key has {length} characters: {expected}.")))
    }

    /// A new key, for a movement whose caller named none.
    pub fn generate(now: Timestamp) -> Result<IdempotencyKey, Fault> {
        id::ordered_id("cli", now).map(IdempotencyKey)
    }

    /// What a key must be, as the end of a sentence.
    pub fn expected() -> String {
        format!("1 to {KEY_LIMIT} printable ASCII characters were expected, new for each movement")
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The refusal of a request whose key made another movement before. `kind` is what both ask for: `spend`, `hold`, `grant`.
    pub(super) fn reused(&self, kind: &str) -> Refused {
        let key = &self.0;
        Refused::IdempotencyKeyReused(format!(
            "The key {key:?} was used for another {kind} of this user. Use a new key."
        ))
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Units to spend, hold or capture: from 1 to [`UNITS_LIMIT`].
pub fn parse_units(units: i64) -> Result<Units, Refused> {
    Units::new(units).ok_or_else(|| {
        Refused::InvalidRequest(format!("units is {units}: a whole number from 1 to {UNITS_LIMIT} was expected."))
    })
}

/// The refusal of a spend or a hold. `topup_url` is where the user buys more.
pub(super) fn refused(refusal: Refusal, topup_url: &str) -> Error {
    match refusal {
        Refusal::InsufficientUnits { required, available } => {
            Refused::InsufficientUnits { required, available, topup_url: topup_url.to_owned() }.into()
        }
        other => posting::refused(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_for_notes_keys_and_units() {
        for (text, is_note) in [
            ("a".to_owned(), true),
            ("two\nlines".to_owned(), true),
            ("é".repeat(500), true),
            ("é".repeat(501), false),
            (String::new(), false),
            (" \n".to_owned(), false),
            ("a\tb".to_owned(), false),
        ] {
            assert_eq!(Note::parse(text.clone()).is_ok(), is_note, "{text:?}");
        }
        for (text, is_key) in [
            ("k".to_owned(), true),
            (" ~".to_owned(), true),
            ("k".repeat(255), true),
            ("k".repeat(256), false),
            (String::new(), false),
            ("é".to_owned(), false),
            ("a\n".to_owned(), false),
        ] {
            assert_eq!(IdempotencyKey::parse(&text).is_ok(), is_key, "{text:?}");
        }
        for (units, is_sound) in [(1, true), (1_000_000_000, true), (1_000_000_001, false), (0, false), (-1, false)] {
            assert_eq!(parse_units(units).is_ok(), is_sound, "{units}");
        }
    }
}
