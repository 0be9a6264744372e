//! `invoice_payment`: which payment intent pays which invoice. Read only.

use serde_json::Value;

use crate::sandbox::api::{Call, Route};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, one_of, text};
use crate::sandbox::refusal::Refusal;

const FILTERS: &[Rule] = &[
    text("invoice"),
    one_of("payment.type", &["payment_intent"]),
    text("payment.payment_intent"),
    one_of("status", &["canceled", "open", "paid"]),
];

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/invoice_payments",
        rules: &[LIST, FILTERS],
        not_built: &["payment"],
        handler: list,
    },
    Route { method: "GET", path: "/v1/invoice_payments/{}", rules: &[], not_built: &[], handler: retrieve },
];

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let form = &call.form;
    let intent = form.filled("payment.payment_intent");
    if intent.is_some() && !form.has("payment.type") {
        return Err(Refusal::missing("payment[type]"));
    }
    let wanted = |row: &&Value| {
        matches(form, row, "invoice")
            && matches(form, row, "status")
            && intent.is_none_or(|intent| row["payment"]["payment_intent"] == intent)
    };
    page(form, "/v1/invoice_payments", call.state.invoice_payments.newest().filter(wanted))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let found = call.state.invoice_payments.get(call.id()).cloned();
    found.ok_or_else(|| Refusal::not_found("invoice_payment", call.id(), "invoice_payment"))
}
