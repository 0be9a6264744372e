//! A checkout session as it is stored.

use serde_json::{Value, json};

use super::coupon;
use super::tax;
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
    /// Whether tax comes on top of each item, where tax is computed.
    pub exclusive: Vec<bool>,
    /// `customer_update`: what the payer enters is written into the customer.
    pub saves_name: bool,
    pub saves_address: bool,
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

    /// Whether its payment makes an invoice.
    pub fn makes_invoice(&self) -> bool {
        self.object["mode"] == "payment" && self.object["invoice_creation"]["enabled"] == true
    }

    /// Whether tax is computed and the address that decides it is known.
    fn is_taxed(&self) -> bool {
        self.object["automatic_tax"]["enabled"] == true
            && self.object["customer_details"]["address"]["country"].is_string()
    }

    /// Whether the payer must enter an address.
    pub fn needs_address(&self) -> bool {
        let object = &self.object;
        object["automatic_tax"]["enabled"] == true || object["billing_address_collection"] == "required"
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
        let is_taxed = self.is_taxed();
        let (mut taxes, mut total) = (0, 0);
        for (item, ((amount, off), exclusive)) in
            self.items.iter_mut().zip(amounts.iter().zip(&off).zip(&self.exclusive))
        {
            let tax = if is_taxed { tax::tax(amount - off, *exclusive) } else { 0 };
            let cost = amount - off + if *exclusive { tax } else { 0 };
            item["amount_subtotal"] = json!(amount);
            item["amount_discount"] = json!(off);
            item["amount_tax"] = json!(tax);
            item["amount_total"] = json!(cost);
            (taxes, total) = (taxes + tax, total + cost);
        }
        let (subtotal, discount): (i64, i64) = (amounts.iter().sum(), off.iter().sum());
        self.object["amount_subtotal"] = json!(subtotal);
        self.object["amount_total"] = json!(total);
        self.object["total_details"] =
            json!({ "amount_discount": discount, "amount_shipping": 0, "amount_tax": taxes });
        if self.object["automatic_tax"]["enabled"] == true {
            let status = if is_taxed { "complete" } else { "requires_location_inputs" };
            self.object["automatic_tax"]["status"] = json!(status);
        }
    }
}

/// `customer_details` of a session.
pub fn customer_details(email: &Value, name: &Value) -> Value {
    json!({
        "address": null, "business_name": null, "email": email, "individual_name": null, "name": name, "phone": null,
        "tax_exempt": "none", "tax_ids": [],
    })
}
