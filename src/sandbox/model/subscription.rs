//! A subscription as it is stored.

use serde_json::{Value, json};

use super::coupon::Discount;
use crate::sandbox::shape::{integer, text};

#[derive(Clone, Debug)]
pub struct StoredSubscription {
    pub object: Value,
    /// No event has been emitted for it yet. Until then, changes have no events either.
    pub is_new: bool,
    pub is_trial_end_announced: bool,
    pub discount: Option<Discount>,
}

impl StoredSubscription {
    pub fn items(&self) -> &[Value] {
        self.object["items"]["data"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// `recurring` of its items' prices.
    pub fn recurring(&self) -> &Value {
        self.items().first().map_or(&Value::Null, |item| &item["price"]["recurring"])
    }

    /// Start and end of the current period.
    pub fn period(&self) -> (i64, i64) {
        let item = self.items().first().unwrap_or(&Value::Null);
        (integer(item, "current_period_start"), integer(item, "current_period_end"))
    }

    pub fn customer(&self) -> &str {
        text(&self.object, "customer")
    }

    pub fn status(&self) -> &str {
        text(&self.object, "status")
    }

    /// Whether it has ended for good.
    pub fn has_ended(&self) -> bool {
        matches!(self.status(), "canceled" | "incomplete_expired")
    }

    pub fn is_running_for(&self, customer: &str) -> bool {
        self.customer() == customer && !self.has_ended()
    }

    /// Its `cancellation_details`, with this reason.
    pub fn cancellation_details(&self, reason: Option<&str>) -> Value {
        let mut details = self.object["cancellation_details"].clone();
        details["reason"] = json!(reason);
        details
    }

    /// The list of these items, as the object has it.
    pub fn item_list(id: &str, items: &[Value]) -> Value {
        json!({
            "object": "list", "data": items, "has_more": false, "total_count": items.len(),
            "url": format!("/v1/subscription_items?subscription={id}"),
        })
    }

    /// Its items, with another period.
    pub fn items_in_period(&self, start: i64, end: i64) -> Value {
        let mut items = self.items().to_vec();
        for item in &mut items {
            item["current_period_start"] = json!(start);
            item["current_period_end"] = json!(end);
        }
        StoredSubscription::item_list(text(&self.object, "id"), &items)
    }
}
