//! `charge`: reading and annotating. `collect` makes one for each attempt to pay.

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::fields::{kept, merged_metadata};
use crate::sandbox::list::filtered_page;
use crate::sandbox::params::{LIST, Rule, map, one_of, text};
use crate::sandbox::shape::change;

/// What is only kept and shown.
const KEPT: &[Rule] = &[
    text("description"),
    one_of("fraud_details.user_report", &["fraudulent", "safe"]),
    text("receipt_email"),
    text("shipping.address.city"),
    text("shipping.address.country"),
    text("shipping.address.line1"),
    text("shipping.address.line2"),
    text("shipping.address.postal_code"),
    text("shipping.address.state"),
    text("shipping.carrier"),
    text("shipping.name"),
    text("shipping.phone"),
    text("shipping.tracking_number"),
    text("transfer_group"),
];

pub const ROUTES: &[Route] = &[
    Route::get("/v1/charges", list)
        .takes(&[LIST, &[text("customer"), text("payment_intent")]])
        .not_built(&["transfer_group"]),
    Route::get("/v1/charges/{}", retrieve),
    Route::post("/v1/charges/{}", update).takes(&[KEPT, &[map("metadata")]]).not_built(&["customer"]),
];

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    filtered_page(&call.form, "/v1/charges", call.state.charges.newest(), &["customer", "payment_intent"])
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.charges.required("charge", call.id(), "id").cloned()
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut charge = retrieve(call)?;
    let mut fields = kept(&charge, &call.form, KEPT);
    fields["metadata"] = merged_metadata(&charge["metadata"], &call.form);
    let previous = change(&mut charge, fields);
    let id = call.id().to_owned();
    call.state.charges.put(&id, charge.clone());
    call.state.emit_change("charge.updated", charge.clone(), previous);
    Ok(charge)
}
