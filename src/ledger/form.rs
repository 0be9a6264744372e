//! The canonical form of what is hashed: fields as netstrings, one after the other, so that no two rows have the same form.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::Hash;

/// Builds a canonical form. A field is written as `<length in bytes>:<text>,`, an absent one as `-,`. Numbers are decimal,
/// bytes are lower-case hexadecimal.
pub(super) struct Form {
    text: String,
    /// A number is written here first, because its length comes before it.
    digits: String,
}

impl Form {
    /// A form that begins with its name.
    pub(super) fn named(name: &str) -> Form {
        let mut form = Form { text: String::with_capacity(384), digits: String::with_capacity(20) };
        form.text(Some(name));
        form
    }

    pub(super) fn text(&mut self, field: Option<&str>) {
        // Writing to a string does not fail.
        let _written = match field {
            Some(field) => write!(self.text, "{}:{field},", field.len()),
            None => write!(self.text, "-,"),
        };
    }

    pub(super) fn number(&mut self, field: Option<i64>) {
        let Some(number) = field else { return self.text(None) };
        self.digits.clear();
        let _written = write!(self.digits, "{number}");
        let _written = write!(self.text, "{}:{},", self.digits.len(), self.digits);
    }

    pub(super) fn bytes(&mut self, field: Option<&[u8]>) {
        match field {
            Some(bytes) => self.text(Some(&HEXLOWER.encode(bytes))),
            None => self.text(None),
        }
    }

    /// The SHA-256 digest of what was written.
    pub(super) fn digest(&self) -> Hash {
        Sha256::digest(&self.text).into()
    }
}
