//! What a call of the service API needs to be described: constants that stand beside its handler. What follows from the
//! types is not repeated here. How it becomes OpenAPI is in `document`, how it becomes a page in `reference`.

use axum::http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::error::Refused;
use crate::id::USER_ID_LIMIT;
use crate::usecase::users::tokens::Scope;

/// A route of the service API with its description. The router makes it, so no route goes without.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub method: Method,
    /// As the router writes it: `/v1/users/{id}`.
    pub path: &'static str,
    pub operation: &'static Operation,
}

pub(crate) struct Operation {
    /// The name that generated clients give the call.
    pub name: &'static str,
    pub chapter: Chapter,
    pub summary: &'static str,
    /// What a caller must know besides, in Markdown without links.
    pub text: &'static str,
    pub access: Access,
    pub parameters: &'static [Parameter],
    pub body: Option<RequestBody>,
    pub answers: &'static [Success],
    /// Problems besides those that follow from access, path and body: see `problems::all`.
    pub problems: &'static [DocumentedProblem],
}

impl Operation {
    /// The text, and the sentence that says who may call.
    pub(crate) fn description(&self) -> String {
        let access = match self.access {
            Access::Token(Scope::Admin) => "Needs a token with the scope `admin`.".to_owned(),
            Access::Token(scope) => format!("Needs a token with the scope `{}` or `admin`.", scope.as_str()),
            Access::TokenOrOwn(scope) => {
                format!("Needs a token with the scope `{}` or `admin`, or the user's own with `self`.", scope.as_str())
            }
            Access::AnyToken => "Needs a token, with any scope.".to_owned(),
            Access::Session => "Needs the cookie of a browser that is signed in; no token.".to_owned(),
            Access::Open => "Needs no token.".to_owned(),
        };
        match self.text {
            "" => access,
            text => format!("{text}\n\n{access}"),
        }
    }
}

/// A chapter of the reference, and a tag of the OpenAPI document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chapter {
    Users,
    Spends,
    Holds,
    Books,
    People,
    Description,
}

impl Chapter {
    pub(crate) const ALL: [Chapter; 6] =
        [Chapter::Users, Chapter::Spends, Chapter::Holds, Chapter::Books, Chapter::People, Chapter::Description];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Chapter::Users => "Users",
            Chapter::Spends => "Spends",
            Chapter::Holds => "Holds",
            Chapter::Books => "Grants and ledger",
            Chapter::People => "Sign-in and checkout",
            Chapter::Description => "This description",
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Chapter::Users => "Who has units. A user has an id of your own choice.",
            Chapter::Spends => "Units are used, at once and for good.",
            Chapter::Holds => {
                "Units are set aside before work begins, and then used (capture) or given back (release). A hold that is \
                 forgotten gives its units back by itself."
            }
            Chapter::Books => "What an operator gives or corrects, and everything that has moved.",
            Chapter::People => "What a server does for the person in front of it.",
            Chapter::Description => "The API, described for programs.",
        }
    }
}

/// Who may call.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    /// A token that has this scope, or `admin`.
    Token(Scope),
    /// The same, or a token of the user's own whom the call is about.
    TokenOrOwn(Scope),
    /// Any token.
    AnyToken,
    /// The browser that is signed in.
    Session,
    /// Anybody.
    Open,
}

#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    pub name: &'static str,
    pub place: Place,
    pub is_required: bool,
    pub text: &'static str,
    pub schema: fn() -> Value,
    pub example: &'static str,
}

/// Where a parameter stands in the request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    Header,
}

impl Place {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header => "header",
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct RequestBody {
    pub schema: SchemaOf,
    pub is_required: bool,
    /// In bytes.
    pub limit: usize,
    /// JSON, with its fields in the order in which the reference shows them.
    pub example: &'static str,
}

/// An answer to a request that was granted.
#[derive(Clone, Copy)]
pub(crate) struct Success {
    pub status: u16,
    pub text: &'static str,
    /// The schema of the body and an example in JSON. `None` for an answer without a body.
    pub content: Option<(SchemaOf, &'static str)>,
    pub headers: &'static [Header],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    Replayed,
    ETag,
}

/// A problem that a call may answer. It is made by the type that makes the real ones, so the example is real too.
#[derive(Clone, Copy)]
pub(crate) struct DocumentedProblem {
    pub refused: fn() -> Refused,
    pub when: &'static str,
}

/// Makes the schema of a type. The generator collects the parts that have a name.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

pub(crate) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The schema of any object.
pub(crate) fn any_object(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "object" })
}

pub(crate) const USER_ID: Parameter = Parameter {
    name: "id",
    place: Place::Path,
    is_required: true,
    text: "Your own id for the user: 1 to 128 of A–Z a–z 0–9 . _ : @ - and not of dots alone.",
    schema: || {
        let pattern = "^\\.*[A-Za-z0-9_:@-][A-Za-z0-9._:@-]*$";
        json!({ "type": "string", "pattern": pattern, "maxLength": USER_ID_LIMIT })
    },
    example: "alice",
};

pub(crate) const HOLD_ID: Parameter = Parameter {
    name: "id",
    place: Place::Path,
    is_required: true,
    text: "The hold's id.",
    schema: || json!({ "type": "string", "pattern": "^hld_[1-9][0-9]{0,17}_[1-9][0-9]{0,17}$" }),
    example: "hld_1_1",
};

pub(crate) const IF_NONE_MATCH: Parameter = Parameter {
    name: "If-None-Match",
    place: Place::Header,
    is_required: false,
    text: "The `ETag` of the answer that you have: `304` without a body where it is still the answer.",
    schema: || json!({ "type": "string" }),
    example: "W/\"5f2b9c04d1e8a736\"",
};
