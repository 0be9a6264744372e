//! `tax_id`: a business's number at its tax office, of a customer.

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::customer;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::list::page;
use crate::sandbox::params::{LIST, text};
use crate::sandbox::shape::deleted;

pub const ROUTES: &[Route] = &[
    Route::post("/v1/customers/{}/tax_ids", create).takes(&[&[text("type").required(), text("value").required()]]),
    Route::get("/v1/customers/{}/tax_ids", list).takes(&[LIST]),
    Route::get("/v1/customers/{}/tax_ids/{}", retrieve),
    Route::delete("/v1/customers/{}/tax_ids/{}", delete),
];

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let owner = call.id().to_owned();
    customer::check_live(call.state, &owner)?;
    let word = |name| call.form.text(name).unwrap_or_default().to_owned();
    let (kind, value) = (word("type"), word("value"));
    Ok(customer::add_tax_id(call.state, &owner, &kind, &value))
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let owner = call.id();
    let rows = call.state.tax_ids.newest().filter(|row| row["customer"] == owner);
    page(&call.form, &format!("/v1/customers/{owner}/tax_ids"), rows)
}

fn find(call: &ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.names.get(1).map(String::as_str).unwrap_or_default();
    let found = call.state.tax_ids.get(id).filter(|row| row["customer"] == call.id()).cloned();
    found.ok_or_else(|| ApiError::not_found("tax_id", id, "id"))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    find(call)
}

fn delete(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let row = find(call)?;
    let id = row["id"].as_str().unwrap_or_default().to_owned();
    call.state.tax_ids.remove(&id);
    call.state.emit("customer.tax_id.deleted", row);
    Ok(deleted("tax_id", &id))
}
