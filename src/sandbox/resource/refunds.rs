//! `refund`: making one and asking about them. What becomes of one is `refund`.

use serde_json::{Value, json};

use super::{metadata, texts};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, integer, map, one_of, text};
use crate::sandbox::refund::{self, Wish};
use crate::sandbox::refusal::Refusal;
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

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/v1/refunds", rules: &[NEW], not_built: NOT_BUILT, handler: create },
    Route {
        method: "GET",
        path: "/v1/refunds",
        rules: &[LIST, &[text("payment_intent"), text("charge")]],
        not_built: &[],
        handler: list,
    },
    Route { method: "GET", path: "/v1/refunds/{}", rules: &[], not_built: &[], handler: retrieve },
    Route { method: "POST", path: "/v1/refunds/{}", rules: &[&[map("metadata")]], not_built: &[], handler: update },
    Route { method: "POST", path: "/v1/refunds/{}/cancel", rules: &[], not_built: &[], handler: cancel },
    Route { method: "GET", path: "/v1/charges/{}/refunds", rules: &[LIST], not_built: &[], handler: of_charge },
];

fn create(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let charge = match (call.form.text("charge"), call.form.text("payment_intent")) {
        (Some(charge), _) if call.state.charges.get(charge).is_some() => charge.to_owned(),
        (Some(charge), _) => return Err(Refusal::no_such("charge", charge, "charge").status(404)),
        (None, Some(intent)) => {
            let object = call.state.payment_intents.get(intent);
            let object =
                object.ok_or_else(|| Refusal::no_such("payment_intent", intent, "payment_intent").status(404))?;
            let charge = shape::text(object, "latest_charge");
            if object["status"] != "succeeded" || charge.is_empty() {
                let message = format!("This PaymentIntent ({intent}) does not have a successful charge to refund.");
                return Err(Refusal::invalid(message).code("payment_intent_unexpected_state").param("payment_intent"));
            }
            charge.to_owned()
        }
        (None, None) => {
            let message = "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(Refusal::invalid(message));
        }
    };
    let mut fields = texts(&call.form, &["reason"]);
    fields["metadata"] = metadata(&json!({}), &call.form, "metadata");
    let customer = call.state.charges.get(&charge).map(|charge| shape::text(charge, "customer").to_owned());
    call.state.live_by(&customer.unwrap_or_default());
    refund::make(call.state, &charge, Wish { amount: call.form.integer("amount"), fields })
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let wanted = |row: &&Value| matches(&call.form, row, "payment_intent") && matches(&call.form, row, "charge");
    page(&call.form, "/v1/refunds", call.state.refunds.newest().filter(wanted))
}

fn of_charge(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let id = call.id();
    if call.state.charges.get(id).is_none() {
        return Err(Refusal::not_found("charge", id, "charge"));
    }
    let rows = call.state.refunds.newest().filter(|row| row["charge"] == id);
    page(&call.form, &format!("/v1/charges/{id}/refunds"), rows)
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    call.state.refunds.get(call.id()).cloned().ok_or_else(|| Refusal::not_found("refund", call.id(), "refund"))
}

fn update(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut refund = retrieve(call)?;
    let previous = json!({ "metadata": refund["metadata"] });
    refund["metadata"] = metadata(&refund["metadata"], &call.form, "metadata");
    let id = call.id().to_owned();
    call.state.refunds.put(&id, refund.clone());
    call.state.emit_change("refund.updated", refund.clone(), previous);
    Ok(refund)
}

fn cancel(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let id = call.id().to_owned();
    refund::cancel(call.state, &id)?;
    retrieve(call)
}
