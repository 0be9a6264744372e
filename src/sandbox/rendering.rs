//! Objects in the shape of an older API version. They are stored in the newest shape; what moved or went since then is put
//! back where the version had it. Source: Stripe's changelog, releases basil, clover and dahlia.

use serde_json::{Value, json};

use crate::sandbox::billing::{invoice_payment, price};
use crate::sandbox::shape::{change, integer, text};
use crate::sandbox::state::State;
use crate::sandbox::version::ApiVersion;

const BASIL: &str = "2025-03-31";
const CLOVER: &str = "2025-09-30";
const DAHLIA: &str = "2026-03-25";

/// Gives an object, and those in it, the shape of this version. Events keep the shape of the version that they name.
pub fn render(state: &State, value: &mut Value, version: &ApiVersion) {
    if !version.is_before(DAHLIA) || value["object"] == "event" {
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| render(state, item, version)),
        Value::Object(fields) => fields.values_mut().for_each(|field| render(state, field, version)),
        _ => return,
    }
    let kind = text(value, "object").to_owned();
    if version.is_before(BASIL) {
        match kind.as_str() {
            "subscription" => before_basil_subscription(value),
            "subscription_item" => value["plan"] = json!(price::plan(&value["price"])),
            "invoice" => before_basil_invoice(state, value),
            "line_item" => before_basil_line(state, value),
            "charge" | "payment_intent" => before_basil_payment(state, value, &kind),
            _ => {}
        }
    }
    if version.is_before(CLOVER) {
        match kind.as_str() {
            "discount" => move_coupon(state, value, "source"),
            "promotion_code" => move_coupon(state, value, "promotion"),
            _ => {}
        }
    }
    if kind == "checkout.session" && value["ui_mode"] == "hosted_page" {
        value["ui_mode"] = json!("hosted");
    }
}

fn remove(value: &mut Value, names: &[&str]) {
    if let Some(fields) = value.as_object_mut() {
        for name in names {
            fields.remove(*name);
        }
    }
}

fn before_basil_subscription(value: &mut Value) {
    let item = value["items"]["data"][0].clone();
    let fields = json!({
        "current_period_end": item["current_period_end"], "current_period_start": item["current_period_start"],
        "discount": null, "plan": item["plan"], "quantity": item["quantity"],
    });
    change(value, fields);
}

fn before_basil_invoice(state: &State, value: &mut Value) {
    let details = value["parent"]["subscription_details"].clone();
    let intent = intent_of(state, text(value, "id"));
    let charge = intent.and_then(|id| state.payment_intents.get(id)).map(|intent| intent["latest_charge"].clone());
    let taxes: i64 = sum(&value["total_taxes"]);
    let fields = json!({
        "charge": charge, "discount": null, "paid": value["status"] == "paid", "paid_out_of_band": false,
        "payment_intent": intent, "quote": null, "subscription": details["subscription"],
        "subscription_details": { "metadata": details["metadata"] },
        "tax": value["total_taxes"].as_array().filter(|taxes| !taxes.is_empty()).map(|_| taxes),
        "total_tax_amounts": older_taxes(&value["total_taxes"]), "transfer_data": null,
    });
    change(value, fields);
    remove(value, &["amount_overpaid", "confirmation_secret", "parent", "payments", "total_taxes"]);
}

fn before_basil_line(state: &State, value: &mut Value) {
    // A line of a checkout session has the same name, and never had a parent.
    if value.get("parent").is_none() {
        return;
    }
    let by_item = value["parent"]["type"] == "subscription_item_details";
    let details = value["parent"][if by_item { "subscription_item_details" } else { "invoice_item_details" }].clone();
    let price = state.prices.get(text(&value["pricing"]["price_details"], "price")).cloned();
    let fields = json!({
        "invoice_item": details["invoice_item"], "plan": price.as_ref().and_then(price::plan), "price": price, "proration": details["proration"] == true,
        "proration_details": { "credited_items": null }, "subscription": details["subscription"],
        "subscription_item": details["subscription_item"], "tax_amounts": older_taxes(&value["taxes"]), "tax_rates": [],
        "type": if by_item { "subscription" } else { "invoiceitem" },
    });
    change(value, fields);
    remove(value, &["parent", "pricing", "taxes"]);
}

fn before_basil_payment(state: &State, value: &mut Value, kind: &str) {
    let intent = if kind == "charge" { text(value, "payment_intent") } else { text(value, "id") };
    let payment = state.invoice_payments.newest().find(|row| row["payment"]["payment_intent"] == intent);
    value["invoice"] = payment.map(|payment| payment["invoice"].clone()).unwrap_or_default();
}

/// The coupon was a field of its own, as an object.
fn move_coupon(state: &State, value: &mut Value, place: &str) {
    let coupon = &value[place]["coupon"];
    let whole = match coupon {
        Value::String(id) => state.coupons.get(id).cloned().unwrap_or_default(),
        whole => whole.clone(),
    };
    value["coupon"] = whole;
    remove(value, &[place]);
}

fn intent_of<'s>(state: &'s State, invoice: &str) -> Option<&'s str> {
    let payment = state.invoice_payments.newest().find(|row| row["invoice"] == invoice)?;
    Some(invoice_payment::intent_of(payment))
}

fn sum(taxes: &Value) -> i64 {
    taxes.as_array().map(|taxes| taxes.iter().map(|tax| integer(tax, "amount")).sum()).unwrap_or_default()
}

fn older_taxes(taxes: &Value) -> Value {
    let older = |tax: &Value| {
        json!({
            "amount": tax["amount"], "inclusive": tax["tax_behavior"] == "inclusive",
            "tax_rate": tax["tax_rate_details"]["tax_rate"], "taxability_reason": tax["taxability_reason"],
            "taxable_amount": tax["taxable_amount"],
        })
    };
    taxes.as_array().map(|taxes| taxes.iter().map(older).collect()).unwrap_or_else(|| json!([]))
}
