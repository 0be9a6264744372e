//! Starting a subscription, ending its trial early, and resuming it after a pause. Source: Stripe, "How subscriptions
//! work".

use serde_json::{Value, json};

use super::calendar::next_after;
use super::invoice::{self, InvoiceParts};
use super::line::{self, PendingItem};
use super::subscription::{self, update};
use super::{cycle, discount, invoice_payment};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::collect::attempt::{self, AttemptOutcome, Presence};
use crate::sandbox::collect::intent;
use crate::sandbox::model::subscription::StoredSubscription;
use crate::sandbox::shape::{SUBSCRIPTION, change, filled, integer};
use crate::sandbox::state::State;

/// The code of the error when the payer must authenticate first.
pub const AUTHENTICATION_REQUIRED: &str = "subscription_payment_intent_requires_action";

/// When the first invoice is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstPayment {
    /// At once. If that fails, the subscription is `incomplete`.
    Allowed,
    /// Later, by the client.
    Later,
    /// At once. If that fails, there is no subscription.
    OrNothing,
}

#[derive(Clone, Debug)]
pub struct SubscriptionRequest {
    pub customer: String,
    /// One that every price is sold in.
    pub currency: String,
    /// Price, quantity and metadata of each item.
    pub items: Vec<(Value, i64, Value)>,
    /// One-time purchases on the first invoice.
    pub purchases: Vec<PendingItem>,
    pub trial_end: Option<i64>,
    /// A coupon, and the promotion code that gave it.
    pub coupon: Option<(Value, Value)>,
    pub payment: FirstPayment,
    pub presence: Presence,
    /// Further fields of the object.
    pub fields: Value,
}

/// Starts a subscription. Returns its id.
pub fn start(state: &mut State, request: SubscriptionRequest) -> Result<String, ApiError> {
    let id = state.new_id("sub_1", 24);
    let subscription = build(state, &id, &request);
    let (customer, period, is_trial) = (request.customer.clone(), subscription.period(), request.trial_end.is_some());
    let mut lines = line::of_period(state, &subscription, period, is_trial);
    lines.extend(request.purchases.iter().map(|pending| line::of_pending(state, pending)));
    let parts = InvoiceParts {
        reason: "subscription_create",
        lines,
        waiting: line::waiting(state, &customer, None),
        period: (period.0, period.0),
        discount: subscription.discount.clone(),
        ..InvoiceParts::of_subscription(&subscription, json!({ "auto_advance": false }))
    };
    let method = subscription::payment_method(state, &subscription.object);
    let intent = match request.payment {
        FirstPayment::OrNothing => collect_first(state, &parts, method.as_deref(), request.presence)?,
        _ => None,
    };
    state.subscriptions.put(&id, subscription);
    let invoice = invoice::draft(state, parts);
    if let Some(row) = state.subscriptions.get_mut(&id) {
        row.object["latest_invoice"] = json!(invoice);
    }
    discount::use_up(state, &id);
    if let Some(intent) = &intent {
        invoice_payment::attach(state, &invoice, intent);
    }
    cycle::finalize(state, &invoice)?;
    match (intent, request.payment) {
        (Some(intent), _) => cycle::intent_paid(state, &intent),
        (None, FirstPayment::Allowed) if invoice::is_open(state, &invoice) => {
            let _ = cycle::pay(state, &invoice, None, request.presence);
        }
        _ => {}
    }
    if let Some(row) = state.subscriptions.get_mut(&id) {
        row.is_new = false;
    }
    subscription::emit(state, &id, "customer.subscription.created");
    cycle::wake_subscription(state, &id);
    Ok(id)
}

fn build(state: &mut State, id: &str, request: &SubscriptionRequest) -> StoredSubscription {
    let now = state.now();
    let recurring = request.items.first().map(|(price, ..)| price["recurring"].clone()).unwrap_or_default();
    let anchor = request.trial_end.unwrap_or(now);
    let end = request.trial_end.unwrap_or_else(|| next_after(now, &recurring, now));
    let items: Vec<Value> = request
        .items
        .iter()
        .map(|(price, quantity, metadata)| subscription::new_item(state, id, price, *quantity, metadata, (now, end)))
        .collect();
    let mut object = filled(SUBSCRIPTION, request.fields.clone());
    let status = if request.trial_end.is_some() { "trialing" } else { "incomplete" };
    let fields = json!({
        "id": id, "created": now, "start_date": now, "billing_cycle_anchor": anchor, "customer": request.customer,
        "currency": request.currency, "items": StoredSubscription::item_list(id, &items), "status": status, "latest_invoice": null,
        "test_clock": state.test_clock_of(&request.customer), "trial_end": request.trial_end,
        "trial_start": request.trial_end.map(|_| now),
    });
    change(&mut object, fields);
    if object["cancel_at_period_end"] == true {
        change(&mut object, json!({ "cancel_at": end, "canceled_at": now }));
    }
    let discount = request.coupon.as_ref().map(|coupon| discount::add(state, id, &request.customer, coupon));
    if let Some(discount) = &discount {
        object["discounts"] = json!([discount.id]);
    }
    StoredSubscription { object, is_new: true, is_trial_end_announced: false, discount }
}

/// Collects the amount of an invoice before it is made. Returns the payment intent; `None`: nothing is due.
pub fn collect_first(
    state: &mut State,
    parts: &InvoiceParts,
    method: Option<&str>,
    presence: Presence,
) -> Result<Option<String>, ApiError> {
    let preview = invoice::preview(state, parts.clone());
    let due = integer(&preview.object, "amount_due");
    if due == 0 {
        return Ok(None);
    }
    let Some(method) = method.and_then(|id| state.payment_methods.get(id)).cloned() else {
        let message = "This customer has no attached payment source or default payment method.";
        return Err(ApiError::invalid(message).code("resource_missing"));
    };
    let fields = json!({
        "amount": due, "currency": parts.currency, "customer": parts.customer, "payment_method_types": ["card"],
        "description": if parts.reason == "subscription_create" { "Subscription creation" } else { "Subscription update" },
    });
    let intent = intent::add(state, fields);
    let customer = state.customers.get(&parts.customer).cloned().unwrap_or_default();
    match attempt::make(state, &intent, &method, &customer, presence)? {
        AttemptOutcome::Paid => Ok(Some(intent)),
        AttemptOutcome::Pending | AttemptOutcome::NeedsAuthentication => {
            let message = "This card requires its owner to authenticate, so nothing was paid.";
            Err(ApiError::card(AUTHENTICATION_REQUIRED, message))
        }
    }
}

/// Ends a trial now. The first paid period begins and is billed at once.
pub fn end_trial(state: &mut State, id: &str) {
    let (now, Some(row)) = (state.now(), state.subscriptions.get(id)) else { return };
    let period = (now, next_after(now, row.recurring(), now));
    update(state, id, json!({ "trial_end": now, "billing_cycle_anchor": now }));
    cycle::begin_period(state, id, period, true);
    cycle::wake_subscription(state, id);
}

/// Resumes a paused subscription. A period begins now and is billed at once.
pub fn resume(state: &mut State, id: &str) {
    let (now, Some(row)) = (state.now(), state.subscriptions.get(id)) else { return };
    let period = (now, next_after(now, row.recurring(), now));
    update(state, id, json!({ "status": "active", "billing_cycle_anchor": now }));
    subscription::emit(state, id, "customer.subscription.resumed");
    cycle::begin_period(state, id, period, true);
    cycle::wake_subscription(state, id);
}
