//! The description and the program are the same: each route is described, each example is what a type reads or writes.

use serde_json::{Value, json};

use super::operation::Method;
use super::{Description, OPERATIONS};
use crate::config::{Need, Sources, load};

fn document() -> Value {
    let loaded = load(&Sources::from_variables([("SPRITE_BASE_URL", "https://till.example.org")]), Need::Nothing);
    Description::of(&loaded.unwrap().config).unwrap().document
}

/// What the router has under `/v1`, read from its page: method and path.
fn routes() -> Vec<String> {
    let page = include_str!("../../mod.rs");
    let mut found = vec![];
    for route in page.split(".route(\"").skip(1).filter(|route| route.starts_with("/v1")) {
        let (path, rest) = route.split_once('"').unwrap();
        let handlers = rest.split(['\n', ';']).next().unwrap();
        for method in ["get", "post", "put", "patch", "delete"] {
            if handlers.contains(&format!(" {method}(")) || handlers.contains(&format!(".{method}(")) {
                found.push(format!("{method} {path}"));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_route_is_described_and_every_description_has_its_route() {
    let mut described: Vec<String> =
        OPERATIONS.iter().map(|operation| format!("{} {}", operation.method.as_str(), operation.path)).collect();
    described.sort();
    assert_eq!(described, routes());
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let in_document: usize = paths.values().map(|methods| methods.as_object().unwrap().len()).sum();
    assert_eq!(in_document, OPERATIONS.len());
}

/// Fails unless `example` is what `schema` describes; one of ours leaves nothing out and adds nothing.
fn check(document: &Value, schema: &Value, example: &Value, what: &str) {
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    whole["unevaluatedProperties"] = json!(false);
    let validator = jsonschema::options().should_validate_formats(true).build(&whole).unwrap();
    let errors: Vec<String> = validator.iter_errors(example).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{what}: {errors:?}\n{example}");
}

#[test]
fn every_example_is_as_described() {
    let document = document();
    for operation in OPERATIONS {
        let (name, method) = (operation.name, operation.method.as_str());
        let described = &document["paths"][operation.path][method];
        if operation.body.is_some() {
            let content = &described["requestBody"]["content"]["application/json"];
            check(&document, &content["schema"], &content["example"], name);
        }
        for parameter in described["parameters"].as_array().into_iter().flatten() {
            check(&document, &parameter["schema"], &parameter["example"], name);
        }
        for (status, response) in described["responses"].as_object().unwrap() {
            let what = format!("{name} {status}");
            let answer = &response["content"]["application/json"];
            if answer.is_object() && name != "getDescription" {
                check(&document, &answer["schema"], &answer["example"], &what);
            }
            let problem = &response["content"]["application/problem+json"];
            for example in problem["examples"].as_object().into_iter().flat_map(|examples| examples.values()) {
                check(&document, &problem["schema"], &example["value"], &what);
                assert_eq!(example["value"]["status"].to_string(), *status, "{what}");
            }
        }
    }
}

#[test]
fn every_request_refuses_what_it_does_not_know() {
    let document = document();
    for (path, method) in OPERATIONS.iter().filter(|one| one.body.is_some()).map(|one| (one.path, one.method)) {
        assert_ne!(method, Method::Get, "{path}");
        let body = &document["paths"][path][method.as_str()]["requestBody"]["content"]["application/json"];
        let name = body["schema"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        assert_eq!(document["components"]["schemas"][name]["additionalProperties"], json!(false), "{name}");
    }
}

#[test]
fn names_are_unique_and_every_named_schema_is_used() {
    let document = document();
    let mut names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    let text = document.to_string();
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "{name}");
    }
}
