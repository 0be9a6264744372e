//! A subscription as it is stored.

use serde_json::{Value, json};

use super::coupon::Discount;
use crate::sandbox::shape::{integer, text};

/// `subscription`, and what Stripe keeps about it without showing it in the object.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The object.
    pub object: Value,
    /// Whether nobody has been told of it yet; then no change is told either.
    pub is_new: bool,
    /// Whether the end of its trial has been announced.
    pub is_trial_end_announced: bool,
    /// Its discount's id and coupon.
    pub discount: Option<Discount>,
}

impl Subscription {
    /// Its items.
    pub fn items(&self) -> &[Value] {
        self.object["items"]["data"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The rhythm of its items: `recurring` of a price.
    pub fn recurring(&self) -> &Value {
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
