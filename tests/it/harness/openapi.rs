//! Stripe's OpenAPI description as the judge of requests and answers. It is read from `stripe/openapi.json.gz` in the
//! folder that `TILL_SHARED` names, else in `../shared` beside the tree; where it is not there, [`load`] answers `None`
//! and the tests that need it say so and pass.
//!
//! The description is OpenAPI 3.0; it is turned into JSON Schema here (`nullable`), and request schemas are closed, so
//! that a parameter that Stripe does not know is found at any depth.

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

/// The description, ready to judge.
pub struct Api {
    paths: Value,
    components: Value,
    compiled: Mutex<HashMap<String, Arc<jsonschema::Validator>>>,
}

/// Reads the description; `None` when it is not on this machine.
pub fn load() -> Option<Api> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("TILL_SHARED").map_or_else(beside, PathBuf::from);
    let packed = std::fs::read(folder.join("stripe/openapi.json.gz")).ok()?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).expect("openapi.json.gz is gzip");
    let mut document: Value = serde_json::from_str(&text).expect("openapi.json.gz is JSON");
    let mut components = document["components"].take();
    as_json_schema(&mut components);
    Some(Api { paths: document["paths"].take(), components, compiled: Mutex::default() })
}

impl Api {
    /// Whether `body` is an answer that Stripe may give to this call with this status. `path` is the real one, without
    /// a query. The message names the place in the body.
    pub fn check_response(&self, method: &str, path: &str, status: u16, body: &Value) -> Result<(), String> {
        let (pattern, operation) = self.operation(method, path)?;
        let key = if (200..300).contains(&status) { "200" } else { "default" };
        let schema = &operation["responses"][key]["content"]["application/json"]["schema"];
        let mut schema = schema.clone();
        as_json_schema(&mut schema);
        self.check(&format!("{method} {pattern} {key}"), schema, body)
    }

    /// Whether `object` is a valid `customer`, `event`, … by the name of its schema.
    pub fn check_object(&self, name: &str, object: &Value) -> Result<(), String> {
        self.check(name, json!({ "$ref": format!("#/components/schemas/{name}") }), object)
    }

    /// Whether the description, which is cut to what is near to us, has an object of this name.
    pub fn knows(&self, name: &str) -> bool {
        self.components["schemas"].get(name).is_some()
    }

    /// Whether the description has this path.
    pub fn has(&self, path: &str) -> bool {
        self.paths.as_object().is_some_and(|paths| {
            paths.keys().any(|pattern| {
                pattern.split('/').count() == path.split('/').count()
                    && pattern.split('/').zip(path.split('/')).all(|(part, name)| part == name || part.starts_with('{'))
            })
        })
    }

    /// Whether Stripe would know every parameter of this call, and each has its kind. `form` is the decoded body, or the
    /// decoded query of a `GET`, as name and value: `("line_items[0][price]", "price_1")`.
    pub fn check_request(&self, method: &str, path: &str, form: &[(String, String)]) -> Result<(), String> {
        let (pattern, operation) = self.operation(method, path)?;
        let mut schema = if method.eq_ignore_ascii_case("POST") {
            operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"].clone()
        } else {
            query_schema(operation)
        };
        let body = typed(&tree(form), &schema);
        close(&mut schema);
        as_json_schema(&mut schema);
        self.check(&format!("{method} {pattern} request"), schema, &body)
    }

    fn check(&self, key: &str, schema: Value, instance: &Value) -> Result<(), String> {
        let mut compiled = self.compiled.lock().expect("no test panicked while compiling");
        let validator = compiled.entry(key.to_owned()).or_insert_with(|| {
            // Only what the schema leads to is compiled: the whole description takes seconds.
            let whole = json!({ "allOf": [schema], "components": self.components });
            Arc::new(jsonschema::validator_for(&whole).expect("the schema compiles"))
        });
        let validator = validator.clone();
        drop(compiled);
        let faults: Vec<String> = validator
            .iter_errors(instance)
            .take(5)
            .map(|error| {
                format!("{}: {}", error.instance_path(), error.to_string().chars().take(300).collect::<String>())
            })
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(format!("{key}: {}", faults.join("; "))) }
    }

    fn operation(&self, method: &str, path: &str) -> Result<(&str, &Value), String> {
        let fits = |pattern: &str| {
            let (parts, names) = (pattern.split('/'), path.split('/'));
            parts.clone().count() == names.clone().count()
                && parts.zip(names).all(|(part, name)| part == name || part.starts_with('{') && !name.is_empty())
        };
        let paths = self.paths.as_object().expect("paths is an object").iter();
        let found = paths.filter(|(pattern, _)| fits(pattern)).min_by_key(|(pattern, _)| pattern.matches('{').count());
        let (pattern, item) = found.ok_or_else(|| format!("Stripe's description has no path {path}"))?;
        let operation = &item[method.to_ascii_lowercase()];
        match operation.is_null() {
            true => Err(format!("Stripe's description has no {method} {pattern}")),
            false => Ok((pattern, operation)),
        }
    }
}

