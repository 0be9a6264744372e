//! An entry's note as the books keep it: its text can be erased (`docs/rules.md`, rule 10), and the proof stays.

use super::Hash;
use super::form::Form;

/// Random bytes that make the digest of a short text tell nothing once they are erased.
pub type Salt = [u8; 16];

/// A sentence for people, bound to its entry by a salted digest. The digest is in the entry's hash; the text and the salt
/// are not, and are erased together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryNote {
    digest: Hash,
    text: Option<String>,
    salt: Option<Salt>,
}

impl EntryNote {
    /// A new note. The salt is random, and no other note has it.
    pub fn new(text: String, salt: Salt) -> EntryNote {
        EntryNote { digest: digest(&text, &salt), text: Some(text), salt: Some(salt) }
    }

    /// A note as it was stored, genuine or not.
    pub fn from_stored(digest: Hash, text: Option<String>, salt: Option<Salt>) -> EntryNote {
        EntryNote { digest, text, salt }
    }

    /// What it says; `None` once it was erased.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The salt; `None` once the text was erased.
    pub fn salt(&self) -> Option<&Salt> {
        self.salt.as_ref()
    }

    /// SHA-256 over the canonical form: `till-note-1`, the salt in hexadecimal, and the text.
    pub fn digest(&self) -> &Hash {
        &self.digest
    }

    /// Whether the text is the one that was hashed, or was erased as a whole.
    pub fn is_genuine(&self) -> bool {
        match (&self.text, &self.salt) {
            (Some(text), Some(salt)) => digest(text, salt) == self.digest,
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether the note may have said this. Nobody can tell any more of an erased one.
    pub fn may_have_been(&self, text: &str) -> bool {
        self.text.as_deref().is_none_or(|stored| stored == text)
    }
}

fn digest(text: &str, salt: &Salt) -> Hash {
    let mut form = Form::named("till-note-1");
    form.bytes(Some(salt));
    form.text(Some(text));
    form.digest()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_digest_is_the_documented_one_and_an_erased_note_is_genuine() {
        let note = EntryNote::new("a gift".to_owned(), [0xab; 16]);
        let form = format!("11:till-note-1,32:{},6:a gift,", "ab".repeat(16));
        assert_eq!(*note.digest(), <Hash>::from(Sha256::digest(form.as_bytes())));
        let (text, salt) = (|text: &str| Some(text.to_owned()), Some([0xab; 16]));
        for (text, salt, is_genuine) in [
            (text("a gift"), salt, true),
            (None, None, true),
            (text("a gist"), salt, false),
            (text("a gift"), Some([0xac; 16]), false),
            (text("a gift"), None, false),
            (None, salt, false),
        ] {
            let stored = EntryNote::from_stored(*note.digest(), text, salt);
            assert_eq!(stored.is_genuine(), is_genuine, "{stored:?}");
        }
    }

    #[test]
    fn a_repetition_of_a_call_fits_a_note_that_was_erased() {
        let note = EntryNote::new("a gift".to_owned(), [1; 16]);
        assert!(note.may_have_been("a gift") && !note.may_have_been("another"));
        assert!(EntryNote::from_stored(*note.digest(), None, None).may_have_been("another"));
    }
}
