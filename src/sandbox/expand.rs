//! `expand[]`: replaces ids by the objects they name, along a path of at most four names. Source: Stripe, "Expanding
//! responses".

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::{invoice_payment, price};
use crate::sandbox::shape::{first_page, text};
use crate::sandbox::state::State;

const DEPTH_LIMIT: usize = 4;

pub fn expand(state: &State, object: &mut Value, paths: &[String]) -> Result<(), ApiError> {
    for path in paths {
        let names: Vec<&str> = path.split('.').collect();
        if names.len() > DEPTH_LIMIT {
            let message = format!("You cannot expand more than {DEPTH_LIMIT} levels of a property. (Property: {path})");
            return Err(ApiError::invalid(message).param("expand"));
        }
        walk(state, object, &names).map_err(|name| {
            let message = format!(
                "This property cannot be expanded ({name}). You may want to try expanding one of its parents, or check \
                 the path. (This is a stand-in for Stripe: it expands what it has built.)"
            );
            ApiError::invalid(message).param("expand")
        })?;
    }
    Ok(())
}

fn walk(state: &State, value: &mut Value, names: &[&str]) -> Result<(), String> {
    let Some((name, rest)) = names.split_first() else { return Ok(()) };
    if let Value::Array(items) = value {
        return items.iter_mut().try_for_each(|item| walk(state, item, names));
    }
    include(state, value, name);
    match value.get_mut(*name) {
        Some(Value::Null) => Ok(()),
        Some(Value::String(id)) => {
            let mut object = lookup(state, name, id).ok_or_else(|| (*name).to_owned())?;
            walk(state, &mut object, rest)?;
            value[*name] = object;
            Ok(())
        }
        Some(Value::Array(items)) if items.iter().any(Value::is_string) => {
            for item in items {
                if let Some(mut object) = item.as_str().and_then(|id| lookup(state, name, id)) {
                    walk(state, &mut object, rest)?;
                    *item = object;
                }
            }
            Ok(())
        }
        Some(inner @ (Value::Object(_) | Value::Array(_))) => walk(state, inner, rest),
        _ => Err((*name).to_owned()),
    }
}

/// Adds a field that Stripe has in an object only when it is expanded.
fn include(state: &State, value: &mut Value, name: &str) {
    if value["object"] == "charge" && name == "refunds" && value.get("refunds").is_none() {
        value["refunds"] = refunds(state, text(value, "id"));
    }
    if value["object"] == "invoice" && name == "payments" && value.get("payments").is_none() {
        value["payments"] = invoice_payment::list(state, text(value, "id"));
    }
    if value["object"] == "invoice" && name == "confirmation_secret" {
        value["confirmation_secret"] = confirmation_secret(state, text(value, "id"));
    }
    if value["object"] == "price" && name == "currency_options" {
        value["currency_options"] = price::currency_options(state, value);
    }
    if value["object"] == "checkout.session" && name == "line_items" && value.get("line_items").is_none() {
        value["line_items"] = line_items(state, text(value, "id"));
    }
}

fn lookup(state: &State, name: &str, id: &str) -> Option<Value> {
    let table = match name {
        "customer" => &state.customers,
        "product" => &state.products,
        "price" | "default_price" => &state.prices,
        "coupon" => &state.coupons,
        "promotion_code" => &state.promotion_codes,
        "payment_intent" => &state.payment_intents,
        "charge" | "latest_charge" => &state.charges,
        "payment_method" | "default_payment_method" => &state.payment_methods,
        "subscription" => return state.subscriptions.get(id).map(|row| row.object.clone()),
        "invoice" | "latest_invoice" => return state.invoices.get(id).map(|row| row.object.clone()),
        "dispute" => &state.disputes,
        "refund" => &state.refunds,
        "customer_balance_transaction" => &state.balance_transactions,
        "discounts" => &state.discounts,
        "test_clock" => &state.test_clocks,
        _ => return None,
    };
    table.get(id).cloned()
}

fn line_items(state: &State, session: &str) -> Value {
    let items = state.sessions.get(session).map(|session| session.items.as_slice()).unwrap_or_default();
    first_page(items, &format!("/v1/checkout/sessions/{session}/line_items"))
}

fn refunds(state: &State, charge: &str) -> Value {
    let rows: Vec<&Value> = state.refunds.newest().filter(|row| row["charge"] == charge).collect();
    first_page(&rows, &format!("/v1/charges/{charge}/refunds"))
}

/// What a browser needs to confirm the payment of an invoice.
fn confirmation_secret(state: &State, invoice: &str) -> Value {
    let payment = state.invoice_payments.newest().find(|row| row["invoice"] == invoice);
    let intent = payment.and_then(|row| state.payment_intents.get(invoice_payment::intent_of(row)));
    intent
        .map(|intent| json!({ "client_secret": intent["client_secret"], "type": "payment_intent" }))
        .unwrap_or_default()
}
