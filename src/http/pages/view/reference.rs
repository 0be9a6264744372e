//! The reference of the service API: what the OpenAPI document says, as people read it.

use askama::Template;

use super::Shell;

/// `GET /docs`.
#[derive(Debug, Template)]
#[template(path = "reference.html")]
pub struct ReferencePage<'a> {
    /// Title and user.
    pub shell: Shell,
    /// The rest, which is the same for everybody.
    pub reference: &'a Reference,
}

/// The document, read once.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    /// What holds for all calls.
    pub introduction: Vec<Text>,
    /// The calls by subject.
    pub chapters: Vec<Chapter>,
    /// What is answered.
    pub shapes: Vec<ShapeView>,
}

/// Calls of one subject.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// Its heading.
    pub name: String,
    /// What it is about.
    pub text: Text,
    /// In the document's order.
    pub calls: Vec<CallView>,
}

/// One call.
#[derive(Clone, Debug)]
pub struct CallView {
    /// The operation's name, which is also its place on the page.
    pub name: String,
    /// `POST`.
    pub method: String,
    /// `/v1/users/{id}/spends`.
    pub path: String,
    /// A few words.
    pub summary: String,
    /// Paragraphs.
    pub text: Vec<Text>,
    /// In path, query and headers.
    pub parameters: Vec<FieldView>,
    /// Of the body; empty where there is none, or where it has none.
    pub fields: Vec<FieldView>,
    /// Of the body: whether it is needed and how long it may be. Empty where there is none.
    pub body: String,
    /// A command that makes the call.
    pub curl: String,
    /// When it is granted.
    pub answers: Vec<AnswerView>,
    /// When it is not.
    pub refusals: Vec<RefusalView>,
}

/// A field or a parameter.
#[derive(Clone, Debug)]
pub struct FieldView {
    /// `units`, or `spends[].units` inside.
    pub name: String,
    /// `header, whole number, 1 to 200, required`.
    pub kind: String,
    /// What it is for.
    pub text: Text,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct AnswerView {
    /// 201.
    pub status: String,
    /// What it is.
    pub text: Text,
    /// The name of its shape, when it has one.
    pub shape: Option<String>,
    /// JSON; empty where there is no body.
    pub example: String,
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct RefusalView {
    /// 402.
    pub status: String,
    /// `insufficient_units`.
    pub code: String,
    /// When.
    pub text: Text,
}

/// A named part of answers.
#[derive(Clone, Debug)]
pub struct ShapeView {
    /// `Entry`.
    pub name: String,
    /// What it is.
    pub text: Text,
    /// In their order.
    pub fields: Vec<FieldView>,
}

/// A sentence or more, with words of code and of weight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub Vec<Piece>);

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words.
    Plain(String),
    /// Between backticks.
    Code(String),
    /// Between double asterisks.
    Strong(String),
}

impl Text {
    /// Reads the little Markdown that descriptions are written in.
    pub fn read(markdown: &str) -> Text {
        let mut pieces = vec![];
        for (number, part) in markdown.split('`').enumerate() {
            if number % 2 == 1 {
                pieces.push(Piece::Code(part.to_owned()));
                continue;
            }
            for (number, part) in part.split("**").enumerate().filter(|(_, part)| !part.is_empty()) {
                let part = part.to_owned();
                pieces.push(if number % 2 == 1 { Piece::Strong(part) } else { Piece::Plain(part) });
            }
        }
        Text(pieces)
    }

    /// One for each paragraph.
    pub fn paragraphs(markdown: &str) -> Vec<Text> {
        markdown.split("\n\n").filter(|part| !part.trim().is_empty()).map(Text::read).collect()
    }
}
