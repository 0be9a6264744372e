//! The fields of requests and answers, read from the JSON Schema that `schemars` generates from our types.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::text::Text;
use crate::error::Fault;
use crate::money::grouped;

/// A field or a parameter.
#[derive(Clone, Debug)]
pub(crate) struct FieldView {
    /// `units`, or `spends[].units` for a field inside a list.
    pub name: String,
    /// `header, whole number, 1 to 200, required`.
    pub kind: String,
    pub text: Text,
}

/// Named schemas, by name.
pub(super) struct Definitions(BTreeMap<String, JsonSchema>);

/// The part of JSON Schema that our types use.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct JsonSchema {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    #[serde(rename = "type")]
    kind: Option<Types>,
    /// A field that may be null and has a named type: that type or null.
    any_of: Vec<JsonSchema>,
    pub description: String,
    properties: BTreeMap<String, JsonSchema>,
    required: Vec<String>,
    items: Option<Box<JsonSchema>>,
    #[serde(rename = "enum")]
    choices: Vec<Value>,
    format: Option<String>,
    minimum: Option<i64>,
    maximum: Option<i64>,
    min_length: Option<i64>,
    max_length: Option<i64>,
    min_items: Option<i64>,
    max_items: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Types {
    One(String),
    Several(Vec<String>),
}

impl Definitions {
    pub(super) fn read(definitions: &Map<String, Value>) -> Result<Definitions, Fault> {
        let named = definitions.iter().map(|(name, schema)| Ok((name.clone(), JsonSchema::read(schema)?)));
        Ok(Definitions(named.collect::<Result<_, Fault>>()?))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &JsonSchema)> {
        self.0.iter()
    }

    /// The fields of a request. The objects of a list follow their list.
    pub(super) fn request_fields(&self, schema: &JsonSchema) -> Vec<FieldView> {
        let mut fields = vec![];
        self.collect_fields(schema, "", &mut fields);
        fields
    }

    fn collect_fields(&self, schema: &JsonSchema, prefix: &str, fields: &mut Vec<FieldView>) {
        let schema = schema.name().and_then(|name| self.0.get(name)).unwrap_or(schema);
        for (name, field) in schema.ordered_fields() {
            fields.push(FieldView {
                name: format!("{prefix}{name}"),
                // The types of requests have no headings on the page, so they are not named.
                kind: format!("{}, {}", field.in_words(|_| "objects"), needed(schema.required.contains(name))),
                text: Text::parse(&field.description),
            });
            if let Some(items) = &field.items {
                self.collect_fields(items, &format!("{prefix}{name}[]."), fields);
            }
        }
    }
}

impl JsonSchema {
    pub(super) fn read(schema: &Value) -> Result<JsonSchema, Fault> {
        JsonSchema::deserialize(schema).map_err(|cause| Fault::new("a schema has an unexpected form", cause))
    }

    /// The name of the named type that this refers to.
    pub(super) fn name(&self) -> Option<&str> {
        let reference = self.reference.as_ref().or_else(|| self.any_of.iter().find_map(|one| one.reference.as_ref()));
        reference.and_then(|reference| reference.rsplit('/').next())
    }

    /// The fields of an answer.
    pub(super) fn answer_fields(&self) -> Vec<FieldView> {
        let view = |(name, field): (&String, &JsonSchema)| FieldView {
            name: name.clone(),
            kind: field.in_words(|name| name),
            text: Text::parse(&field.description),
        };
        self.ordered_fields().map(view).collect()
    }

    /// Required fields in the order of their type, then the others.
    fn ordered_fields(&self) -> impl Iterator<Item = (&String, &JsonSchema)> {
        let required = self.required.iter().filter_map(|name| self.properties.get_key_value(name));
        required.chain(self.properties.iter().filter(|(name, _)| !self.required.contains(name)))
    }

    /// The type and its bounds in words. `item_name` says what to call the objects of a list.
    pub(super) fn in_words(&self, item_name: fn(&str) -> &str) -> String {
        let types: Vec<&str> = match &self.kind {
            Some(Types::One(one)) => vec![one],
            Some(Types::Several(several)) => several.iter().map(String::as_str).collect(),
            None => vec![],
        };
        let mut words: Vec<String> =
            types.iter().filter(|kind| **kind != "null").map(|kind| self.type_in_words(kind, item_name)).collect();
        words.extend(self.name().map(str::to_owned));
        words.extend(bounds(self.minimum, self.maximum));
        words.extend(bounds(self.min_length, self.max_length).map(|bounds| format!("{bounds} characters")));
        words.extend(bounds(self.min_items, self.max_items).map(|bounds| format!("{bounds} of them")));
        let choices: Vec<&str> = self.choices.iter().filter_map(Value::as_str).collect();
        words.extend((!choices.is_empty()).then(|| choices.join(" | ")));
        let may_be_null = types.contains(&"null") || !self.any_of.is_empty();
        words.extend(may_be_null.then(|| "or null".to_owned()));
        words.join(", ")
    }

    fn type_in_words(&self, kind: &str, item_name: fn(&str) -> &str) -> String {
        match (kind, self.format.as_deref()) {
            ("integer", _) => "whole number".to_owned(),
            ("boolean", _) => "true or false".to_owned(),
            ("array", _) => {
                let items = self.items.as_ref().and_then(|items| items.name()).map(item_name);
                format!("list of {}", items.unwrap_or("text"))
            }
            ("string", Some("date-time")) => "time".to_owned(),
            ("string", Some("uri")) => "address".to_owned(),
            ("string", _) => "text".to_owned(),
            (other, _) => other.to_owned(),
        }
    }
}

pub(super) fn needed(is_required: bool) -> &'static str {
    if is_required { "required" } else { "optional" }
}

fn bounds(least: Option<i64>, most: Option<i64>) -> Option<String> {
    // With a minus sign, because a hyphen may be broken from its number at the end of a line.
    let number = |number: i64| grouped(number).replace('-', "−");
    match (least, most) {
        (Some(least), Some(most)) => Some(format!("{} to {}", number(least), number(most))),
        (None, Some(most)) => Some(format!("at most {}", number(most))),
        _ => None,
    }
}
