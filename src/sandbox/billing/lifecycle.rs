//! A subscription's life once it has started (`start`): it is paid or not, renews, is paused, ends. Source: Stripe, "How subscriptions work".

use serde_json::{Value, json};

use super::calendar::next_after;
use super::invoice::{self, Order};
use super::subscription::{self, Subscription, update, update_as};
use super::{line, start};
use crate::sandbox::resource::change;
use crate::sandbox::shape::{integer, text};
use crate::sandbox::state::{AfterRetries, State};

const HOUR: i64 = 60 * 60;
/// How long a first invoice can be paid.
const FIRST_PAYMENT_TIME: i64 = 23 * HOUR;
/// How long before a trial's end it is announced.
const WARNING_TIME: i64 = 3 * 24 * HOUR;

/// Does what is due, and asks to be woken for what comes next.
pub fn wake(state: &mut State, id: &str) {
    let (now, Some(row)) = (state.now(), state.subscriptions.get(id)) else { return };
    if row.has_ended() {
        return;
    }
    let object = &row.object;
    let is_due = |field: &Value| field.as_i64().is_some_and(|at| at <= now);
    let (end, status) = (row.period().1, row.status());
    let is_overdue = status == "incomplete" && now >= integer(object, "created") + FIRST_PAYMENT_TIME;
    if is_overdue {
        expire(state, id);
    } else if is_due(&object["cancel_at"]) {
        cancel(state, id, "cancellation_requested");
    } else if is_due(&object["pause_collection"]["resumes_at"]) {
        update(state, id, json!({ "pause_collection": null }));
    } else if status == "trialing" && !row.was_warned && now >= integer(object, "trial_end") - WARNING_TIME {
        let object = object.clone();
        if let Some(row) = state.subscriptions.get_mut(id) {
            row.was_warned = true;
        }
        state.emit("customer.subscription.trial_will_end", object);
    } else if end <= now && !matches!(status, "incomplete" | "paused") {
        renew(state, id);
    } else {
        return rearm(state, id);
    }
    wake(state, id);
}

/// Asks to be woken for what comes next.
fn rearm(state: &mut State, id: &str) {
    let Some(row) = state.subscriptions.get(id) else { return };
    let (object, customer, now) = (&row.object, row.customer().to_owned(), state.now());
    let mut times = vec![object["cancel_at"].as_i64(), object["pause_collection"]["resumes_at"].as_i64()];
    match row.status() {
        "incomplete" => times.push(Some(integer(object, "created") + FIRST_PAYMENT_TIME)),
        "paused" => {}
        _ => times.push(Some(row.period().1)),
    }
    if row.status() == "trialing" && !row.was_warned {
        times.push(object["trial_end"].as_i64().map(|end| end - WARNING_TIME));
    }
    for at in times.into_iter().flatten().filter(|at| *at > now) {
        state.wake(&customer, at, id);
    }
}

/// Begins the next period, with its invoice as a draft.
fn renew(state: &mut State, id: &str) {
    let Some(row) = state.subscriptions.get(id).cloned() else { return };
    let missing = text(&row.object["trial_settings"]["end_behavior"], "missing_payment_method");
    let lacks_method = row.status() == "trialing" && subscription::payment_method(state, &row.object).is_none();
    match missing {
        "cancel" if lacks_method => return cancel(state, id, "payment_failed"),
        "pause" if lacks_method => {
            update(state, id, json!({ "status": "paused" }));
            return tell_paused(state, id);
        }
        _ => {}
    }
    let (_, start) = row.period();
    let anchor = integer(&row.object, "billing_cycle_anchor");
    begin_period(state, id, (start, next_after(anchor, row.rhythm(), start)), false);
}

fn tell_paused(state: &mut State, id: &str) {
    if let Some(object) = state.subscriptions.get(id).map(|row| row.object.clone()) {
        state.emit("customer.subscription.paused", object);
    }
}

/// Begins a period now: bills it, and whatever waits. `at_once`: the invoice does not stay a draft.
pub fn begin_period(state: &mut State, id: &str, period: (i64, i64), at_once: bool) {
    let Some(row) = state.subscriptions.get(id).cloned() else { return };
    let ended = row.period();
    let pause = text(&row.object["pause_collection"], "behavior").to_owned();
    let is_drafted = row.status() == "unpaid" || pause == "keep_as_draft";
    let fields = json!({ "auto_advance": !is_drafted && !at_once && pause.is_empty() });
    let order = Order {
        reason: if at_once { "subscription_update" } else { "subscription_cycle" },
        lines: line::of_period(state, &row, period, false),
        waiting: line::waiting(state, row.customer(), Some(id)),
        period: ended,
        discount: usable_discount(state, &row, period.0),
        ..start::order(&row, fields)
    };
    let invoice = invoice::draft(state, order);
    use_discount(state, id);
    let status = if row.status() == "trialing" { "active" } else { row.status() };
    let fields =
        json!({ "items": row.items_in_period(period.0, period.1), "latest_invoice": invoice, "status": status });
    update(state, id, fields);
    match pause.as_str() {
        "void" | "mark_uncollectible" => {
            let _ = invoice::finalize(state, &invoice);
            let _ = match pause.as_str() {
                "void" => invoice::void(state, &invoice),
                _ => invoice::mark_uncollectible(state, &invoice),
            };
        }
        _ if at_once && !is_drafted => invoice::advance(state, &invoice),
        _ => {}
    }
}

/// Ends a trial now: the first paid period begins, and is billed at once.
pub fn end_trial(state: &mut State, id: &str) {
    let (now, Some(row)) = (state.now(), state.subscriptions.get(id)) else { return };
    let period = (now, next_after(now, row.rhythm(), now));
    update(state, id, json!({ "trial_end": now, "billing_cycle_anchor": now }));
    begin_period(state, id, period, true);
    wake(state, id);
}

/// Lets a paused subscription go on: a period begins now, and is billed at once.
pub fn resume(state: &mut State, id: &str) {
    let (now, Some(row)) = (state.now(), state.subscriptions.get(id)) else { return };
    let period = (now, next_after(now, row.rhythm(), now));
    update(state, id, json!({ "status": "active", "billing_cycle_anchor": now }));
    if let Some(object) = state.subscriptions.get(id).map(|row| row.object.clone()) {
        state.emit("customer.subscription.resumed", object);
    }
    begin_period(state, id, period, true);
    wake(state, id);
}

fn usable_discount(state: &State, row: &Subscription, at: i64) -> Option<(String, Value)> {
    let (id, coupon) = row.discount.clone()?;
    let end = state.discounts.get(&id).and_then(|discount| discount["end"].as_i64());
    end.is_none_or(|end| end > at).then_some((id, coupon))
}

/// A discount that is given once is gone after an invoice.
pub fn use_discount(state: &mut State, id: &str) {
    if let Some(row) = state.subscriptions.get_mut(id)
        && row.discount.as_ref().is_some_and(|(_, coupon)| coupon["duration"] == "once")
    {
        row.discount = None;
        row.object["discounts"] = json!([]);
    }
}

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

/// Whether an invoice waits for its payment.
pub fn is_open(state: &State, invoice: &str) -> bool {
    state.invoices.get(invoice).is_some_and(|invoice| invoice.object["status"] == "open")
}

fn expire(state: &mut State, id: &str) {
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