fn query_schema(operation: &Value) -> Value {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let query = parameters.into_iter().filter(|parameter| parameter["in"] == "query");
    let properties: Map<String, Value> = query
        .map(|mut parameter| (parameter["name"].as_str().unwrap_or_default().to_owned(), parameter["schema"].take()))
        .collect();
    json!({ "type": "object", "properties": properties })
}

/// `nullable` in the words of JSON Schema.
fn as_json_schema(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(as_json_schema);
            if fields.get("nullable") == Some(&json!(true)) {
                fields.remove("nullable");
                if let Some(kind) = fields.get_mut("type").filter(|kind| kind.is_string()) {
                    *kind = json!([kind.clone(), "null"]);
                }
                for (list, null) in [("anyOf", json!({ "type": "null" })), ("enum", Value::Null)] {
                    if let Some(Value::Array(choices)) = fields.get_mut(list) {
                        choices.push(null);
                    }
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(as_json_schema),
        _ => {}
    }
}

/// Refuses, at every depth, names that the schema does not have.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// Names in brackets as a tree of objects with texts at its ends.
fn tree(form: &[(String, String)]) -> Value {
    let mut root = json!({});
    for (name, value) in form {
        let mut place = &mut root;
        for part in name.split('[') {
            let part = part.trim_end_matches(']');
            if !place.is_object() {
                *place = json!({});
            }
            let next = place.as_object().map_or(0, Map::len).to_string();
            place = &mut place[if part.is_empty() { next.as_str() } else { part }];
        }
        *place = json!(value);
    }
    root
}

/// The tree with the kinds that the schema asks for, where its texts can have them.
fn typed(tree: &Value, schema: &Value) -> Value {
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = |choice: &&Value| match tree {
            Value::Object(_) => choice["type"] == "object" || choice["type"] == "array",
            _ => typed(tree, choice) != *tree || choice["type"] == "string",
        };
        return choices.iter().find(fits).map_or_else(|| tree.clone(), |choice| typed(tree, choice));
    }
    match (tree, schema["type"].as_str().unwrap_or_default()) {
        (Value::Object(fields), "array") => {
            let mut items: Vec<(u64, &Value)> =
                fields.iter().filter_map(|(index, value)| Some((index.parse().ok()?, value))).collect();
            items.sort_by_key(|(index, _)| *index);
            let whole = items.len() == fields.len();
            if whole {
                items.into_iter().map(|(_, value)| typed(value, &schema["items"])).collect()
            } else {
                tree.clone()
            }
        }
        (Value::Object(fields), _) => {
            let of = |name: &str| match schema["properties"].get(name) {
                Some(schema) => schema.clone(),
                None => schema["additionalProperties"].clone(),
            };
            fields.iter().map(|(name, value)| (name.clone(), typed(value, &of(name)))).collect::<Map<_, _>>().into()
        }
        (Value::String(text), "integer" | "number" | "boolean") => {
            serde_json::from_str(text).ok().filter(|value: &Value| !value.is_string()).unwrap_or_else(|| tree.clone())
        }
        _ => tree.clone(),
    }
}

#[test]
fn the_judge_knows_right_from_wrong() {
    let Some(api) = load() else {
        crate::harness::left_out("Stripe's description as a judge: stripe/openapi.json.gz is not on this machine");
        return;
    };
    let form = |text: &str| -> Vec<(String, String)> { form_urlencoded::parse(text.as_bytes()).into_owned().collect() };
    let good = "mode=payment&line_items[0][price]=p&line_items[0][quantity]=1&metadata[user_id]=u&expand[]=customer\
                &allow_promotion_codes=true&expires_at=1790000000";
    for (method, path, text, is_right) in [
        ("POST", "/v1/checkout/sessions", good, true),
        ("POST", "/v1/checkout/sessions", "mode=payments", false),
        ("POST", "/v1/checkout/sessions", "line_items[0][prize]=p", false),
        ("POST", "/v1/checkout/sessions", "line_items[0][quantity]=many", false),
        ("POST", "/v1/checkout/sessions", "colour=red", false),
        ("POST", "/v1/prices", "unit_amount=900", false),
        ("POST", "/v1/customers/cus_1", "email=&metadata=", true),
        ("GET", "/v1/events", "limit=3&created[gte]=1&types[]=a", true),
        ("GET", "/v1/events", "size=3", false),
        ("POST", "/v1/eventz", "", false),
        ("DELETE", "/v1/events", "", false),
    ] {
        let verdict = api.check_request(method, path, &form(text));
        assert_eq!(verdict.is_ok(), is_right, "{method} {path} {text}: {verdict:?}");
    }
    let customer = json!({ "id": "cus_1", "object": "customer", "created": 1, "livemode": false, "email": null });
    assert_eq!(api.check_response("GET", "/v1/customers/cus_1", 200, &customer), Ok(()));
    assert!(api.check_response("GET", "/v1/customers/cus_1", 200, &json!({ "id": "cus_1" })).is_err());
    assert_eq!(api.check_object("customer", &customer), Ok(()));
    assert!(api.check_response("GET", "/v1/customers/cus_1", 404, &json!({ "error": {} })).is_err());
}
