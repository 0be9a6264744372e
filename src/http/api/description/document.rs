//! The operations as one OpenAPI document (OpenAPI Specification 3.1.1). What follows from access, path and body, such as
//! that a token may be missing, is said here once for all operations.

use std::collections::BTreeMap;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::super::super::error::{Problem, ProblemShape};
use super::operation::{Access, Group, Header, Operation, Parameter, Refusal, Success, shape};
use super::problems;
use crate::error::Fault;
use crate::usecase::users::tokens::Scope;

const TITLE: &str = "till service API";
const PROBLEM_JSON: &str = "application/problem+json";

/// Collects the schemas that have a name: what is read, and what is written, where a field that may be null is always there.
struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

/// The document. `base_url` is where it is served, `cookie` the name of the cookie of those who are signed in.
pub(super) fn document(operations: &[&Operation], base_url: &str, cookie: &str) -> Result<Value, Fault> {
    let settings = || {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        settings
    };
    let mut schemas =
        Schemas { requests: settings().into_generator(), answers: settings().for_serialize().into_generator() };
    let mut paths = Map::new();
    for operation in operations {
        let described = schemas.operation(operation)?;
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            methods.insert(operation.method.as_str().to_owned(), described);
        }
    }
    let mut named = schemas.requests.take_definitions(true);
    named.extend(schemas.answers.take_definitions(true));
    let tags = Group::ALL.map(|group| json!({ "name": group.name(), "description": group.text() }));
    Ok(json!({
        "openapi": "3.1.1",
        "info": { "title": TITLE, "version": env!("CARGO_PKG_VERSION"), "summary": problems::SUMMARY, "description": problems::INTRODUCTION },
        "servers": [{ "url": base_url }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": named,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": problems::TOKEN },
                "session": { "type": "apiKey", "in": "cookie", "name": cookie, "description": problems::SESSION },
            },
        },
    }))
}

impl Schemas {
    fn operation(&mut self, operation: &Operation) -> Result<Value, Fault> {
        let mut responses = Map::new();
        for answer in operation.answers {
            responses.insert(answer.status.to_string(), self.success(answer)?);
        }
        for (status, refusals) in by_status(operation) {
            responses.insert(status.to_string(), self.refusals(&refusals)?);
        }
        let mut described = json!({
            "operationId": operation.name,
            "tags": [operation.group.name()],
            "summary": operation.summary,
            "description": description(operation),
            "security": security(operation.access),
            "responses": responses,
        });
        if let Access::Token(scope) = operation.access {
            described["x-scope"] = scope.as_str().into();
        }
        if !operation.parameters.is_empty() {
            described["parameters"] = operation.parameters.iter().map(parameter).collect();
        }
        if let Some(body) = &operation.body {
            let schema = (body.schema)(&mut self.requests);
            described["requestBody"] = json!({
                "required": body.is_required,
                "description": format!("At most {} bytes.", body.limit),
                "content": { "application/json": { "schema": schema, "example": read(body.example)? } },
            });
        }
        Ok(described)
    }

    fn success(&mut self, answer: &Success) -> Result<Value, Fault> {
        let mut described = json!({ "description": answer.text });
        if let Some((schema, example)) = answer.content {
            let schema = schema(&mut self.answers);
            described["content"] = json!({ "application/json": { "schema": schema, "example": read(example)? } });
        }
        let headers: Map<String, Value> = answer.headers.iter().map(|header| header_of(*header)).collect();
        if !headers.is_empty() {
            described["headers"] = headers.into();
        }
        Ok(described)
    }

