//! How one field of a Stripe object is read, and the error if it cannot be. The objects themselves are in the files
//! beside this one.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::clock::Timestamp;

/// Something from Stripe that cannot be read, and why: a sentence that names the object and the field, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(String);

impl Unreadable {
    /// `reason` has no full stop.
    pub fn new(reason: impl Into<String>) -> Unreadable {
        Unreadable(reason.into())
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T> {
    pub rows: Vec<T>,
    /// Whether there are more rows. Also true if the object did not include the list at all: then all rows must be
    /// requested.
    pub has_more: bool,
    /// The id of the last row. The next page starts after it.
    pub last_id: Option<String>,
}

impl<T> List<T> {
    pub(crate) fn read(value: &Value, row: impl Fn(&Value) -> Result<T, Unreadable>) -> Result<List<T>, Unreadable> {
        let fields = Fields::of("list", value)?;
        let values = fields.array("/data")?.ok_or_else(|| fields.missing("/data"))?;
        let rows = values.iter().map(row).collect::<Result<_, _>>()?;
        let last_id = values.last().and_then(|last| last.get("id")).and_then(Value::as_str).map(str::to_owned);
        Ok(List { rows, has_more: fields.flag("/has_more")?.unwrap_or(false), last_id })
    }

    /// A complete list.
    pub fn whole(rows: Vec<T>) -> List<T> {
        List { rows, has_more: false, last_id: None }
    }

    fn not_included() -> List<T> {
        List { rows: Vec::new(), has_more: true, last_id: None }
    }
}

/// An object's fields, by JSON pointer (RFC 6901). Null counts as absent, and so does an empty text.
pub(crate) struct Fields<'a> {
    name: &'static str,
    value: &'a Value,
}

impl<'a> Fields<'a> {
    /// `name` is what messages call the object.
    pub fn of(name: &'static str, value: &'a Value) -> Result<Fields<'a>, Unreadable> {
        match value {
            Value::Object(_) => Ok(Fields { name, value }),
            _ => Err(Unreadable(format!("the {name} is not a JSON object"))),
        }
    }

    /// The fault of an object without what it always has.
    pub fn missing(&self, path: &str) -> Unreadable {
        Unreadable(format!("the {} has no {}", self.name, dotted(path)))
    }

    fn not(&self, path: &str, expected: &str) -> Unreadable {
        Unreadable(format!("the {}'s {} is not {expected}", self.name, dotted(path)))
    }

    /// What is at `path`, a JSON pointer; `None` when it is absent or null. The readers below take the same paths.
    pub fn value(&self, path: &str) -> Option<&'a Value> {
        self.value.pointer(path).filter(|value| !value.is_null())
    }

    /// A text; `None` when it is absent, null or empty.
    pub fn text(&self, path: &str) -> Result<Option<String>, Unreadable> {
        match self.value(path) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.not(path, "text")),
        }
    }

    /// A word of a list that Stripe may extend; empty when absent.
    pub fn word(&self, path: &str) -> Result<String, Unreadable> {
        Ok(self.text(path)?.unwrap_or_default())
    }

    /// The object's own id, which every object of Stripe's has.
    pub fn id(&self) -> Result<String, Unreadable> {
        self.text("/id")?.ok_or_else(|| self.missing("/id"))
    }

    /// The id, where Stripe writes either an id or the expanded object.
    pub fn reference(&self, path: &str) -> Result<Option<String>, Unreadable> {
        match self.value(path) {
            Some(object @ Value::Object(_)) => {
                let id = object.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
                id.map(|id| Some(id.to_owned())).ok_or_else(|| self.not(path, "an id, or an object with one"))
            }
            Some(Value::String(_)) | None => self.text(path),
            Some(_) => Err(self.not(path, "an id, or an object with one")),
        }
    }

    /// The first of `paths` that is present.
    pub fn first_reference(&self, paths: &[&str]) -> Result<Option<String>, Unreadable> {
        for path in paths {
            if let Some(id) = self.reference(path)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// A whole number, such as an amount in the smallest unit of its currency.
    pub fn whole(&self, path: &str) -> Result<Option<i64>, Unreadable> {
        match self.value(path) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| self.not(path, "a whole number of 64 bits")),
        }
    }

    /// An instant in whole seconds, as in all of Stripe's v1 objects.
    pub fn time(&self, path: &str) -> Result<Option<Timestamp>, Unreadable> {
        Ok(self.whole(path)?.map(Timestamp::from_seconds))
    }

    /// True or false.
    pub fn flag(&self, path: &str) -> Result<Option<bool>, Unreadable> {
        match self.value(path) {
            None => Ok(None),
            Some(value) => value.as_bool().map(Some).ok_or_else(|| self.not(path, "true or false")),
        }
    }

    /// The first of `paths` that is present; false if none is.
    pub fn first_flag(&self, paths: &[&str]) -> Result<bool, Unreadable> {
        for path in paths {
            if let Some(flag) = self.flag(path)? {
                return Ok(flag);
            }
        }
        Ok(false)
    }

    /// Metadata: texts by key. Stripe writes nothing else there, so anything else is not ours.
    pub fn metadata(&self, paths: &[&str]) -> Result<BTreeMap<String, String>, Unreadable> {
        let Some((path, value)) = paths.iter().find_map(|path| Some((path, self.value(path)?))) else {
            return Ok(BTreeMap::new());
        };
        let pairs = value.as_object().ok_or_else(|| self.not(path, "a JSON object"))?;
        let texts = pairs.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        Ok(texts.collect())
    }

    /// A list; `None` when it is absent, which differs from an empty one.
    pub fn array(&self, path: &str) -> Result<Option<&'a Vec<Value>>, Unreadable> {
        match self.value(path) {
            None => Ok(None),
            Some(value) => value.as_array().map(Some).ok_or_else(|| self.not(path, "a list")),
        }
    }

    /// A list object that Stripe includes only on request.
    pub fn included<T>(
        &self,
        path: &str,
        row: impl Fn(&Value) -> Result<T, Unreadable>,
    ) -> Result<Option<List<T>>, Unreadable> {
        self.value(path).map(|value| List::read(value, row)).transpose()
    }

    /// A list object that belongs to its parent. If it is absent, it must be requested.
    pub fn list<T>(&self, path: &str, row: impl Fn(&Value) -> Result<T, Unreadable>) -> Result<List<T>, Unreadable> {
        Ok(self.included(path, row)?.unwrap_or_else(List::not_included))
    }
}

fn dotted(path: &str) -> String {
    path.trim_start_matches('/').replace('/', ".")
}
