//! The OpenAPI document as a page's values. It is our own, so what it lacks is left out and not complained of.

use serde_json::Value;

use super::super::view::{AnswerView, CallView, Chapter, FieldView, Reference, RefusalView, ShapeView, Text};
use super::json::{line, ordered, pretty, resolve};

/// Calls in the order of `names`, by the chapters of the document.
pub(crate) fn reference(document: &Value, names: &[&str]) -> Reference {
    let calls: Vec<(String, CallView)> = names.iter().filter_map(|name| find(document, name)).collect();
    let chapter = |tag: &Value| Chapter {
        name: words(&tag["name"]).to_owned(),
        text: Text::read(words(&tag["description"])),
        calls: calls.iter().filter(|(group, _)| group == words(&tag["name"])).map(|(_, call)| call.clone()).collect(),
    };
    Reference {
        introduction: Text::paragraphs(words(&document["info"]["description"])),
        chapters: list(&document["tags"]).iter().map(chapter).collect(),
        shapes: shapes(document),
    }
}

/// The operation with this name, and its chapter.
fn find(document: &Value, name: &str) -> Option<(String, CallView)> {
    let paths = document["paths"].as_object()?;
    let mut all =
        paths.iter().flat_map(|(path, methods)| methods.as_object().into_iter().flatten().map(move |one| (path, one)));
    let (path, (method, operation)) = all.find(|(_, (_, operation))| operation["operationId"] == name)?;
    Some((words(&operation["tags"][0]).to_owned(), call(document, path, method, operation)))
}

fn call(document: &Value, path: &str, method: &str, operation: &Value) -> CallView {
    let body = &operation["requestBody"];
    let schema = &body["content"]["application/json"]["schema"];
    let mut fields = vec![];
    gather(document, schema, "", &mut fields);
    let needed = if body["required"] == true { "The body is JSON." } else { "The body is JSON, and may be left out." };
    let (mut answers, mut refusals) = (vec![], vec![]);
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let examples = response["content"]["application/problem+json"]["examples"].as_object();
        match examples {
            Some(examples) => refusals.extend(examples.values().map(|example| RefusalView {
                status: status.clone(),
                code: words(&example["value"]["code"]).to_owned(),
                text: Text::read(words(&example["summary"])),
            })),
            None => answers.push(answer(document, status, response)),
        }
    }
    CallView {
        name: words(&operation["operationId"]).to_owned(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: words(&operation["summary"]).to_owned(),
        text: Text::paragraphs(words(&operation["description"])),
        parameters: list(&operation["parameters"]).iter().map(parameter).collect(),
        fields,
        body: if body.is_null() { String::new() } else { format!("{needed} {}", words(&body["description"])) },
        curl: curl(document, path, method, operation),
        answers,
        refusals,
    }
}

fn answer(document: &Value, status: &str, response: &Value) -> AnswerView {
    let content = &response["content"]["application/json"];
    let shape = content["schema"]["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    AnswerView {
        status: status.to_owned(),
        text: Text::read(words(&response["description"])),
        shape: shape.map(str::to_owned),
        example: match content.is_null() {
            true => String::new(),
            false => pretty(document, &content["schema"], &content["example"]),
        },
    }
}

fn parameter(parameter: &Value) -> FieldView {
    let needed = if parameter["required"] == true { "required" } else { "optional" };
    let place = words(&parameter["in"]);
    FieldView {
        name: words(&parameter["name"]).to_owned(),
        kind: format!("{place}, {}, {needed}", kind(&parameter["schema"])),
        text: Text::read(words(&parameter["description"])),
    }
}

/// The fields of an object, those inside lists of objects with their way there.
fn gather(document: &Value, schema: &Value, prefix: &str, fields: &mut Vec<FieldView>) {
    let schema = resolve(document, schema);
    let Some(properties) = schema["properties"].as_object() else { return };
    let required: Vec<&Value> = list(&schema["required"]).iter().collect();
    for (name, field) in ordered(schema, properties) {
        let needed = if required.iter().any(|one| *one == name) { "required" } else { "optional" };
        fields.push(FieldView {
            name: format!("{prefix}{name}"),
            kind: format!("{}, {needed}", kind(field)),
            text: Text::read(words(&field["description"])),
        });
        let items = &field["items"];
        if !items.is_null() {
            gather(document, items, &format!("{prefix}{name}[]."), fields);
        }
    }
}

