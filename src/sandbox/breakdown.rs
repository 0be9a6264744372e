//! `total_details.breakdown` of a checkout session: each discount and tax of its total, with what it is of.

use serde_json::{Value, json};

use crate::sandbox::model::tax;
use crate::sandbox::shape::integer;
use crate::sandbox::state::State;

/// The breakdown of a session's totals.
pub fn of(state: &State, session: &str) -> Value {
    let Some(session) = state.sessions.get(session) else { return Value::Null };
    let object = &session.object;
    let off = integer(&object["total_details"], "amount_discount");
    let discounts: Vec<Value> = session
        .coupon
        .iter()
        .map(|coupon| {
            json!({ "amount": off, "discount": {
            "id": format!("di_1{}", coupon["id"].as_str().unwrap_or_default()), "object": "discount",
            "checkout_session": object["id"], "customer": object["customer"], "customer_account": null, "end": null,
            "invoice": null, "invoice_item": null, "promotion_code": object["discounts"][0]["promotion_code"],
            "source": { "coupon": coupon["id"], "type": "coupon" }, "start": object["created"], "subscription": null,
            "subscription_item": null,
        } })
        })
        .collect();
    let taxed =
        session.items.iter().zip(&session.exclusive).filter(|_| object["automatic_tax"]["status"] == "complete");
    let taxes: Vec<Value> = taxed
        .map(|(item, is_exclusive)| {
            let (amount, taxable) =
                (integer(item, "amount_tax"), integer(item, "amount_subtotal") - integer(item, "amount_discount"));
            json!({
                "amount": amount, "rate": tax::rate(*is_exclusive), "taxability_reason": "standard_rated",
                "taxable_amount": if *is_exclusive { taxable } else { taxable - amount },
            })
        })
        .collect();
    json!({ "discounts": discounts, "taxes": taxes })
}
