//! The content of the reference for people: chapters, the calls in each, and the types of answers. It is made from the
//! same constants and types as the OpenAPI document. `pages/reference` shows it.

mod example;
mod fields;
pub(crate) mod text;

use axum::http::Method;

use super::document::INTRODUCTION;
use super::operation::{Access, Chapter, Endpoint, Operation, Parameter, Place, RequestBody, Success, schema_of};
use super::problems;
use super::schemas::Schemas;
use crate::error::Fault;
use crate::http::problem::ProblemShape;
use example::{on_lines, on_one_line};
use fields::{Definitions, FieldView, JsonSchema, needed};
use text::Text;

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub introduction: Vec<Text>,
    pub chapters: Vec<ChapterView>,
    pub shapes: Vec<ShapeView>,
}

#[derive(Clone, Debug)]
pub(crate) struct ChapterView {
    pub name: &'static str,
    pub text: Text,
    pub calls: Vec<CallView>,
}

#[derive(Clone, Debug)]
pub(crate) struct CallView {
    /// The operation's name, which is also the fragment of its address on the page.
    pub name: &'static str,
    pub method: Method,
    pub path: &'static str,
    pub summary: &'static str,
    pub text: Vec<Text>,
    pub parameters: Vec<FieldView>,
    /// Whether the body is needed and how long it may be. Empty where there is none.
    pub body: String,
    pub fields: Vec<FieldView>,
    /// A command that makes the call.
    pub curl: String,
    pub answers: Vec<AnswerView>,
    pub problems: Vec<ProblemView>,
}

#[derive(Clone, Debug)]
pub(crate) struct AnswerView {
    pub status: u16,
    pub text: Text,
    /// The name of the body's type, when it has one.
    pub shape: Option<String>,
    /// JSON. Empty where there is no body.
    pub example: String,
}

#[derive(Clone, Debug)]
pub(crate) struct ProblemView {
    pub status: u16,
    pub code: &'static str,
    pub text: Text,
}

/// A named type of answers.
#[derive(Clone, Debug)]
pub(crate) struct ShapeView {
    pub name: String,
    pub text: Text,
    pub fields: Vec<FieldView>,
}

impl Reference {
    /// `origin` is where the API is served, `cookie` the name of the session cookie.
    pub(crate) fn of(endpoints: &[Endpoint], origin: &str, cookie: &str) -> Result<Reference, Fault> {
        let mut schemas = Schemas::new();
        let mut calls = vec![];
        for endpoint in endpoints {
            calls.push((endpoint.operation.chapter, call(&mut schemas, endpoint, origin, cookie)?));
        }
        let chapter = |chapter: Chapter| ChapterView {
            name: chapter.name(),
            text: Text::parse(chapter.text()),
            calls: calls.iter().filter(|(of, _)| *of == chapter).map(|(_, call)| call.clone()).collect(),
        };
        // A problem is described with the calls that answer it, and as a type like any other.
        schema_of::<ProblemShape>(&mut schemas.answers);
        let answers = Definitions::read(&schemas.answers.take_definitions(true))?;
        let shape = |(name, schema): (&String, &JsonSchema)| ShapeView {
            name: name.clone(),
            text: Text::parse(&schema.description),
            fields: schema.answer_fields(),
        };
        Ok(Reference {
            introduction: Text::paragraphs(INTRODUCTION),
            chapters: Chapter::ALL.map(chapter).into(),
            shapes: answers.iter().map(shape).collect(),
        })
    }
}

fn call(schemas: &mut Schemas, endpoint: &Endpoint, origin: &str, cookie: &str) -> Result<CallView, Fault> {
    let operation = endpoint.operation;
    let (body, fields) = match &operation.body {
        Some(body) => request_body(schemas, body)?,
        None => (String::new(), vec![]),
    };
    let mut answers = vec![];
    for success in operation.answers {
        answers.push(answer(schemas, success)?);
    }
    Ok(CallView {
        name: operation.name,
        method: endpoint.method.clone(),
        path: endpoint.path,
        summary: operation.summary,
        text: Text::paragraphs(&operation.description()),
        parameters: operation.parameters.iter().map(parameter).collect::<Result<_, _>>()?,
        body,
        fields,
        curl: curl(endpoint, origin, cookie),
        answers,
        problems: problem_views(operation),
    })
}

/// A sentence about the body, and its fields.
fn request_body(schemas: &mut Schemas, body: &RequestBody) -> Result<(String, Vec<FieldView>), Fault> {
    let schema = (body.schema)(&mut schemas.requests);
    let schema = JsonSchema::read(schema.as_value())?;
    let fields = Definitions::read(schemas.requests.definitions())?.request_fields(&schema);
    let may_be_left_out = if body.is_required { "" } else { ", and may be left out" };
    Ok((format!("The body is JSON{may_be_left_out}. At most {} bytes.", body.limit), fields))
}

fn answer(schemas: &mut Schemas, success: &Success) -> Result<AnswerView, Fault> {
    let mut shape = None;
    let mut example = String::new();
    if let Some((schema, json)) = success.content {
        let schema = schema(&mut schemas.answers);
        shape = JsonSchema::read(schema.as_value())?.name().map(str::to_owned);
        example = on_lines(json);
    }
    Ok(AnswerView { status: success.status, text: Text::parse(success.text), shape, example })
}

/// All problems by status, and those of a status by code.
fn problem_views(operation: &Operation) -> Vec<ProblemView> {
    let mut views = vec![];
    for (status, mut problems) in problems::all(operation) {
        problems.sort_by_key(|(problem, _)| problem.code);
        views.extend(problems.iter().map(|(problem, when)| ProblemView {
            status,
            code: problem.code,
            text: Text::parse(when),
        }));
    }
    views
}

fn parameter(parameter: &Parameter) -> Result<FieldView, Fault> {
    let schema = JsonSchema::read(&(parameter.schema)())?;
    let place = parameter.place.as_str();
    Ok(FieldView {
        name: parameter.name.to_owned(),
        kind: format!("{place}, {}, {}", schema.in_words(|name| name), needed(parameter.is_required)),
        text: Text::parse(parameter.text),
    })
}

/// The call as a command, with the examples of its parameters and its body.
fn curl(endpoint: &Endpoint, origin: &str, cookie: &str) -> String {
    let operation = endpoint.operation;
    let mut path = endpoint.path.to_owned();
    let mut query = String::new();
    let mut parts = vec![];
    match operation.access {
        Access::Token(_) | Access::TokenOrOwn(_) | Access::AnyToken => {
            parts.push("-H \"Authorization: Bearer $TOKEN\"".to_owned())
        }
        Access::Session => parts.push(format!("-b \"{cookie}=$SESSION\"")),
        Access::Open => {}
    }
    for Parameter { name, place, is_required, example, .. } in operation.parameters {
        match place {
            Place::Path => path = path.replace(&format!("{{{name}}}"), example),
            Place::Query if *name == "limit" => query = format!("?{name}={example}"),
            Place::Header if *is_required => parts.push(format!("-H '{name}: {example}'")),
            Place::Query | Place::Header => {}
        }
    }
    if let Some(body) = &operation.body {
        parts.push("-H 'Content-Type: application/json'".to_owned());
        parts.push(format!("-d '{}'", on_one_line(body.example)));
    }
    // `curl` sends GET by itself, and POST when there is a body.
    let method = if endpoint.method == Method::PUT { "-X PUT " } else { "" };
    parts.push(format!("'{origin}{path}{query}'"));
    format!("curl {method}{}", parts.join(" \\\n  "))
}
