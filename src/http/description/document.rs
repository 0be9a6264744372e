//! The endpoints as one OpenAPI document (OpenAPI Specification 3.1.1).

use schemars::generate::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::operation::{Access, Chapter, Endpoint, Header, Operation, Parameter, Success, schema_of};
use super::schemas::Schemas;
use super::{problems, webhooks};
use crate::error::Fault;
use crate::http::problem::{Problem, ProblemShape};
use crate::usecase::users::tokens::Scope;

const TITLE: &str = "till service API";
const PROBLEM_JSON: &str = "application/problem+json";
const SUMMARY: &str = "Who has how many units, and what becomes of them.";

pub(crate) const INTRODUCTION: &str = "\
JSON over HTTP, for the programs that use units up and for the server in front of the people who buy them.

**Tokens.** `Authorization: Bearer till_…`, made with `till token create NAME --scopes read,spend,sell`. The scope `admin` \
includes the others; `self` is one user's own balance, history and checkout.

**Once, and only once.** A call that moves units has an `Idempotency-Key`. The same key and body again gives the first answer \
again, with `Idempotent-Replayed: true`; the same key with another body is 422. Keys are per user and kind of call, and never expire. So after a \
time-out, a lost connection or a 503, send the same request with the same key until there is an answer. Capture and release need \
no key: a hold is closed once.

**What was answered is on the disk.** A `200` or `201` is sent after the commit.

**Problems.** Anything but success is `application/problem+json` (RFC 9457). Match on `code`; `detail` is for people. A 404 \
with the code `not_found` and a 405 also answer paths and methods that are not described here.

**Times and numbers.** Times are RFC 3339 in UTC with milliseconds. Units are whole numbers, written without a fraction or \
an exponent. A request with a field that is not known, or twice the same field, is refused.";

const TOKEN: &str = "A service token: `till token create NAME --scopes read,spend,sell`.";
const SESSION: &str = "The cookie that a sign-in link sets.";

/// The document. `base_url` is where the API is served, `cookie` the name of the session cookie.
pub(crate) fn document(endpoints: &[Endpoint], base_url: &str, cookie: &str) -> Result<Value, Fault> {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for endpoint in endpoints {
        let described = operation(&mut schemas, endpoint.operation)?;
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = described;
    }
    let webhooks = webhooks::described(&mut schemas.answers)?;
    let mut named = schemas.requests.take_definitions(true);
    named.extend(schemas.answers.take_definitions(true));
    let tags = Chapter::ALL.map(|chapter| json!({ "name": chapter.name(), "description": chapter.text() }));
    Ok(json!({
        "openapi": "3.1.1",
        "info": { "title": TITLE, "version": env!("CARGO_PKG_VERSION"), "summary": SUMMARY,
            "description": INTRODUCTION, "license": { "name": "MIT", "identifier": "MIT" } },
        "servers": [{ "url": base_url }],
        "tags": tags,
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": named,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": TOKEN },
                "session": { "type": "apiKey", "in": "cookie", "name": cookie, "description": SESSION },
            },
        },
    }))
}

fn operation(schemas: &mut Schemas, operation: &Operation) -> Result<Value, Fault> {
    let mut responses = Map::new();
    for answer in operation.answers {
        responses.insert(answer.status.to_string(), success(&mut schemas.answers, answer)?);
    }
    for (status, problems) in problems::all(operation) {
        responses.insert(status.to_string(), problem_response(&mut schemas.answers, &problems)?);
    }
    let mut described = json!({
        "operationId": operation.name,
        "tags": [operation.chapter.name()],
        "summary": operation.summary,
        "description": operation.description(),
        "security": security(operation.access),
        "responses": responses,
    });
    if let Access::Token(scope) | Access::TokenOrOwn(scope) = operation.access {
        described["x-scope"] = scope.as_str().into();
    }
    if !operation.parameters.is_empty() {
        described["parameters"] = operation.parameters.iter().map(parameter).collect();
    }
    if let Some(body) = &operation.body {
        let schema = (body.schema)(&mut schemas.requests);
        described["requestBody"] = json!({
            "required": body.is_required,
            "description": format!("At most {} bytes.", body.limit),
            "content": { "application/json": { "schema": schema, "example": read(body.example)? } },
        });
    }
    Ok(described)
}

fn success(answers: &mut SchemaGenerator, answer: &Success) -> Result<Value, Fault> {
    let mut described = json!({ "description": answer.text });
    if let Some((schema, example)) = answer.content {
        let schema = schema(answers);
        described["content"] = json!({ "application/json": { "schema": schema, "example": read(example)? } });
    }
    let headers: Map<String, Value> = answer.headers.iter().map(|header| header_of(*header)).collect();
    if !headers.is_empty() {
        described["headers"] = headers.into();
    }
    Ok(described)
}

/// The problems of one status, each as an example under its code.
fn problem_response(answers: &mut SchemaGenerator, problems: &[(Problem, &str)]) -> Result<Value, Fault> {
    let mut schema = schema_of::<ProblemShape>(answers).to_value();
    let mut codes: Vec<&str> = problems.iter().map(|(problem, _)| problem.code).collect();
    codes.dedup();
    schema["properties"] = json!({ "code": { "enum": codes } });
    let mut examples = Map::new();
    for (problem, when) in problems {
        let value = serde_json::to_value(problem.shape()).map_err(|cause| Fault::new("cannot write JSON", cause))?;
        let name = match examples.contains_key(problem.code) {
            true => format!("{}_{}", problem.code, examples.len() + 1),
            false => problem.code.to_owned(),
        };
        examples.insert(name, json!({ "summary": when, "value": value }));
    }
    let words: Vec<String> = problems.iter().map(|(problem, when)| format!("`{}`: {when}", problem.code)).collect();
    let mut described = json!({
        "description": words.join(" "),
        "content": { PROBLEM_JSON: { "schema": schema, "examples": examples } },
    });
    if problems.iter().any(|(problem, _)| problem.retry_after.is_some()) {
        described["headers"]["Retry-After"] = json!({ "description": "Seconds to wait.", "required": true, "schema": { "type": "integer", "minimum": 0 } });
    }
    if problems.iter().any(|(problem, _)| problem.code == "unauthenticated") {
        described["headers"]["WWW-Authenticate"] =
            json!({ "description": "`Bearer`", "required": true, "schema": { "type": "string" } });
    }
    Ok(described)
}

fn security(access: Access) -> Value {
    match access {
        Access::Token(scope) => json!([{ "token": [scope.as_str()] }]),
        Access::TokenOrOwn(scope) => json!([{ "token": [scope.as_str()] }, { "token": [Scope::Own.as_str()] }]),
        Access::AnyToken => json!([{ "token": [] }]),
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
        "in": parameter.place.as_str(),
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
