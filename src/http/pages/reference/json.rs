//! JSON for people to read: fields in the order of their schema, short lists on one line.

use serde_json::{Map, Value};

/// What a `$ref` leads to, or the schema itself.
pub(super) fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    // A field that may be null is one of two.
    let choice = schema["anyOf"].as_array().and_then(|choices| choices.iter().find(|one| one["$ref"].is_string()));
    match (target, choice) {
        (Some(target), _) => target,
        (None, Some(choice)) => resolve(document, choice),
        (None, None) => schema,
    }
}

/// Names in the order in which they are written: those that are always there as the type has them, then the others.
pub(super) fn ordered<'a>(schema: &'a Value, fields: &'a Map<String, Value>) -> Vec<(&'a str, &'a Value)> {
    let always: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut names: Vec<&str> = always.iter().copied().filter(|name| fields.contains_key(*name)).collect();
    names.extend(fields.keys().map(String::as_str).filter(|name| !always.contains(name)));
    names.into_iter().filter_map(|name| Some((name, fields.get(name)?))).collect()
}

/// The value with line breaks.
pub(super) fn pretty(document: &Value, schema: &Value, value: &Value) -> String {
    let mut text = String::new();
    write(document, schema, value, 0, &mut text);
    text
}

/// The value on one line.
pub(super) fn line(document: &Value, schema: &Value, value: &Value) -> String {
    let text = pretty(document, schema, value);
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    lines.join(" ").replace("{ ", "{").replace(" }", "}").replace("[ ", "[").replace(" ]", "]")
}

fn write(document: &Value, schema: &Value, value: &Value, depth: usize, text: &mut String) {
    let schema = resolve(document, schema);
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            text.push('{');
            for (number, (name, value)) in ordered(schema, fields).into_iter().enumerate() {
                text.push_str(if number == 0 { "\n" } else { ",\n" });
                text.push_str(&format!("{inner}{}: ", Value::from(name)));
                write(document, &schema["properties"][name], value, depth + 1, text);
            }
            text.push_str(&format!("\n{outer}}}"));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            text.push('[');
            for (number, item) in items.iter().enumerate() {
                text.push_str(if number == 0 { "\n" } else { ",\n" });
                text.push_str(&inner);
                write(document, &schema["items"], item, depth + 1, text);
            }
            text.push_str(&format!("\n{outer}]"));
        }
        other => text.push_str(&other.to_string()),
    }
}
