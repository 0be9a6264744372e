//! A text of the operator's that may be given once, or once for each language.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, de};

use crate::language::Language;

/// What is called differently in different languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalText {
    text: String,
    /// By the tag of the language. Tags of languages that there are no pages in are kept and not used.
    by_language: BTreeMap<String, String>,
}

impl LocalText {
    /// The same text with another one in one language.
    pub fn with(mut self, language: Language, text: &str) -> LocalText {
        self.by_language.insert(language.tag().to_owned(), text.to_owned());
        self
    }

    /// Where no language is asked for: what programs, Stripe and the command line show.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text in a language; the general one where there is none.
    pub fn in_language(&self, language: Language) -> &str {
        self.by_language.get(language.tag()).unwrap_or(&self.text)
    }

    /// All texts, each with the language it is for.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let others = self.by_language.iter().map(|(tag, text)| (tag.as_str(), text.as_str()));
        std::iter::once(("", self.text.as_str())).chain(others)
    }
}

impl From<&str> for LocalText {
    fn from(text: &str) -> LocalText {
        LocalText::from(text.to_owned())
    }
}

impl From<String> for LocalText {
    fn from(text: String) -> LocalText {
        LocalText { text, by_language: BTreeMap::new() }
    }
}

impl fmt::Display for LocalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

struct LocalTextVisitor;

impl<'de> de::Visitor<'de> for LocalTextVisitor {
    type Value = LocalText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or one for each language, such as { en = \"picture\", de = \"Bild\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<LocalText, E> {
        Ok(LocalText::from(text))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<LocalText, A::Error> {
        let mut texts: Vec<(String, String)> = Vec::new();
        while let Some((tag, text)) = map.next_entry::<String, String>()? {
            let is_tag = (2..=3).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_lowercase());
            if !is_tag {
                let expected = "expected a language's two or three letters, such as de";
                return Err(de::Error::custom(format!("{tag:?} is no language; {expected}")));
            }
            texts.push((tag, text));
        }
        let is_general = |(tag, _): &&(String, String)| tag == Language::default().tag();
        let general = texts.iter().find(is_general).or(texts.first());
        let text = general.map(|(_, text)| text.clone()).ok_or_else(|| de::Error::invalid_length(0, &self))?;
        Ok(LocalText { text, by_language: texts.into_iter().collect() })
    }
}

impl<'de> Deserialize<'de> for LocalText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LocalText, D::Error> {
        deserializer.deserialize_any(LocalTextVisitor)
    }
}
