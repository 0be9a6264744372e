//! What is said of one call of the service API, in constants that stand beside its handler. What can be told from the
//! types is not said again here; how it becomes OpenAPI is `document`'s business.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::super::page;
use crate::error::Refused;
use crate::id::USER_ID_LIMIT;
use crate::usecase::units::request::KEY_LIMIT;
use crate::usecase::users::tokens::Scope;

/// One call.
pub(crate) struct Operation {
    pub method: Method,
    /// As the router has it.
    pub path: &'static str,
    /// The name that generated clients give it.
    pub name: &'static str,
    pub group: Group,
    /// A few words.
    pub summary: &'static str,
    /// What a caller has to know besides; Markdown without links.
    pub text: &'static str,
    pub access: Access,
    pub parameters: &'static [Parameter],
    pub body: Option<Body>,
    pub answers: &'static [Success],
    /// What it refuses besides what follows from access, path and body: see `document`.
    pub refusals: &'static [Refusal],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
}

impl Method {
    /// As OpenAPI and the router write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::Post => "post",
            Method::Put => "put",
        }
    }
}

/// The chapters of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Users,
    Spends,
    Holds,
    Books,
    People,
    Description,
}

impl Group {
    pub(crate) const ALL: [Group; 6] =
        [Group::Users, Group::Spends, Group::Holds, Group::Books, Group::People, Group::Description];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Group::Users => "Users",
            Group::Spends => "Spends",
            Group::Holds => "Holds",
            Group::Books => "Grants and ledger",
            Group::People => "Sign-in and checkout",
            Group::Description => "This description",
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Group::Users => "Who has units. A user has an id of your own choice.",
            Group::Spends => "Units are used, at once and for good.",
            Group::Holds => {
                "Units are set aside before work begins, and then used (capture) or given back (release). A hold that is \
                 forgotten gives its units back by itself."
            }
            Group::Books => "What an operator gives or corrects, and everything that has moved.",
            Group::People => "What a server does for the person in front of it.",
            Group::Description => "The API, described for programs.",
        }
    }
}

/// Who may call.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    /// A token that has this scope, or `admin`.
    Token(Scope),
    /// The browser that is signed in.
    Session,
    /// Anybody.
    Open,
}

/// A variable part of the path, a query field, a header.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    pub name: &'static str,
    pub place: &'static str,
    pub is_required: bool,
    pub text: &'static str,
    pub schema: fn() -> Value,
    pub example: &'static str,
}

/// What is sent.
#[derive(Clone, Copy)]
pub(crate) struct Body {
    pub schema: Shape,
    pub is_required: bool,
    /// In bytes.
    pub limit: usize,
    /// JSON.
    pub example: &'static str,
}

/// What is answered when it is granted.
#[derive(Clone, Copy)]
pub(crate) struct Success {
    pub status: u16,
    pub text: &'static str,
    /// With an example; nothing for an answer without a body.
    pub content: Option<(Shape, &'static str)>,
    pub headers: &'static [Header],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    Replayed,
    ETag,
}

/// What may be answered when it is not granted: one that the call really makes, with its own words as the example.
#[derive(Clone, Copy)]
pub(crate) struct Refusal {
    pub refused: fn() -> Refused,
    pub when: &'static str,
}

/// A type's schema, by way of the generator that collects the parts that have a name.
pub(crate) type Shape = fn(&mut SchemaGenerator) -> Schema;

pub(crate) fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Any object.
pub(crate) fn object(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "object" })
}

pub(crate) const USER_ID: Parameter = Parameter {
    name: "id",
    place: "path",
    is_required: true,
    text: "Your own id for the user: 1 to 128 of A–Z a–z 0–9 . _ : @ -",
    schema: || json!({ "type": "string", "pattern": format!("^[A-Za-z0-9._:@-]{{1,{USER_ID_LIMIT}}}$") }),
    example: "alice",
};

pub(crate) const HOLD_ID: Parameter = Parameter {
    name: "id",
    place: "path",
    is_required: true,
    text: "The hold's id.",
    schema: || json!({ "type": "string", "pattern": "^hld_[1-9][0-9]{0,17}_[1-9][0-9]{0,17}$" }),
    example: "hld_1_1",
};

pub(crate) const IDEMPOTENCY_KEY: Parameter = Parameter {
    name: "Idempotency-Key",
    place: "header",
    is_required: true,
    text: "What makes it happen once: 1 to 255 printable ASCII characters, new for each movement and the same when the \
           movement is asked for again. A job's id is a good one. Keys are per user and kind of call, and never expire.",
    schema: || {
        let inner = KEY_LIMIT - 2;
        json!({ "type": "string", "pattern": format!("^[!-~]([ -~]{{0,{inner}}}[!-~])?$") })
    },
    example: "job-7f3a",
};

pub(crate) const IF_NONE_MATCH: Parameter = Parameter {
    name: "If-None-Match",
    place: "header",
    is_required: false,
    text: "The `ETag` of the answer that you have: `304` without a body where it is still the answer.",
    schema: || json!({ "type": "string" }),
    example: "W/\"5f2b9c04d1e8a736\"",
};

pub(crate) const LIMIT: Parameter = Parameter {
    name: "limit",
    place: "query",
    is_required: false,
    text: "How many rows at most.",
    schema: || json!({ "type": "integer", "minimum": 1, "maximum": page::MOST, "default": page::DEFAULT }),
    example: "50",
};
