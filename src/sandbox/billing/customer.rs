//! Making, changing and deleting a customer. A deleted customer stays as Stripe's deleted object.

use serde_json::{Value, json};

use super::subscription;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::shape::{CUSTOMER, change, deleted, filled, has_changes};
use crate::sandbox::state::State;

pub fn add(state: &mut State, fields: Value) -> Value {
    let id = state.new_id("cus_", 14);
    let prefix = state.new_id("", 8).to_ascii_uppercase();
    let mut customer = filled(CUSTOMER, fields);
    customer["id"] = json!(id);
    customer["created"] = json!(state.now());
    customer["invoice_prefix"] = json!(prefix);
    state.customers.put(&id, customer.clone());
    state.emit("customer.created", customer.clone());
    customer
}

/// Whether this customer exists and is not deleted.
pub fn is_live(state: &State, id: &str) -> bool {
    state.customers.get(id).is_some_and(|customer| customer["deleted"] != true)
}

/// Refuses a customer who does not exist or is deleted.
pub fn check_live(state: &State, id: &str) -> Result<(), ApiError> {
    is_live(state, id).then_some(()).ok_or_else(|| ApiError::no_such("customer", id, "customer"))
}

/// Removes a default payment method that is no longer attached.
pub fn forget_method(state: &mut State, id: &str, method: &Value) {
    if let Some(customer) = state.customers.get_mut(id)
        && customer["invoice_settings"]["default_payment_method"] == *method
    {
        customer["invoice_settings"]["default_payment_method"] = Value::Null;
    }
}

/// Sets the payment method that invoices are paid with.
pub fn prefer_method(state: &mut State, id: &str, method: &Value) {
    let Some(customer) = state.customers.get(id) else { return };
    let mut settings = customer["invoice_settings"].clone();
    settings["default_payment_method"] = method["id"].clone();
    update(state, id, json!({ "invoice_settings": settings }));
}

/// Changes fields of a customer who is not deleted.
pub fn update(state: &mut State, id: &str, fields: Value) {
    let Some(customer) = state.customers.get_mut(id).filter(|customer| customer["deleted"] != true) else { return };
    let previous = change(customer, fields);
    let customer = customer.clone();
    if has_changes(&previous) {
        state.emit_change("customer.updated", customer, previous);
    }
}

pub fn add_tax_id(state: &mut State, id: &str, kind: &str, value: &str) -> Value {
    let tax_id = state.new_id("txi_1", 24);
    let row = json!({
        "id": tax_id, "object": "tax_id", "country": value.get(..2), "created": state.now(), "customer": id,
        "customer_account": null, "livemode": false, "owner": { "customer": id, "type": "customer" }, "type": kind,
        "value": value, "verification": { "status": "pending", "verified_address": null, "verified_name": null },
    });
    state.tax_ids.put(&tax_id, row.clone());
    state.emit("customer.tax_id.created", row.clone());
    row
}

/// Deletes a customer and cancels their subscriptions.
pub fn remove(state: &mut State, id: &str) {
    subscription::cancel_all(state, id);
    if let Some(customer) = state.customers.get_mut(id) {
        let last = std::mem::replace(customer, deleted("customer", id));
        state.emit("customer.deleted", last);
    }
}
