//! What invoices and subscriptions do to each other. An invoice that is paid, fails or ends changes its subscription. A
//! subscription that renews makes an invoice, which is collected. These steps call one another in a circle, so they are
//! in one file. What changes only an invoice or only a subscription is in `invoice` and `subscription`.
//!
//! Source: Stripe, "How subscriptions work" and "Automatic collection".

use serde_json::json;

use super::calendar::next_after;
use super::invoice::{self, InvoiceParts, PaymentSource};
use super::subscription::{self, update};
use super::{discount, invoice_payment, line, schedule};
use crate::clock::DAY_SECONDS;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::collect::attempt::{self, AttemptOutcome, Presence};
use crate::sandbox::collect::payment_method;
use crate::sandbox::model::invoice::StoredInvoice;
use crate::sandbox::model::subscription::StoredSubscription;
use crate::sandbox::shape::{integer, text};
use crate::sandbox::state::{AfterRetries, State};

const HOUR: i64 = 60 * 60;
/// How long a first invoice can be paid.
const FIRST_PAYMENT_TIME: i64 = 23 * HOUR;
/// How long before the end of a trial it is announced.
const TRIAL_WARNING_TIME: i64 = 3 * DAY_SECONDS;

/// Does what is due for an invoice: finalizes and collects a draft, or tries a failed payment again.
pub fn wake_invoice(state: &mut State, id: &str) {
    let (now, Some(invoice)) = (state.now(), state.invoices.get(id)) else { return };
    let is_due = |field: &str| invoice.object[field].as_i64().is_some_and(|at| at <= now);
    match text(&invoice.object, "status") {
        "draft" if invoice.object["auto_advance"] == true && is_due("automatically_finalizes_at") => {
            finalize_and_collect(state, id);
        }
        "open" if is_due("next_payment_attempt") => collect(state, id),
        _ => {}
    }
}

/// Makes a draft final. With nothing due it is paid at once. Otherwise it gets a payment intent.
pub fn finalize(state: &mut State, id: &str) -> Result<(), ApiError> {
    match invoice::open(state, id)? {
        0 => mark_paid(state, id, PaymentSource::Nothing),
        _ => invoice_payment::prepare(state, id),
    }
    Ok(())
}

/// Makes a draft final and tries to collect it.
pub fn finalize_and_collect(state: &mut State, id: &str) {
    if finalize(state, id).is_ok() && invoice::is_open(state, id) {
        collect(state, id);
    }
}

/// Tries to collect an invoice while the payer is away. Its events show the result.
pub fn collect(state: &mut State, id: &str) {
    let _ = pay(state, id, None, Presence::Away);
}

/// Pays an open invoice with this payment method, or with the default one.
pub fn pay(state: &mut State, id: &str, method: Option<&str>, presence: Presence) -> Result<(), ApiError> {
    let invoice = invoice::in_status(state, id, &["open", "uncollectible"], "paid")?;
    let own = invoice.object["default_payment_method"].as_str();
    let subscribed = invoice.subscription().and_then(|id| state.subscriptions.get(id)).map(|row| &row.object);
    let default = subscription::payment_method(state, subscribed.unwrap_or(&invoice.object));
    let Some(method) = method.or(own).map(str::to_owned).or(default) else {
        fail(state, id);
        let message =
            "There is no default_payment_method set on this Customer or Invoice. Please set one before paying.";
        return Err(ApiError::invalid(message).code("resource_missing"));
    };
    let method = payment_method::named(state, &method, "payment_method")?;
    invoice_payment::prepare(state, id);
    let Some(payment) = invoice_payment::open_of(state, id) else {
        return Err(ApiError::invalid("This invoice has no payment to make."));
    };
    let intent = invoice_payment::intent_of(&payment);
    let customer = state.customers.get(text(&invoice.object, "customer")).cloned().unwrap_or_default();
    match attempt::make(state, intent, &method, &customer, presence) {
        Ok(AttemptOutcome::Paid) => intent_paid(state, intent),
        Ok(AttemptOutcome::Pending) => {}
        Ok(AttemptOutcome::NeedsAuthentication) => {
            invoice::update(state, id, &["invoice.payment_action_required"], json!({ "attempted": true }));
        }
        Err(error) => {
            intent_failed(state, intent);
            return Err(error);
        }
    }
    Ok(())
}

/// Records that an invoice was paid outside Stripe.
pub fn pay_out_of_band(state: &mut State, id: &str) -> Result<(), ApiError> {
    invoice::in_status(state, id, &["open", "uncollectible"], "paid")?;
    invoice_payment::cancel(state, id);
    mark_paid(state, id, PaymentSource::OutOfBand);
    Ok(())
}

