//! `invoice_payment`: reading which payment intent pays which invoice.

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, one_of, text};

const FILTERS: &[Rule] = &[
    text("invoice"),
    one_of("payment.type", &["payment_intent"]),
    text("payment.payment_intent"),
    one_of("status", &["canceled", "open", "paid"]),
];

pub const ROUTES: &[Route] = &[
    Route::get("/v1/invoice_payments", list).takes(&[LIST, FILTERS]).not_built(&["payment"]),
    Route::get("/v1/invoice_payments/{}", retrieve),
];

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let intent = form.filled("payment.payment_intent");
    if intent.is_some() && !form.has("payment.type") {
        return Err(ApiError::missing("payment[type]"));
    }
    let wanted = |row: &&Value| {
        matches(form, row, "invoice")
            && matches(form, row, "status")
            && intent.is_none_or(|intent| row["payment"]["payment_intent"] == intent)
    };
    page(form, "/v1/invoice_payments", call.state.invoice_payments.newest().filter(wanted))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.invoice_payments.required("invoice_payment", call.id(), "invoice_payment").cloned()
}
