//! The fields of a form that a person sent, each of which is there once and no longer than it may be.

use axum::body::Body;
use zeroize::Zeroizing;

use super::body;
use crate::error::{Refused, Result};
use crate::language::refusal::PersonRefusal;
use crate::plain_text::is_hidden;

/// A form as it arrived.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) async fn read(body: Body) -> Result<Form> {
        body::form(body).await.map(Form)
    }

    /// All fields, for the check of the form's token.
    pub(super) fn fields(&self) -> &[(String, String)] {
        &self.0
    }

    /// A line of text without white space around it, of at most so many characters; empty where there is no such field.
    /// Control characters, and those that nobody sees, are refused: they make a text look like another.
    pub(super) fn text(&self, name: &str, limit: usize) -> Result<String> {
        let text = self.value(name, limit)?.trim();
        if text.chars().any(is_hidden) {
            return Err(PersonRefusal::FieldControls(name.to_owned()).into());
        }
        Ok(text.to_owned())
    }

    /// A password as it is.
    pub(super) fn password(&self, name: &str) -> Result<Zeroizing<String>> {
        Ok(Zeroizing::new(self.value(name, usize::MAX)?.to_owned()))
    }

    fn value(&self, name: &str, limit: usize) -> Result<&str> {
        let mut values = self.0.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
        let value = values.next().unwrap_or_default();
        if values.next().is_some() {
            return Err(Refused::InvalidRequest(twice(name)).into());
        }
        let length = value.chars().count();
        if length > limit {
            return Err(PersonRefusal::FieldLength { field: name.to_owned(), characters: length, most: limit }.into());
        }
        Ok(value)
    }
}

/// What is said of a field that says what to do more than once.
pub(super) fn twice(name: &str) -> String {
    let shown: String = name.chars().take(50).collect();
    format!("The field {shown} is there twice: it was expected once.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_there_once_and_is_plain_text() {
        let form = |fields: &[(&str, &str)]| {
            Form(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        for (fields, expected) in [
            (&[][..], Some("")),
            (&[("name", " Ada ")], Some("Ada")),
            (&[("name", "عادة 🙂")], Some("عادة 🙂")),
            (&[("other", "x"), ("name", "")], Some("")),
            (&[("name", "a"), ("name", "a")], None),
            (&[("name", "Ada\u{202e}")], None),
            (&[("name", "A\u{200b}da")], None),
            (&[("name", "👩‍👧")], Some("👩‍👧")),
            (&[("name", "A\nda")], None),
            (&[("name", "A\u{0}da")], None),
            (&[("name", "longer than ten")], None),
        ] {
            assert_eq!(form(fields).text("name", 10).ok().as_deref(), expected, "{fields:?}");
        }
        assert_eq!(form(&[("password", " a\u{202e} ")]).password("password").unwrap().as_str(), " a\u{202e} ");
    }
}