/// A payment intent has been paid, and with it the invoice that it is for, if any.
pub fn intent_paid(state: &mut State, intent: &str) {
    let Some(payment) = invoice_payment::mark_paid(state, intent) else { return };
    let id = text(&payment, "invoice");
    if let Some(invoice) = state.invoices.get_mut(id) {
        invoice.object["attempt_count"] = json!(integer(&invoice.object, "attempt_count") + 1);
    }
    mark_paid(state, id, PaymentSource::Intent);
    state.emit("invoice_payment.paid", payment);
}

/// An attempt to collect a payment intent has failed, and with it the invoice that it is for, if any.
pub fn intent_failed(state: &mut State, intent: &str) {
    if let Some(payment) = invoice_payment::of_intent(state, intent) {
        fail(state, text(&payment, "invoice"));
    }
}

/// Makes an invoice paid. A subscription that waited for it becomes active.
pub fn mark_paid(state: &mut State, id: &str, source: PaymentSource) {
    invoice::mark_paid(state, id, source);
    let Some(subscription) = subscription_of(state, id) else { return };
    let Some(row) = state.subscriptions.get(&subscription) else { return };
    if matches!(row.status(), "incomplete" | "past_due" | "unpaid") && row.object["latest_invoice"] == id {
        update(state, &subscription, json!({ "status": "active" }));
        wake_subscription(state, &subscription);
    }
}

/// An attempt to collect an invoice has failed, so its subscription is past due. After the last attempt a setting of
/// the account decides.
fn fail(state: &mut State, id: &str) {
    let is_last = invoice::mark_failed(state, id);
    let Some(subscription) = subscription_of(state, id) else { return };
    let Some(row) = state.subscriptions.get(&subscription) else { return };
    if row.object["latest_invoice"] == id && matches!(row.status(), "active" | "trialing") {
        update(state, &subscription, json!({ "status": "past_due" }));
    }
    let is_past_due = state.subscriptions.get(&subscription).is_some_and(|row| row.status() == "past_due");
    match state.after_retries {
        _ if !is_last || !is_past_due => {}
        AfterRetries::Cancel => subscription::cancel(state, &subscription, "payment_failed"),
        AfterRetries::Unpaid => update(state, &subscription, json!({ "status": "unpaid" })),
        AfterRetries::PastDue => {}
    }
}

/// Voids an open invoice.
pub fn void(state: &mut State, id: &str) -> Result<(), ApiError> {
    invoice::void(state, id)?;
    close_subscription(state, id);
    Ok(())
}

/// Gives up an open invoice.
pub fn mark_uncollectible(state: &mut State, id: &str) -> Result<(), ApiError> {
    invoice::mark_uncollectible(state, id)?;
    close_subscription(state, id);
    Ok(())
}

/// An invoice has ended unpaid. A subscription that was past due goes on; an incomplete one expires.
fn close_subscription(state: &mut State, invoice: &str) {
    let Some(id) = subscription_of(state, invoice) else { return };
    let Some(row) = state.subscriptions.get(&id) else { return };
    match row.status() {
        _ if row.object["latest_invoice"] != invoice => {}
        "past_due" | "unpaid" => update(state, &id, json!({ "status": "active" })),
        "incomplete" => expire(state, &id),
        _ => {}
    }
}

fn subscription_of(state: &State, invoice: &str) -> Option<String> {
    state.invoices.get(invoice).and_then(StoredInvoice::subscription).map(str::to_owned)
}

/// Ends a subscription whose first invoice was not paid in time.
fn expire(state: &mut State, id: &str) {
    let now = state.now();
    let invoice = state.subscriptions.get(id).map(|row| text(&row.object, "latest_invoice").to_owned());
    update(state, id, json!({ "status": "incomplete_expired", "ended_at": now }));
    if let Some(invoice) = invoice.filter(|invoice| invoice::is_open(state, invoice)) {
        let _ = void(state, &invoice);
    }
}

