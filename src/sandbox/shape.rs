//! What Stripe's objects look like before anything is said about one of them: every field of its kind, with its
//! default. The texts in `shapes/` follow API version 2026-05-27 (dahlia).

use serde_json::{Map, Value};

/// `account`, complete.
pub const ACCOUNT: &str = include_str!("shapes/account.json");
/// `charge`.
pub const CHARGE: &str = include_str!("shapes/charge.json");
/// `checkout.session`.
pub const CHECKOUT_SESSION: &str = include_str!("shapes/checkout_session.json");
/// `coupon`.
pub const COUPON: &str = include_str!("shapes/coupon.json");
/// `credit_note`.
pub const CREDIT_NOTE: &str = include_str!("shapes/credit_note.json");
/// `customer`.
pub const CUSTOMER: &str = include_str!("shapes/customer.json");
/// `payment_intent`.
pub const PAYMENT_INTENT: &str = include_str!("shapes/payment_intent.json");
/// `dispute`.
pub const DISPUTE: &str = include_str!("shapes/dispute.json");
/// `invoice`.
pub const INVOICE: &str = include_str!("shapes/invoice.json");
/// `payment_method`.
pub const PAYMENT_METHOD: &str = include_str!("shapes/payment_method.json");
/// `refund`.
pub const REFUND: &str = include_str!("shapes/refund.json");
/// `subscription`.
pub const SUBSCRIPTION: &str = include_str!("shapes/subscription.json");
/// `price`.
pub const PRICE: &str = include_str!("shapes/price.json");
/// `product`.
pub const PRODUCT: &str = include_str!("shapes/product.json");
/// `promotion_code`.
pub const PROMOTION_CODE: &str = include_str!("shapes/promotion_code.json");
/// `webhook_endpoint`.
pub const WEBHOOK_ENDPOINT: &str = include_str!("shapes/webhook_endpoint.json");

/// An object of the kind, with the fields given laid over its defaults.
pub fn filled(shape: &str, fields: Value) -> Value {
    let mut object: Map<String, Value> = serde_json::from_str(shape).unwrap_or_default();
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    Value::Object(object)
}

/// A field's text; empty when it has none.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A field's whole number; 0 when it has none.
pub fn integer(object: &Value, field: &str) -> i64 {
    object.get(field).and_then(Value::as_i64).unwrap_or_default()
}

/// Lays `fields` over `object`; answers the former values of those that changed.
pub fn change(object: &mut Value, fields: Value) -> Value {
    let mut previous = serde_json::Map::new();
    if let Value::Object(fields) = fields {
        for (name, value) in fields {
            if object[&name] != value {
                previous.insert(name.clone(), object[&name].take());
                object[name] = value;
            }
        }
    }
    Value::Object(previous)
}

/// Whether anything changed, by the former values that [`change`] returned.
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
