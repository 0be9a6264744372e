//! The query of a listing: `limit`, `after` and at most one further field. Any other field is refused, and so is one that is there twice.

use serde_json::json;

use crate::error::{Refused, Result};
use crate::http::description::operation::{Parameter, Place};
use crate::http::fields::twice;

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

pub(super) const LIMIT: Parameter = Parameter {
    name: "limit",
    place: Place::Query,
    is_required: false,
    text: "How many rows at most.",
    schema: || json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT }),
    example: "50",
};

pub(super) struct Page {
    pub limit: i64,
    /// The id of the last row of the page before.
    pub after: Option<String>,
    /// The value of the one further field that the listing has.
    pub filter: Option<String>,
}

/// `filter` is the name of the further field.
pub(super) fn read(query: Option<&str>, filter: Option<&str>) -> Result<Page> {
    let mut page = Page { limit: DEFAULT_LIMIT, after: None, filter: None };
    let mut known = vec![];
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if known.contains(&name) {
            return Err(Refused::InvalidRequest(twice(&name)).into());
        }
        known.push(name.clone());
        match name.as_ref() {
            "limit" => {
                page.limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
                    Refused::InvalidRequest(format!("limit={value:?}: a number from 1 to {MAX_LIMIT} was expected."))
                })?;
            }
            "after" => page.after = Some(value.into_owned()),
            name if Some(name) == filter => page.filter = Some(value.into_owned()),
            other => {
                let known = filter.map(|filter| format!(", {filter}")).unwrap_or_default();
                let shown: String = other.chars().take(50).collect();
                let detail = format!("The query field {shown:?} is not known here: limit, after{known} are.");
                return Err(Refused::InvalidRequest(detail).into());
            }
        }
    }
    Ok(page)
}