/// Does what is due for a subscription, and schedules what comes next.
pub fn wake_subscription(state: &mut State, id: &str) {
    let (now, Some(row)) = (state.now(), state.subscriptions.get(id)) else { return };
    if row.has_ended() {
        return;
    }
    let object = &row.object;
    let is_due = |field: &serde_json::Value| field.as_i64().is_some_and(|at| at <= now);
    let (end, status) = (row.period().1, row.status());
    let is_overdue = status == "incomplete" && now >= integer(object, "created") + FIRST_PAYMENT_TIME;
    if is_overdue {
        expire(state, id);
    } else if is_due(&object["cancel_at"]) {
        subscription::cancel(state, id, "cancellation_requested");
    } else if is_due(&object["pause_collection"]["resumes_at"]) {
        update(state, id, json!({ "pause_collection": null }));
    } else if status == "trialing"
        && !row.is_trial_end_announced
        && now >= integer(object, "trial_end") - TRIAL_WARNING_TIME
    {
        if let Some(row) = state.subscriptions.get_mut(id) {
            row.is_trial_end_announced = true;
        }
        subscription::emit(state, id, "customer.subscription.trial_will_end");
    } else if end <= now && !matches!(status, "incomplete" | "paused") {
        renew(state, id);
    } else {
        return schedule(state, id);
    }
    wake_subscription(state, id);
}

/// Schedules when the subscription is woken next.
fn schedule(state: &mut State, id: &str) {
    let Some(row) = state.subscriptions.get(id) else { return };
    let (object, customer, now) = (&row.object, row.customer().to_owned(), state.now());
    let mut times = vec![object["cancel_at"].as_i64(), object["pause_collection"]["resumes_at"].as_i64()];
    match row.status() {
        "incomplete" => times.push(Some(integer(object, "created") + FIRST_PAYMENT_TIME)),
        "paused" => {}
        _ => times.push(Some(row.period().1)),
    }
    if row.status() == "trialing" && !row.is_trial_end_announced {
        times.push(object["trial_end"].as_i64().map(|end| end - TRIAL_WARNING_TIME));
    }
    for at in times.into_iter().flatten().filter(|at| *at > now) {
        state.wake_at(&customer, at, id);
    }
}

/// Begins the next period, with its invoice as a draft.
fn renew(state: &mut State, id: &str) {
    let Some(row) = state.subscriptions.get(id).cloned() else { return };
    let missing = text(&row.object["trial_settings"]["end_behavior"], "missing_payment_method");
    let lacks_method = row.status() == "trialing" && subscription::payment_method(state, &row.object).is_none();
    match missing {
        "cancel" if lacks_method => return subscription::cancel(state, id, "payment_failed"),
        "pause" if lacks_method => {
            update(state, id, json!({ "status": "paused" }));
            return subscription::emit(state, id, "customer.subscription.paused");
        }
        _ => {}
    }
    let (_, start) = row.period();
    let anchor = integer(&row.object, "billing_cycle_anchor");
    let mut next = row.clone();
    if let Some(items) = schedule::items_from(state, &row, start) {
        next.object["items"] = StoredSubscription::item_list(id, &items);
    }
    let period = (start, next_after(anchor, next.recurring(), start));
    begin(state, &next, period, false);
    if let Some(schedule) = row.object["schedule"].as_str()
        && schedule::turn(state, schedule, start)
    {
        subscription::release_schedule(state, id);
    }
}

/// Begins a period now and bills it, with everything that waits. With `at_once` the invoice does not stay a draft.
pub fn begin_period(state: &mut State, id: &str, period: (i64, i64), at_once: bool) {
    if let Some(row) = state.subscriptions.get(id).cloned() {
        begin(state, &row, period, at_once);
    }
}

/// Begins a period with the items of `row`.
fn begin(state: &mut State, row: &StoredSubscription, period: (i64, i64), at_once: bool) {
    let id = text(&row.object, "id");
    let pause = text(&row.object["pause_collection"], "behavior").to_owned();
    let stays_draft = row.status() == "unpaid" || pause == "keep_as_draft";
    let fields = json!({ "auto_advance": !stays_draft && !at_once && pause.is_empty() });
    let parts = InvoiceParts {
        reason: if at_once { "subscription_update" } else { "subscription_cycle" },
        lines: line::of_period(state, row, period, false),
        waiting: line::waiting(state, row.customer(), Some(id)),
        discount: discount::usable(state, row, period.0),
        ..InvoiceParts::of_subscription(row, fields)
    };
    let invoice = invoice::draft(state, parts);
    discount::use_up(state, id);
    let status = if row.status() == "trialing" { "active" } else { row.status() };
    let fields =
        json!({ "items": row.items_in_period(period.0, period.1), "latest_invoice": invoice, "status": status });
    update(state, id, fields);
    match pause.as_str() {
        "void" | "mark_uncollectible" => {
            let _ = finalize(state, &invoice);
            let _ = match pause.as_str() {
                "void" => void(state, &invoice),
                _ => mark_uncollectible(state, &invoice),
            };
        }
        _ if at_once && !stays_draft => finalize_and_collect(state, &invoice),
        _ => {}
    }
}
