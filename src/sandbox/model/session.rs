//! A checkout session as it is stored.

use serde_json::{Value, json};

use super::coupon;
use crate::sandbox::shape::{integer, text};

/// When a trial ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// So many seconds after the purchase.
    Lasts(i64),
    /// At this time.
    Until(i64),
}

/// A session, and what Stripe keeps about it without showing it in the object.
#[derive(Clone, Debug)]
pub struct Session {
    /// The object.
    pub object: Value,
    /// Its line items.
    pub items: Vec<Value>,
    /// The coupon whose discount it has.
    pub coupon: Option<Value>,
    /// Fields that the payment intent is to have.
    pub intent: Value,
    /// Fields that the subscription is to have.
    pub plan: Value,
    /// The subscription's trial.
    pub trial: Option<Trial>,
    /// When its bank debit failed, in whole seconds.
    pub failed_at: Option<i64>,
}

impl Session {
    /// Whether it can still be paid or expired.
    pub fn is_open(&self) -> bool {
        self.object["status"] == "open"
    }

    /// Whether a bank debit is under way: complete, unpaid, and its payment neither settled nor failed.
    pub fn is_pending(&self) -> bool {
        self.object["status"] == "complete" && self.object["payment_status"] == "unpaid" && self.failed_at.is_none()
    }

    /// Sums the line items up, with the discount taken off each.
    pub fn total(&mut self) {
        let currency = text(&self.object, "currency").to_owned();
        // During a trial the plan costs nothing; what is bought once with it does.
        let is_free = |item: &Value| self.trial.is_some() && !item["price"]["recurring"].is_null();
        let cost = |item: &Value| integer(&item["price"], "unit_amount").saturating_mul(integer(item, "quantity"));
        let amounts: Vec<i64> = self.items.iter().map(|item| if is_free(item) { 0 } else { cost(item) }).collect();
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

/// `customer_details` for somebody known by these.
pub fn customer_details(email: &Value, name: &Value) -> Value {
    json!({
        "address": null, "business_name": null, "email": email, "individual_name": null, "name": name, "phone": null,
        "tax_exempt": "none", "tax_ids": [],
    })
}
