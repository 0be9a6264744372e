//! The query of a listing: `limit` and `after`, and nothing that it does not know.

use crate::error::{Refused, Result};

pub(super) const DEFAULT: i64 = 50;
pub(super) const MOST: i64 = 200;

/// A listing's query, read.
pub(super) struct Page {
    /// 1 to 200, 50 where nothing is said.
    pub limit: i64,
    /// The last row of the page before.
    pub after: Option<String>,
    /// The further field that this listing knows.
    pub filter: Option<String>,
}

/// Reads `limit`, `after` and the one further field `filter`.
pub(super) fn read(query: Option<&str>, filter: Option<&str>) -> Result<Page> {
    let mut page = Page { limit: DEFAULT, after: None, filter: None };
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "limit" => {
                page.limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit)).ok_or_else(|| {
                    Refused::InvalidRequest(format!("limit={value:?}: a number from 1 to {MOST} was expected."))
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
