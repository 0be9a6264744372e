//! Changes of a subscription, each with its event, and the parts that the other files build on.

use serde_json::{Value, json};

use super::schedule;
use crate::sandbox::model::invoice::StoredInvoice;
use crate::sandbox::shape::{change, has_changes, text};
use crate::sandbox::state::State;

/// Changes a subscription. Emits an event if anything changed and the subscription is not new.
pub fn update(state: &mut State, id: &str, fields: Value) {
    update_as(state, id, "customer.subscription.updated", fields);
}

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

/// Plans other items for the end of the period.
pub fn schedule_items(state: &mut State, id: &str, items: &[Value]) {
    let Some(row) = state.subscriptions.get(id).cloned() else { return };
    let schedule = schedule::plan(state, &row, items);
    update(state, id, json!({ "schedule": schedule }));
}

/// Gives up what is planned for the end of the period.
pub fn release_schedule(state: &mut State, id: &str) {
    let schedule = state.subscriptions.get(id).and_then(|row| row.object["schedule"].as_str()).map(str::to_owned);
    if let Some(schedule) = schedule {
        schedule::release(state, &schedule);
        update(state, id, json!({ "schedule": null }));
    }
}

/// The payment method of a subscription's invoices: its own, or its customer's default.
pub fn payment_method(state: &State, object: &Value) -> Option<String> {
    let own = object["default_payment_method"].as_str();
    let customer = state.customers.get(text(object, "customer"));
    let preferred = customer.and_then(|customer| customer["invoice_settings"]["default_payment_method"].as_str());
    own.or(preferred).map(str::to_owned)
}

pub fn emit(state: &mut State, id: &str, event: &str) {
    if let Some(object) = state.subscriptions.get(id).map(|row| row.object.clone()) {
        state.emit(event, object);
    }
}

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

/// Cancels a subscription now. `reason` is Stripe's word in `cancellation_details`.
pub fn cancel(state: &mut State, id: &str, reason: &str) {
    let (now, Some(row)) = (state.now(), state.subscriptions.get(id)) else { return };
    if row.has_ended() {
        return;
    }
    let asked_at = row.object["canceled_at"].as_i64().unwrap_or(now);
    let scheduled = row.object["schedule"].as_str().map(str::to_owned);
    let fields = json!({
        "schedule": null, "status": "canceled", "canceled_at": asked_at, "ended_at": now,
        "cancellation_details": row.cancellation_details(Some(reason)), "pause_collection": null,
    });
    if let Some(schedule) = scheduled {
        schedule::cancel(state, &schedule);
    }
    update_as(state, id, "customer.subscription.deleted", fields);
    // Its unpaid invoices are not collected any more.
    let is_its = |invoice: &&mut StoredInvoice| invoice.subscription() == Some(id);
    for invoice in state.invoices.all_mut().filter(is_its) {
        if matches!(text(&invoice.object, "status"), "draft" | "open") {
            change(&mut invoice.object, json!({ "auto_advance": false, "next_payment_attempt": null }));
        }
    }
}

/// Cancels all subscriptions of a customer.
pub fn cancel_all(state: &mut State, customer: &str) {
    let ids: Vec<String> = state
        .subscriptions
        .oldest()
        .filter(|row| row.is_running_for(customer))
        .map(|row| text(&row.object, "id").to_owned())
        .collect();
    for id in ids {
        cancel(state, &id, "cancellation_requested");
    }
}
