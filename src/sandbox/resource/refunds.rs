//! `refund`: making, reading, canceling. What that does is in `collect::refund`.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::collect::refund::{self, RefundRequest};
use crate::sandbox::fields::{merged_metadata, metadata, texts};
use crate::sandbox::list::{filtered_page, page};
use crate::sandbox::params::{LIST, Rule, integer, map, one_of, text};
use crate::sandbox::shape;

const NEW: &[Rule] = &[
    text("payment_intent"),
    text("charge"),
    integer("amount"),
    one_of("reason", &["duplicate", "fraudulent", "requested_by_customer"]),
    map("metadata"),
];
const NOT_BUILT: &[&str] =
    &["currency", "customer", "instructions_email", "origin", "refund_application_fee", "reverse_transfer"];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/refunds", create).takes(&[NEW]).not_built(NOT_BUILT),
    Route::get("/v1/refunds", list).takes(&[LIST, &[text("payment_intent"), text("charge")]]),
    Route::get("/v1/refunds/{}", retrieve),
    Route::post("/v1/refunds/{}", update).takes(&[&[map("metadata")]]),
    Route::post("/v1/refunds/{}/cancel", cancel),
    Route::get("/v1/charges/{}/refunds", of_charge).takes(&[LIST]),
];

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let charge = match (call.form.text("charge"), call.form.text("payment_intent")) {
        (Some(charge), _) if call.state.charges.get(charge).is_some() => charge.to_owned(),
        (Some(charge), _) => return Err(ApiError::no_such("charge", charge, "charge").status(404)),
        (None, Some(intent)) => {
            let object = call.state.payment_intents.get(intent);
            let object =
                object.ok_or_else(|| ApiError::no_such("payment_intent", intent, "payment_intent").status(404))?;
            let charge = shape::text(object, "latest_charge");
            if object["status"] != "succeeded" || charge.is_empty() {
                let message = format!("This PaymentIntent ({intent}) does not have a successful charge to refund.");
                return Err(ApiError::invalid(message).code("payment_intent_unexpected_state").param("payment_intent"));
            }
            charge.to_owned()
        }
        (None, None) => {
            let message = "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(ApiError::invalid(message));
        }
    };
    let mut fields = texts(&call.form, &["reason"]);
    fields["metadata"] = metadata(&call.form, "metadata");
    let customer = call.state.charges.get(&charge).map(|charge| shape::text(charge, "customer").to_owned());
    call.state.follow_clock_of(&customer.unwrap_or_default());
    refund::make(call.state, &charge, RefundRequest { amount: call.form.integer("amount"), fields })
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    filtered_page(&call.form, "/v1/refunds", call.state.refunds.newest(), &["payment_intent", "charge"])
}

fn of_charge(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id();
    if call.state.charges.get(id).is_none() {
        return Err(ApiError::not_found("charge", id, "charge"));
    }
    let rows = call.state.refunds.newest().filter(|row| row["charge"] == id);
    page(&call.form, &format!("/v1/charges/{id}/refunds"), rows)
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.refunds.required("refund", call.id(), "refund").cloned()
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut refund = retrieve(call)?;
    let previous = json!({ "metadata": refund["metadata"] });
    refund["metadata"] = merged_metadata(&refund["metadata"], &call.form);
    let id = call.id().to_owned();
    call.state.refunds.put(&id, refund.clone());
    call.state.emit_change("refund.updated", refund.clone(), previous);
    Ok(refund)
}

fn cancel(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id().to_owned();
    refund::cancel(call.state, &id)?;
    retrieve(call)
}
