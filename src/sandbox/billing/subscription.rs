//! The steps in which a subscription changes, each with its event, and the parts that others are built of.

use serde_json::{Value, json};

use crate::sandbox::model::invoice::Invoice;
use crate::sandbox::shape::{change, has_changes, text};
use crate::sandbox::state::State;

/// Changes a subscription's object and tells of it, when anything changed and it is not new.
pub fn update(state: &mut State, id: &str, fields: Value) {
    update_as(state, id, "customer.subscription.updated", fields);
}

/// The same under another event's name.
pub fn update_as(state: &mut State, id: &str, event: &str, fields: Value) {
    let Some(subscription) = state.subscriptions.get_mut(id) else { return };
    let previous = change(&mut subscription.object, fields);
    let is_told = !subscription.is_new && has_changes(&previous);
    let object = subscription.object.clone();
    match event {
        _ if !is_told => {}
        "customer.subscription.updated" => state.emit_change(event, object, previous),
        _ => state.emit(event, object),
    }
}

/// The payment method that a subscription's invoices are paid with: its own, else its customer's.
pub fn payment_method(state: &State, object: &Value) -> Option<String> {
    let own = object["default_payment_method"].as_str();
    let customer = state.customers.get(text(object, "customer"));
    let preferred = customer.and_then(|customer| customer["invoice_settings"]["default_payment_method"].as_str());
    own.or(preferred).map(str::to_owned)
}

/// Emits an event about a subscription as it is.
pub fn emit(state: &mut State, id: &str, event: &str) {
    if let Some(object) = state.subscriptions.get(id).map(|row| row.object.clone()) {
        state.emit(event, object);
    }
}

/// An item of a subscription.
pub fn new_item(
    state: &mut State,
    id: &str,
    price: &Value,
    quantity: i64,
    metadata: &Value,
    period: (i64, i64),
) -> Value {
    json!({
        "id": state.new_id("si_", 14), "object": "subscription_item", "billing_thresholds": null,
        "created": state.now(), "current_period_start": period.0, "current_period_end": period.1, "discounts": [],
        "metadata": metadata, "price": price, "quantity": quantity, "subscription": id, "tax_rates": [],
    })
}

/// Ends a subscription now. `reason` is Stripe's word in `cancellation_details`.
pub fn cancel(state: &mut State, id: &str, reason: &str) {
    let (now, Some(row)) = (state.now(), state.subscriptions.get(id)) else { return };
    if row.has_ended() {
        return;
    }
    let asked_at = row.object["canceled_at"].as_i64().unwrap_or(now);
    let mut details = row.object["cancellation_details"].clone();
    details["reason"] = json!(reason);
    let fields = json!({
        "status": "canceled", "canceled_at": asked_at, "ended_at": now, "cancellation_details": details,
        "pause_collection": null,
    });
    update_as(state, id, "customer.subscription.deleted", fields);
    // What was not collected yet is not collected any more.
    let is_its = |invoice: &&mut Invoice| invoice.subscription() == Some(id);
    for invoice in state.invoices.all_mut().filter(is_its) {
        if matches!(text(&invoice.object, "status"), "draft" | "open") {
            change(&mut invoice.object, json!({ "auto_advance": false, "next_payment_attempt": null }));
        }
    }
}

/// Ends everything that a customer subscribed to.
pub fn cancel_all(state: &mut State, customer: &str) {
    let ids: Vec<String> = state
        .subscriptions
        .oldest()
        .filter(|row| row.customer() == customer && !row.has_ended())
        .map(|row| text(&row.object, "id").to_owned())
        .collect();
    for id in ids {
        cancel(state, &id, "cancellation_requested");
    }
}
