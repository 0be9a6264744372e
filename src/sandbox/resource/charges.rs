//! `charge`: reading and annotating. `collect` makes one for each attempt to pay.

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::fields::{merged_metadata, texts};
use crate::sandbox::list::filtered_page;
use crate::sandbox::params::{LIST, map, text};
use crate::sandbox::shape::change;

pub const ROUTES: &[Route] = &[
    Route::get("/v1/charges", list)
        .takes(&[LIST, &[text("customer"), text("payment_intent")]])
        .not_built(&["transfer_group"]),
    Route::get("/v1/charges/{}", retrieve),
    Route::post("/v1/charges/{}", update)
        .takes(&[&[text("description"), text("receipt_email"), map("metadata")]])
        .not_built(&["customer", "fraud_details", "shipping", "transfer_group"]),
];

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    filtered_page(&call.form, "/v1/charges", call.state.charges.newest(), &["customer", "payment_intent"])
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.charges.required("charge", call.id(), "id").cloned()
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut charge = retrieve(call)?;
    let mut fields = texts(&call.form, &["description", "receipt_email"]);
    fields["metadata"] = merged_metadata(&charge["metadata"], &call.form);
    let previous = change(&mut charge, fields);
    let id = call.id().to_owned();
    call.state.charges.put(&id, charge.clone());
    call.state.emit_change("charge.updated", charge.clone(), previous);
    Ok(charge)
}