    /// The refusals of one status, each an example under its code.
    fn refusals(&mut self, refusals: &[(Problem, &str)]) -> Result<Value, Fault> {
        let mut schema = shape::<ProblemShape>(&mut self.answers).to_value();
        let mut codes: Vec<&str> = refusals.iter().map(|(problem, _)| problem.code).collect();
        codes.dedup();
        schema["properties"] = json!({ "code": { "enum": codes } });
        let mut examples = Map::new();
        for (problem, when) in refusals {
            let value =
                serde_json::to_value(problem.shape()).map_err(|cause| Fault::new("cannot write JSON", cause))?;
            let name = match examples.contains_key(problem.code) {
                true => format!("{}_{}", problem.code, examples.len() + 1),
                false => problem.code.to_owned(),
            };
            examples.insert(name, json!({ "summary": when, "value": value }));
        }
        let words: Vec<String> = refusals.iter().map(|(problem, when)| format!("`{}`: {when}", problem.code)).collect();
        let mut described = json!({
            "description": words.join(" "),
            "content": { PROBLEM_JSON: { "schema": schema, "examples": examples } },
        });
        if refusals.iter().any(|(problem, _)| problem.retry_after.is_some()) {
            described["headers"]["Retry-After"] = json!({ "description": "Seconds to wait.", "required": true, "schema": { "type": "integer", "minimum": 0 } });
        }
        if refusals.iter().any(|(problem, _)| problem.code == "unauthenticated") {
            described["headers"]["WWW-Authenticate"] =
                json!({ "description": "`Bearer`", "required": true, "schema": { "type": "string" } });
        }
        Ok(described)
    }
}

/// All that an operation refuses, by status.
fn by_status(operation: &Operation) -> BTreeMap<u16, Vec<(Problem, &'static str)>> {
    let mut refusals: Vec<Refusal> = operation.refusals.to_vec();
    match operation.access {
        Access::Token(_) => refusals.extend([problems::NO_TOKEN, problems::NO_SCOPE]),
        Access::Session => refusals.push(problems::NO_SESSION),
        Access::Open => {}
    }
    if operation.body.is_some() {
        refusals.push(problems::TOO_LARGE);
    }
    if operation.body.is_some() || !operation.parameters.is_empty() {
        refusals.push(problems::INVALID);
    }
    let mut all: Vec<(Problem, &str)> =
        refusals.iter().map(|refusal| (Problem::from((refusal.refused)()), refusal.when)).collect();
    if !matches!(operation.access, Access::Open) {
        all.push((Problem::from((problems::UNAVAILABLE.refused)()), problems::UNAVAILABLE.when));
        all.push((Problem::internal(), problems::INTERNAL_WHEN));
    }
    let mut found: BTreeMap<u16, Vec<_>> = BTreeMap::new();
    for (problem, when) in all {
        found.entry(problem.status.as_u16()).or_default().push((problem, when));
    }
    found
}

fn description(operation: &Operation) -> String {
    let access = match operation.access {
        Access::Token(Scope::Admin) => "Needs a token with the scope `admin`.".to_owned(),
        Access::Token(scope) => format!("Needs a token with the scope `{}` or `admin`.", scope.as_str()),
        Access::Session => "Needs the cookie of a browser that is signed in; no token.".to_owned(),
        Access::Open => "Needs no token.".to_owned(),
    };
    match operation.text {
        "" => access,
        text => format!("{text}\n\n{access}"),
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::Token(scope) => json!([{ "token": [scope.as_str()] }]),
        Access::Session => json!([{ "session": [] }]),
        Access::Open => json!([]),
    }
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = (parameter.schema)();
    let example = match schema["type"].as_str() {
        Some("integer") => parameter.example.parse::<i64>().map_or(Value::Null, Value::from),
        _ => parameter.example.into(),
    };
    json!({
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.is_required,
        "description": parameter.text,
        "schema": schema,
        "example": example,
    })
}

fn header_of(header: Header) -> (String, Value) {
    match header {
        Header::Replayed => (
            "Idempotent-Replayed".to_owned(),
            json!({
                "description": "`true` where an earlier call did this, and this is its answer again.",
                "schema": { "type": "string", "enum": ["true"] },
            }),
        ),
        Header::ETag => (
            "ETag".to_owned(),
            json!({
                "description": "Names this answer, for `If-None-Match`.",
                "required": true,
                "schema": { "type": "string" },
            }),
        ),
    }
}

fn read(example: &str) -> Result<Value, Fault> {
    serde_json::from_str(example).map_err(|cause| Fault::new(format!("an example is no JSON: {example}"), cause))
}
