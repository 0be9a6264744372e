//! A subscription as it is kept, and the one place where one is changed and the change is told.

use serde_json::{Value, json};

use crate::sandbox::resource::change;
use crate::sandbox::shape::{integer, text};
use crate::sandbox::state::State;

/// `subscription`, and what Stripe keeps about it without showing it in the object.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The object.
    pub object: Value,
    /// Whether nobody has been told of it yet; then no change is told either.
    pub is_new: bool,
    /// Whether the end of its trial has been announced.
    pub was_warned: bool,
    /// Its discount's id and coupon.
    pub discount: Option<(String, Value)>,
}

impl Subscription {
    /// Its items.
    pub fn items(&self) -> &[Value] {
        self.object["items"]["data"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The rhythm of its items: `recurring` of a price.
    pub fn rhythm(&self) -> &Value {
        self.items().first().map_or(&Value::Null, |item| &item["price"]["recurring"])
    }

    /// Beginning and end of the current period.
    pub fn period(&self) -> (i64, i64) {
        let item = self.items().first().unwrap_or(&Value::Null);
        (integer(item, "current_period_start"), integer(item, "current_period_end"))
    }

    /// `cus_…`.
    pub fn customer(&self) -> &str {
        text(&self.object, "customer")
    }

    /// `active`, `trialing`, ….
    pub fn status(&self) -> &str {
        text(&self.object, "status")
    }

    /// Whether it is over for good.
    pub fn has_ended(&self) -> bool {
        matches!(self.status(), "canceled" | "incomplete_expired")
    }

    /// The list of items as the object has it, with these items.
    pub fn item_list(id: &str, items: &[Value]) -> Value {
        json!({
            "object": "list", "data": items, "has_more": false, "total_count": items.len(),
            "url": format!("/v1/subscription_items?subscription={id}"),
        })
    }

    /// Its items with another period.
    pub fn items_in_period(&self, start: i64, end: i64) -> Value {
        let mut items = self.items().to_vec();
        for item in &mut items {
            item["current_period_start"] = json!(start);
            item["current_period_end"] = json!(end);
        }
        Subscription::item_list(text(&self.object, "id"), &items)
    }
}

/// Changes a subscription's object and tells of it, when anything changed and it is not new.
pub fn update(state: &mut State, id: &str, fields: Value) {
    update_as(state, id, "customer.subscription.updated", fields);
}

/// The same under another event's name.
pub fn update_as(state: &mut State, id: &str, event: &str, fields: Value) {
    let Some(subscription) = state.subscriptions.get_mut(id) else { return };
    let previous = change(&mut subscription.object, fields);
    let is_told = !subscription.is_new && previous.as_object().is_some_and(|changes| !changes.is_empty());
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
