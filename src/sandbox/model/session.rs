//! A checkout session as it is stored.

use serde_json::{Value, json};

use super::coupon;
use crate::sandbox::shape::{integer, text};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// Seconds after the purchase.
    Lasts(i64),
    Until(i64),
}

#[derive(Clone, Debug)]
pub struct StoredSession {
    pub object: Value,
    pub items: Vec<Value>,
    /// What one of each item costs in the session's currency.
    pub units: Vec<i64>,
    pub coupon: Option<Value>,
    /// Fields for the payment intent.
    pub intent: Value,
    /// Fields for the subscription.
    pub plan: Value,
    pub trial: Option<Trial>,
    /// When its bank debit failed, in whole seconds.
    pub failed_at: Option<i64>,
}

impl StoredSession {
    /// Whether it can still be paid or expired.
    pub fn is_open(&self) -> bool {
        self.object["status"] == "open"
    }

    /// Whether a bank debit is pending: the session is complete and unpaid, and the debit has not failed.
    pub fn is_pending(&self) -> bool {
        self.object["status"] == "complete" && self.object["payment_status"] == "unpaid" && self.failed_at.is_none()
    }

    /// Writes the sums of the line items into the object, with the discount taken off each item.
    pub fn total(&mut self) {
        let currency = text(&self.object, "currency").to_owned();
        // During a trial the plan costs nothing. What is bought once with it does cost.
        let is_free = |item: &Value| self.trial.is_some() && !item["price"]["recurring"].is_null();
        let cost = |(item, unit): (&Value, &i64)| match is_free(item) {
            true => 0,
            false => unit.saturating_mul(integer(item, "quantity")),
        };
        let amounts: Vec<i64> = self.items.iter().zip(&self.units).map(cost).collect();
        let off = match &self.coupon {
            Some(coupon) => coupon::discounts(coupon, &amounts, &currency),
            None => vec![0; amounts.len()],
        };
        for (item, (amount, off)) in self.items.iter_mut().zip(amounts.iter().zip(&off)) {
            item["amount_subtotal"] = json!(amount);
            item["amount_discount"] = json!(off);
            item["amount_total"] = json!(amount - off);
        }
        let (subtotal, discount): (i64, i64) = (amounts.iter().sum(), off.iter().sum());
        self.object["amount_subtotal"] = json!(subtotal);
        self.object["amount_total"] = json!(subtotal - discount);
        self.object["total_details"] = json!({ "amount_discount": discount, "amount_shipping": 0, "amount_tax": 0 });
    }
}

/// `customer_details` of a session.
pub fn customer_details(email: &Value, name: &Value) -> Value {
    json!({
        "address": null, "business_name": null, "email": email, "individual_name": null, "name": name, "phone": null,
        "tax_exempt": "none", "tax_ids": [],
    })
}
