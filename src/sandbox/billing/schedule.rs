//! `subscription_schedule`: a change of a plan that waits for the end of the period. The portal makes one, with two
//! phases: the plan as it is until then, and the plan after it for one period. After that the schedule is released, and
//! the subscription goes on. Source: Stripe, "Subscription schedules".
//!
//! Only the schedules are changed here. The field `schedule` of a subscription is in `subscription`, and the renewal that
//! takes the next phase's items is in `cycle`.

use serde_json::{Value, json};

use super::calendar::next_after;
use crate::sandbox::model::subscription::StoredSubscription;
use crate::sandbox::shape::{change, integer, text};
use crate::sandbox::state::State;

/// Plans these items for the end of the subscription's period. A schedule that is there gets them instead of those it
/// had. Returns the schedule's id.
pub fn plan(state: &mut State, row: &StoredSubscription, items: &[Value]) -> String {
    let (start, end) = row.period();
    let recurring = items.first().map(|item| item["price"]["recurring"].clone()).unwrap_or_default();
    let until = next_after(integer(&row.object, "billing_cycle_anchor"), &recurring, end);
    let phases = json!([phase(&row.object, row.items(), (start, end)), phase(&row.object, items, (end, until))]);
    if let Some(id) = row.object["schedule"].as_str().map(str::to_owned) {
        update(state, &id, "subscription_schedule.updated", json!({ "phases": phases }));
        return id;
    }
    let id = state.new_id("sub_sched_1", 24);
    let schedule = json!({
        "id": id, "object": "subscription_schedule", "application": null, "billing_mode": row.object["billing_mode"],
        "canceled_at": null, "completed_at": null, "created": state.now(),
        "current_phase": { "end_date": end, "start_date": start }, "customer": row.object["customer"],
        "customer_account": null, "default_settings": default_settings(), "end_behavior": "release", "livemode": false,
        "metadata": {}, "phases": phases, "released_at": null, "released_subscription": null, "status": "active",
        "subscription": row.object["id"], "test_clock": row.object["test_clock"],
    });
    state.schedules.put(&id, schedule.clone());
    state.emit("subscription_schedule.created", schedule);
    id
}

/// The items that a subscription has from `at` on, if a phase of its schedule begins then.
pub fn items_from(state: &State, row: &StoredSubscription, at: i64) -> Option<Vec<Value>> {
    let schedule = state.schedules.get(row.object["schedule"].as_str()?)?;
    let phase = schedule["phases"].as_array()?.iter().find(|phase| phase["start_date"] == at)?;
    let planned = phase["items"].as_array()?;
    let item = |(place, planned): (usize, &Value)| {
        let mut item = row.items().get(place)?.clone();
        item["price"] = state.prices.get(text(planned, "price"))?.clone();
        item["quantity"] = planned["quantity"].clone();
        Some(item)
    };
    planned.iter().enumerate().map(item).collect()
}

/// Enters the phase that begins at `at`. Returns whether the schedule is over, because no phase is left.
pub fn turn(state: &mut State, id: &str, at: i64) -> bool {
    let phases = state.schedules.get(id).map(|row| row["phases"].clone()).unwrap_or_default();
    let Some(phase) = phases.as_array().and_then(|rows| rows.iter().find(|row| row["start_date"] == at)) else {
        return phases.as_array().is_none_or(|rows| rows.iter().all(|row| integer(row, "end_date") <= at));
    };
    let current = json!({ "end_date": phase["end_date"], "start_date": phase["start_date"] });
    update(state, id, "subscription_schedule.updated", json!({ "current_phase": current }));
    false
}

/// Ends a schedule and leaves the subscription as it is.
pub fn release(state: &mut State, id: &str) {
    let subscription = state.schedules.get(id).map(|row| row["subscription"].clone()).unwrap_or_default();
    let fields = json!({
        "current_phase": null, "released_at": state.now(), "released_subscription": subscription, "status": "released",
        "subscription": null,
    });
    update(state, id, "subscription_schedule.released", fields);
}

/// Ends a schedule because its subscription has ended.
pub fn cancel(state: &mut State, id: &str) {
    let fields = json!({ "canceled_at": state.now(), "current_phase": null, "status": "canceled" });
    update(state, id, "subscription_schedule.canceled", fields);
}

fn update(state: &mut State, id: &str, event: &str, fields: Value) {
    let Some(schedule) = state.schedules.get_mut(id).filter(|row| row["status"] == "active") else { return };
    let previous = change(schedule, fields);
    let schedule = schedule.clone();
    match event {
        "subscription_schedule.updated" => state.emit_change(event, schedule, previous),
        _ => state.emit(event, schedule),
    }
}

fn phase(object: &Value, items: &[Value], (start, end): (i64, i64)) -> Value {
    let item = |item: &Value| {
        json!({
            "billing_thresholds": null, "discounts": [], "metadata": {}, "price": item["price"]["id"],
            "quantity": item["quantity"], "tax_rates": [],
        })
    };
    json!({
        "add_invoice_items": [], "application_fee_percent": null, "billing_cycle_anchor": null,
        "billing_thresholds": null, "collection_method": null, "currency": object["currency"],
        "default_payment_method": null, "default_tax_rates": [], "description": null, "discounts": [], "end_date": end,
        "invoice_settings": null, "items": items.iter().map(item).collect::<Vec<_>>(), "metadata": {},
        "on_behalf_of": null, "proration_behavior": "none", "start_date": start, "transfer_data": null, "trial_end": null,
    })
}

fn default_settings() -> Value {
    json!({
        "application_fee_percent": null, "billing_cycle_anchor": "automatic", "billing_thresholds": null,
        "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
        "collection_method": "charge_automatically", "default_payment_method": null, "description": null,
        "invoice_settings": { "account_tax_ids": null, "days_until_due": null, "issuer": { "type": "self" } },
        "on_behalf_of": null, "transfer_data": null,
    })
}
