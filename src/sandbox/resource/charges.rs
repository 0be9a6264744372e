//! `charge`: asked about, and annotated. Each attempt to pay leaves one (`collect`).

use serde_json::{Value, json};

use super::{change, metadata, texts};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, map, text};
use crate::sandbox::refusal::Refusal;

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/charges",
        rules: &[LIST, &[text("customer"), text("payment_intent")]],
        not_built: &["transfer_group"],
        handler: list,
    },
    Route { method: "GET", path: "/v1/charges/{}", rules: &[], not_built: &[], handler: retrieve },
    Route {
        method: "POST",
        path: "/v1/charges/{}",
        rules: &[&[text("description"), text("receipt_email"), map("metadata")]],
        not_built: &["customer", "fraud_details", "shipping", "transfer_group"],
        handler: update,
    },
];

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let wanted = |row: &&Value| matches(&call.form, row, "customer") && matches(&call.form, row, "payment_intent");
    page(&call.form, "/v1/charges", call.state.charges.newest().filter(wanted))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    call.state.charges.get(call.id()).cloned().ok_or_else(|| Refusal::not_found("charge", call.id(), "id"))
}

fn update(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut charge = retrieve(call)?;
    let mut fields = texts(&call.form, &["description", "receipt_email"]);
    fields["metadata"] = json!(metadata(&charge["metadata"], &call.form, "metadata"));
    let previous = change(&mut charge, fields);
    let id = call.id().to_owned();
    call.state.charges.put(&id, charge.clone());
    call.state.emit_change("charge.updated", charge.clone(), previous);
    Ok(charge)
}
