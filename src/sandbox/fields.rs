//! What a request writes into an object: texts, which it sets or unsets, and metadata. What a request may send is
//! decided in `params`; `shape::change` applies the result to an object.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::sandbox::form::RequestForm;

/// The named fields, as far as the form has them. An empty value becomes null.
pub fn texts(form: &RequestForm, names: &[&str]) -> Value {
    let sent = names.iter().filter_map(|name| {
        let value = Some(form.text(name)?).filter(|value| !value.is_empty());
        Some(((*name).to_owned(), json!(value)))
    });
    Value::Object(sent.collect())
}

/// The metadata of a new object. `path` is where the request has it.
pub fn metadata(form: &RequestForm, path: &str) -> Value {
    merged(BTreeMap::new(), form, path)
}

/// An object's metadata after a request: entries are set, entries with an empty value are removed, and an empty map
/// removes all. Source: Stripe, "Metadata".
pub fn merged_metadata(before: &Value, form: &RequestForm) -> Value {
    merged(serde_json::from_value(before.clone()).unwrap_or_default(), form, "metadata")
}

fn merged(mut entries: BTreeMap<String, String>, form: &RequestForm, path: &str) -> Value {
    if form.text(path) == Some("") {
        entries.clear();
    }
    for (key, value) in form.map(path) {
        match value.is_empty() {
            true => entries.remove(&key),
            false => entries.insert(key, value),
        };
    }
    json!(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_merged_as_stripe_merges_it() {
        let after = |form| merged_metadata(&json!({"a": "1", "b": "2"}), &RequestForm::decode(form).unwrap());
        assert_eq!(after("metadata[a]=&metadata[c]=3"), json!({"b": "2", "c": "3"}));
        assert_eq!(after("metadata="), json!({}));
        assert_eq!(after(""), json!({"a": "1", "b": "2"}));
    }
}
