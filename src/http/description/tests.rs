//! The description and the program are the same: each route is described, each example is what a type reads or writes.

use axum::http::Method;
use serde_json::{Value, json};

use super::document;
use crate::clock::Timestamp;
use crate::http::endpoints;
use crate::notification::Topic;
use crate::notification::body::{self, Credit, LowBalance, PlanChange, Reversal, UnitsExpiring};

fn document() -> Value {
    document::document(&endpoints(), "https://till.example.org", "__Host-till").unwrap()
}

/// As OpenAPI writes a method.
fn lower_case(method: &Method) -> String {
    method.as_str().to_ascii_lowercase()
}

/// The page of URLs makes every route under `/v1` together with its description, and each is in the document.
#[test]
fn every_route_is_described_and_every_description_has_its_route() {
    let page = include_str!("../mod.rs");
    assert!(!page.contains(".route(\"/v1"), "a route under /v1 without its description");
    let document = document();
    let mut described = vec![];
    for (path, methods) in document["paths"].as_object().unwrap() {
        described.extend(methods.as_object().unwrap().keys().map(|method| format!("{method} {path}")));
    }
    let mut routes: Vec<String> =
        endpoints().iter().map(|endpoint| format!("{} {}", lower_case(&endpoint.method), endpoint.path)).collect();
    routes.sort();
    described.sort();
    assert_eq!(described, routes);
    assert_eq!(page.matches("(\"/v1/").count(), routes.len());
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
    for endpoint in endpoints() {
        let operation = endpoint.operation;
        let (name, method) = (operation.name, lower_case(&endpoint.method));
        let described = &document["paths"][endpoint.path][&method];
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

/// The messages as they are written are what the description says.
#[test]
fn every_webhook_is_described_as_it_is_sent() {
    let document = document();
    let webhooks = document["webhooks"].as_object().unwrap();
    let topics: Vec<&str> = Topic::ALL.iter().map(|topic| topic.as_str()).collect();
    assert!(webhooks.len() == topics.len() && topics.iter().all(|topic| webhooks.contains_key(*topic)), "{webhooks:?}");
    let (user_id, reason, entry_id) = ("alice", "topup_pi_1", "ent_1_1");
    let credit = Credit { user_id, units: 100, balance: 104, reason, entry_id, plan: None };
    let reversal = Reversal { user_id, units: -100, balance: 4, reason, entry_id, cause: "refund" };
    let change = PlanChange { user_id, plan: "pro", previous_plan: "free", features: &[], status: None };
    let low = LowBalance { user_id: user_id.to_owned(), remaining: 4, threshold: 10 };
    let expiring = UnitsExpiring { user_id, units: 40, at: "2027-02-07T09:30:00.000Z".to_owned() };
    let at = Timestamp::from_millis(1_790_000_000_007);
    for topic in Topic::ALL {
        let written = match topic {
            Topic::ToppedUp | Topic::Allotted => body::write(topic, at, &credit),
            Topic::Reversed => body::write(topic, at, &reversal),
            Topic::UnitsExpiring => body::write(topic, at, &expiring),
            Topic::PlanChanged => body::write(topic, at, &change),
            Topic::LowBalance => body::write(topic, at, &low)
                .and_then(|stored| body::low_balance_as_sent(&stored, "https://till.example.org/dashboard")),
        };
        let content = &webhooks[topic.as_str()]["post"]["requestBody"]["content"]["application/json"];
        for message in [&serde_json::from_str(&written.unwrap()).unwrap(), &content["example"]] {
            check(&document, &content["schema"], message, topic.as_str());
        }
    }
}

/// Generators of clients take a field with a default for one that is always there.
#[test]
fn no_field_has_a_default() {
    fn fields_with_default(schema: &Value, path: &str, found: &mut Vec<String>) {
        let Some(members) = schema.as_object() else { return };
        found.extend(members.get("default").map(|_| path.to_owned()));
        for (name, member) in members {
            fields_with_default(member, &format!("{path}/{name}"), found);
        }
    }
    let mut found = vec![];
    fields_with_default(&document()["components"]["schemas"], "", &mut found);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(document()["info"]["license"]["identifier"], "MIT");
}

#[test]
fn every_request_refuses_what_it_does_not_know() {
    let document = document();
    for endpoint in endpoints().iter().filter(|endpoint| endpoint.operation.body.is_some()) {
        let (path, method) = (endpoint.path, &endpoint.method);
        assert_ne!(*method, Method::GET, "{path}");
        let body = &document["paths"][path][lower_case(method)]["requestBody"]["content"]["application/json"];
        let name = body["schema"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        assert_eq!(document["components"]["schemas"][name]["additionalProperties"], json!(false), "{name}");
    }
}

#[test]
fn names_are_unique_and_every_named_schema_is_used() {
    let document = document();
    let mut names: Vec<&str> = endpoints().iter().map(|endpoint| endpoint.operation.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    let text = document.to_string();
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "{name}");
    }
}
