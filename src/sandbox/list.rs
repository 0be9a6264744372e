//! Stripe's lists: newest first, paged by ids. Source: Stripe, "Pagination".

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::form::RequestForm;
use crate::sandbox::shape::{integer, list, text};

/// The page that a request asks for. `rows` are all rows that match, newest first.
pub fn page<'a>(form: &RequestForm, url: &str, rows: impl Iterator<Item = &'a Value>) -> Result<Value, ApiError> {
    let limit = form.integer("limit").unwrap_or(10);
    if !(1..=100).contains(&limit) {
        let message = format!("Invalid limit: {limit} is not between 1 and 100");
        return Err(ApiError::invalid(message).code("parameter_invalid_integer").param("limit"));
    }
    let limit = usize::try_from(limit).unwrap_or(10);
    let rows: Vec<&Value> = rows.filter(|row| is_in_time(form, made_at(row))).collect();
    let place = |param: &str| match form.text(param) {
        Some(id) => match rows.iter().position(|row| text(row, "id") == id) {
            Some(place) => Ok(Some(place)),
            None => Err(ApiError::no_such("object", id, param)),
        },
        None => Ok(None),
    };

    let (found, has_more) = match (place("starting_after")?, place("ending_before")?) {
        (Some(_), Some(_)) => {
            let message = "You may only specify one of these parameters: starting_after, ending_before.";
            return Err(ApiError::invalid(message).param("ending_before"));
        }
        (Some(place), None) => first(&rows[place + 1..], limit),
        (None, Some(place)) => {
            let from = place.saturating_sub(limit);
            (&rows[from..place], from > 0)
        }
        (None, None) => first(&rows, limit),
    };
    Ok(list(found, has_more, url))
}

/// The page of those rows whose fields have the values that the filters of the same names ask for.
pub fn filtered_page<'a>(
    form: &RequestForm,
    url: &str,
    rows: impl Iterator<Item = &'a Value>,
    filters: &[&str],
) -> Result<Value, ApiError> {
    page(form, url, rows.filter(|row| filters.iter().all(|field| matches(form, row, field))))
}

fn first<'r, 'a>(rows: &'r [&'a Value], limit: usize) -> (&'r [&'a Value], bool) {
    (&rows[..rows.len().min(limit)], rows.len() > limit)
}

/// An `invoiceitem` has its creation time under another name.
fn made_at(row: &Value) -> i64 {
    row["created"].as_i64().unwrap_or_else(|| integer(row, "date"))
}

fn is_in_time(form: &RequestForm, created: i64) -> bool {
    let holds = |name: &str, test: fn(i64, i64) -> bool| form.integer(name).is_none_or(|bound| test(created, bound));
    holds("created", |a, b| a == b)
        && holds("created.gt", |a, b| a > b)
        && holds("created.gte", |a, b| a >= b)
        && holds("created.lt", |a, b| a < b)
        && holds("created.lte", |a, b| a <= b)
}

/// Whether a row has the value that the filter of this name asks for. Without the filter every row matches.
pub fn matches(form: &RequestForm, object: &Value, field: &str) -> bool {
    form.filled(field).is_none_or(|wanted| match &object[field] {
        Value::Bool(flag) => form.flag(field) == Some(*flag),
        value => value.as_str() == Some(wanted),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_run_from_the_newest_and_back() {
        let rows: Vec<Value> = (1..=5).rev().map(|n| json!({ "id": format!("o{n}"), "created": n })).collect();
        for (form, expected, more) in [
            ("limit=2", "o5 o4", true),
            ("limit=2&starting_after=o4", "o3 o2", true),
            ("limit=2&starting_after=o2", "o1", false),
            ("limit=2&ending_before=o2", "o4 o3", true),
            ("limit=2&ending_before=o4", "o5", false),
            ("created[gte]=2&created[lt]=4", "o3 o2", false),
            ("created=3", "o3", false),
            ("starting_after=o1", "", false),
        ] {
            let page = page(&RequestForm::decode(form).unwrap(), "/v1/x", rows.iter()).unwrap();
            let ids: Vec<&str> = page["data"].as_array().unwrap().iter().map(|row| text(row, "id")).collect();
            assert_eq!((ids.join(" ").as_str(), &page["has_more"]), (expected, &json!(more)), "{form}");
        }
        for bad in ["limit=0", "limit=101", "starting_after=o9", "starting_after=o1&ending_before=o2"] {
            assert!(page(&RequestForm::decode(bad).unwrap(), "/v1/x", rows.iter()).is_err(), "{bad}");
        }
    }
}
