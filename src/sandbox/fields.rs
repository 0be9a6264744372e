//! What a request writes into an object: texts, which it sets or unsets, and metadata. What a request may send is
//! decided in `params`; `shape::change` applies the result to an object.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::sandbox::form::RequestForm;
use crate::sandbox::params::{Rule, shown};

/// The named fields, as far as the form has them. An empty value becomes null.
pub fn texts(form: &RequestForm, names: &[&str]) -> Value {
    let sent = names.iter().filter_map(|name| {
        let value = Some(form.text(name)?).filter(|value| !value.is_empty());
        Some(((*name).to_owned(), json!(value)))
    });
    Value::Object(sent.collect())
}

/// The fields after a request of what is only kept and shown. An address and a shipping are replaced, and have all their
/// fields; in other objects the request changes what it names.
pub fn kept(before: &Value, form: &RequestForm, rules: &[Rule]) -> Value {
    let mut fields = shown(form, rules);
    for (name, value) in fields.as_object_mut().into_iter().flatten() {
        if !matches!(name.as_str(), "address" | "shipping") {
            let mut whole = before[name].clone();
            merge(&mut whole, value.take());
            *value = whole;
        }
        complete(name, value);
    }
    fields
}

fn merge(whole: &mut Value, part: Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (name, value) in part {
                merge(whole.entry(name).or_insert(Value::Null), value);
            }
        }
        (whole, part) => *whole = part,
    }
}

/// Adds what Stripe shows though the request does not say it. An address with nothing in it is null.
fn complete(name: &str, value: &mut Value) {
    if value.is_null() && matches!(name, "images" | "marketing_features" | "preferred_locales") {
        *value = json!([]);
    }
    let Value::Object(fields) = value else { return };
    for (name, value) in fields.iter_mut() {
        complete(name, value);
    }
    if name == "address" && fields.values().all(Value::is_null) {
        *value = Value::Null;
        return;
    }
    for (name, default) in defaults(name).as_object().into_iter().flatten() {
        fields.entry(name).or_insert_with(|| default.clone());
    }
}

/// What Stripe shows of an object of this name where the request does not say it.
fn defaults(name: &str) -> Value {
    match name {
        "address" => json!({
            "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null,
        }),
        "branding_settings" => json!({
            "background_color": "#ffffff", "border_style": "rounded", "button_color": "#0074d4",
            "display_name": "Stand-in for Stripe", "font_family": "default", "icon": null, "logo": null,
        }),
        "business" | "individual" => json!({ "enabled": false, "optional": false }),
        "consent_collection" => {
            json!({ "payment_method_reuse_agreement": null, "promotions": null, "terms_of_service": null })
        }
        "recovery" => json!({ "allow_promotion_codes": false, "enabled": false, "expires_at": null, "url": null }),
        "shipping" => json!({ "address": null, "name": null, "phone": null }),
        _ => Value::Null,
    }
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
    use crate::sandbox::params::{boolean, clearable, integer, text};

    #[test]
    fn what_is_kept_has_its_kinds_and_all_fields_of_an_address() {
        const RULES: &[Rule] = &[
            clearable("address"),
            clearable("address.city"),
            clearable("settings.footer"),
            text("images.#"),
            integer("height"),
            boolean("shippable"),
        ];
        let before = json!({"address": {"city": "Bonn"}, "settings": {"a": 1, "footer": null}, "images": ["x"]});
        let after = |form| kept(&before, &RequestForm::decode(form).unwrap(), RULES);
        assert_eq!(
            after("address[city]=Rome&settings[footer]=f&images[]=a&images[]=b&height=3&shippable=True"),
            json!({
                "address": {"city": "Rome", "country": null, "line1": null, "line2": null, "postal_code": null, "state": null},
                "settings": {"a": 1, "footer": "f"}, "images": ["a", "b"], "height": 3, "shippable": true,
            })
        );
        assert_eq!(after("address="), json!({"address": null}));
        assert_eq!(after("address[city]="), json!({"address": null}));
    }

    #[test]
    fn metadata_is_merged_as_stripe_merges_it() {
        let after = |form| merged_metadata(&json!({"a": "1", "b": "2"}), &RequestForm::decode(form).unwrap());
        assert_eq!(after("metadata[a]=&metadata[c]=3"), json!({"b": "2", "c": "3"}));
        assert_eq!(after("metadata="), json!({}));
        assert_eq!(after(""), json!({"a": "1", "b": "2"}));
    }
}