/// What answers are made of, each with its fields. What requests are made of stands at the calls.
fn shapes(document: &Value) -> Vec<ShapeView> {
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    let answered = schemas.filter(|(_, schema)| schema["additionalProperties"] != false);
    let shape = |(name, schema): (&String, &Value)| ShapeView {
        name: name.clone(),
        text: Text::read(words(&schema["description"])),
        fields: schema["properties"].as_object().map_or_else(Vec::new, |fields| {
            let view = |(name, field): (&str, &Value)| FieldView {
                name: name.to_owned(),
                kind: kind(field),
                text: Text::read(words(&field["description"])),
            };
            ordered(schema, fields).into_iter().map(view).collect()
        }),
    };
    answered.map(shape).collect()
}

/// A type and its bounds in words.
fn kind(schema: &Value) -> String {
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let named = [&schema["$ref"], &schema["anyOf"][0]["$ref"]].into_iter().find_map(Value::as_str);
    let named = named.and_then(|reference| reference.rsplit('/').next()).map(str::to_owned);
    let word = |kind: &&str| match *kind {
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => {
            let items = schema["items"]["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
            // What requests are made of has no heading of its own on the page.
            let items = items.map(|name| if name.starts_with("New") { "objects" } else { name });
            format!("list of {}", items.unwrap_or("text"))
        }
        "string" if schema["format"] == "date-time" => "time".to_owned(),
        "string" if schema["format"] == "uri" => "address".to_owned(),
        "string" => "text".to_owned(),
        other => other.to_owned(),
    };
    let mut said: Vec<String> = types.iter().filter(|kind| **kind != "null").map(word).collect();
    said.extend(named);
    let bound = |least: &str, most: &str| match (schema[least].as_i64(), schema[most].as_i64()) {
        (Some(least), Some(most)) => Some(format!("{} to {}", grouped(least), grouped(most))),
        (None, Some(most)) => Some(format!("at most {}", grouped(most))),
        _ => None,
    };
    said.extend(bound("minimum", "maximum"));
    said.extend(bound("minLength", "maxLength").map(|bound| format!("{bound} characters")));
    said.extend(bound("minItems", "maxItems").map(|bound| format!("{bound} of them")));
    let choices: Vec<&str> = list(&schema["enum"]).iter().filter_map(Value::as_str).collect();
    said.extend((!choices.is_empty()).then(|| choices.join(" | ")));
    let may_be_null = types.contains(&"null") || schema["anyOf"].is_array();
    said.extend(may_be_null.then(|| "or null".to_owned()));
    said.join(", ")
}

/// 1000000000 as `1,000,000,000`.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "−".to_owned() } else { String::new() };
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The call as a command, with the document's own examples.
fn curl(document: &Value, path: &str, method: &str, operation: &Value) -> String {
    let (mut address, mut query, mut parts) = (path.to_owned(), vec![], vec![]);
    let security = &operation["security"][0];
    if !security["token"].is_null() {
        parts.push("-H \"Authorization: Bearer $TOKEN\"".to_owned());
    }
    if !security["session"].is_null() {
        let cookie = words(&document["components"]["securitySchemes"]["session"]["name"]);
        parts.push(format!("-b \"{cookie}=$SESSION\""));
    }
    for parameter in list(&operation["parameters"]) {
        let (name, example) = (words(&parameter["name"]), &parameter["example"]);
        let example = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
        match words(&parameter["in"]) {
            "path" => address = address.replace(&format!("{{{name}}}"), &example),
            "query" if name == "limit" => query.push(format!("{name}={example}")),
            "header" if parameter["required"] == true => parts.push(format!("-H '{name}: {example}'")),
            _ => {}
        }
    }
    let content = &operation["requestBody"]["content"]["application/json"];
    if !content.is_null() {
        parts.push("-H 'Content-Type: application/json'".to_owned());
        parts.push(format!("-d '{}'", line(document, &content["schema"], &content["example"])));
    }
    let verb = match method {
        "put" => "-X PUT ",
        _ => "",
    };
    let origin = words(&document["servers"][0]["url"]);
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    parts.push(format!("'{origin}{address}{query}'"));
    format!("curl {verb}{}", parts.join(" \\\n  "))
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
