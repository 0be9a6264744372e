//! What becomes of a subscription: its invoices are paid, voided or fail; it expires or is cancelled. Source: Stripe,
//! "How subscriptions work".

use serde_json::json;

use super::invoice;
use super::lifecycle::{is_open, wake};
use super::subscription::{update, update_as};
use crate::sandbox::resource::change;
use crate::sandbox::shape::text;
use crate::sandbox::state::{AfterRetries, State};

/// An invoice has been paid: a subscription that waited for it is active.
pub fn invoice_paid(state: &mut State, id: &str, invoice: &str) {
    let Some(row) = state.subscriptions.get(id) else { return };
    if matches!(row.status(), "incomplete" | "past_due" | "unpaid") && row.object["latest_invoice"] == invoice {
        update(state, id, json!({ "status": "active" }));
        wake(state, id);
    }
}

/// An invoice was voided or given up.
pub fn invoice_ended(state: &mut State, id: &str, invoice: &str) {
    let Some(row) = state.subscriptions.get(id) else { return };
    match row.status() {
        _ if row.object["latest_invoice"] != invoice => {}
        "past_due" | "unpaid" => update(state, id, json!({ "status": "active" })),
        "incomplete" => expire(state, id),
        _ => {}
    }
}

/// An invoice's payment has failed, for the last time when `is_last`.
pub fn invoice_failed(state: &mut State, id: &str, invoice: &str, is_last: bool) {
    let Some(row) = state.subscriptions.get(id) else { return };
    if row.object["latest_invoice"] == invoice && matches!(row.status(), "active" | "trialing") {
        update(state, id, json!({ "status": "past_due" }));
    }
    let is_past_due = state.subscriptions.get(id).is_some_and(|row| row.status() == "past_due");
    match state.after_retries {
        _ if !is_last || !is_past_due => {}
        AfterRetries::Cancel => cancel(state, id, "payment_failed"),
        AfterRetries::Unpaid => update(state, id, json!({ "status": "unpaid" })),
        AfterRetries::PastDue => {}
    }
}

/// Ends a subscription whose first invoice was not paid in time.
pub(super) fn expire(state: &mut State, id: &str) {
    let now = state.now();
    let invoice = state.subscriptions.get(id).map(|row| text(&row.object, "latest_invoice").to_owned());
    update(state, id, json!({ "status": "incomplete_expired", "ended_at": now }));
    if let Some(invoice) = invoice.filter(|invoice| is_open(state, invoice)) {
        let _ = invoice::void(state, &invoice);
    }
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
    let is_its = |invoice: &&mut invoice::Invoice| invoice.subscription() == Some(id);
    for invoice in state.invoices.all_mut().filter(is_its) {
        if matches!(text(&invoice.object, "status"), "draft" | "open") {
            change(&mut invoice.object, json!({ "auto_advance": false, "next_payment_attempt": null }));
        }
    }
}

/// Ends everything that a customer subscribed to.
pub fn end_all_of(state: &mut State, customer: &str) {
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
