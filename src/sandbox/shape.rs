//! What Stripe's objects look like: every field of each kind with its default value, and how fields are read and
//! changed. The texts in `shapes/` follow API version 2026-05-27 (dahlia).

use serde::Serialize;
use serde_json::{Map, Value, json};

pub const ACCOUNT: &str = include_str!("shapes/account.json");
pub const CHARGE: &str = include_str!("shapes/charge.json");
pub const CHECKOUT_SESSION: &str = include_str!("shapes/checkout_session.json");
pub const COUPON: &str = include_str!("shapes/coupon.json");
pub const CREDIT_NOTE: &str = include_str!("shapes/credit_note.json");
pub const CUSTOMER: &str = include_str!("shapes/customer.json");
pub const PAYMENT_INTENT: &str = include_str!("shapes/payment_intent.json");
pub const DISPUTE: &str = include_str!("shapes/dispute.json");
pub const INVOICE: &str = include_str!("shapes/invoice.json");
pub const PAYMENT_METHOD: &str = include_str!("shapes/payment_method.json");
pub const REFUND: &str = include_str!("shapes/refund.json");
pub const SUBSCRIPTION: &str = include_str!("shapes/subscription.json");
pub const PRICE: &str = include_str!("shapes/price.json");
pub const PRODUCT: &str = include_str!("shapes/product.json");
pub const PROMOTION_CODE: &str = include_str!("shapes/promotion_code.json");
pub const WEBHOOK_ENDPOINT: &str = include_str!("shapes/webhook_endpoint.json");

/// Rows of a list inside an object.
pub const PAGE_ROWS: usize = 10;

/// An object of this kind, with these fields over its defaults.
pub fn filled(shape: &str, fields: Value) -> Value {
    let mut object: Map<String, Value> = serde_json::from_str(shape).unwrap_or_default();
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    Value::Object(object)
}

/// A field's text. Empty if there is none.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A field's integer. 0 if there is none.
pub fn integer(object: &Value, field: &str) -> i64 {
    object.get(field).and_then(Value::as_i64).unwrap_or_default()
}

/// Sets the fields of an object, even to null: a client reads a field by its name. Returns the former values of those
/// that changed.
pub fn change(object: &mut Value, fields: Value) -> Value {
    let mut previous = serde_json::Map::new();
    if let Value::Object(fields) = fields {
        for (name, value) in fields {
            if object[&name] != value {
                previous.insert(name.clone(), object[&name].take());
                object[name] = value;
            } else if object.get(&name).is_none() {
                object[name] = Value::Null;
            }
        }
    }
    Value::Object(previous)
}

/// One page of a list.
pub fn list(rows: impl Serialize, has_more: bool, url: &str) -> Value {
    json!({ "object": "list", "data": rows, "has_more": has_more, "url": url })
}

/// The first page of a list inside an object.
pub fn first_page(rows: &[impl Serialize], url: &str) -> Value {
    let page = &rows[..rows.len().min(PAGE_ROWS)];
    list(page, rows.len() > page.len(), url)
}

/// What Stripe shows of a deleted object.
pub fn deleted(kind: &str, id: &str) -> Value {
    json!({ "id": id, "object": kind, "deleted": true })
}

/// Whether the former values that [`change`] returned are any.
pub fn has_changes(previous: &Value) -> bool {
    previous.as_object().is_some_and(|fields| !fields.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_an_object_that_says_its_kind() {
        for shape in [
            ACCOUNT,
            CHARGE,
            CHECKOUT_SESSION,
            COUPON,
            CREDIT_NOTE,
            CUSTOMER,
            DISPUTE,
            INVOICE,
            PAYMENT_INTENT,
            PAYMENT_METHOD,
            REFUND,
            SUBSCRIPTION,
            PRICE,
            PRODUCT,
            PROMOTION_CODE,
            WEBHOOK_ENDPOINT,
        ] {
            assert!(!text(&filled(shape, Value::Null), "object").is_empty(), "{shape}");
        }
    }
}
