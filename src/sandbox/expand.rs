//! `expand[]`: replaces ids by the objects they name, along a path of at most four names. Source: Stripe, "Expanding
//! responses".

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::{invoice_payment, price};
use crate::sandbox::breakdown;
use crate::sandbox::collect::transaction;
use crate::sandbox::rendering::render;
use crate::sandbox::shape::{first_page, text};
use crate::sandbox::state::State;
use crate::sandbox::version::ApiVersion;

const DEPTH_LIMIT: usize = 4;

/// Expands these paths. What is put in has the shape of this version.
pub fn expand(state: &State, object: &mut Value, paths: &[String], version: &ApiVersion) -> Result<(), ApiError> {
    for path in paths {
        let names: Vec<&str> = path.split('.').collect();
        if names.len() > DEPTH_LIMIT {
            let message = format!("You cannot expand more than {DEPTH_LIMIT} levels of a property. (Property: {path})");
            return Err(ApiError::invalid(message).param("expand"));
        }
        walk(state, object, &names, version).map_err(|name| {
            let message = format!(
                "This property cannot be expanded ({name}). You may want to try expanding one of its parents, or check \
                 the path. (This is a stand-in for Stripe: it expands what it has built.)"
            );
            ApiError::invalid(message).param("expand")
        })?;
    }
    Ok(())
}

fn walk(state: &State, value: &mut Value, names: &[&str], version: &ApiVersion) -> Result<(), String> {
    let Some((name, rest)) = names.split_first() else { return Ok(()) };
    if let Value::Array(items) = value {
        return items.iter_mut().try_for_each(|item| walk(state, item, names, version));
    }
    if let Some(mut included) = missing(state, value, name) {
        render(state, &mut included, version);
        value[*name] = included;
    }
    if *name == "total_details" && rest == ["breakdown"] && value["object"] == "checkout.session" {
        let breakdown = breakdown::of(state, text(value, "id"));
        value["total_details"]["breakdown"] = breakdown;
        return Ok(());
    }
    let is_optional = is_optional(value, name);
    match value.get_mut(*name) {
        Some(Value::Null) => Ok(()),
        Some(Value::String(id)) => {
            let mut object = lookup(state, name, id).ok_or_else(|| (*name).to_owned())?;
            render(state, &mut object, version);
            walk(state, &mut object, rest, version)?;
            value[*name] = object;
            Ok(())
        }
        Some(Value::Array(items)) if items.iter().any(Value::is_string) => {
            for item in items {
                if let Some(mut object) = item.as_str().and_then(|id| lookup(state, name, id)) {
                    render(state, &mut object, version);
                    walk(state, &mut object, rest, version)?;
                    *item = object;
                }
            }
            Ok(())
        }
        Some(inner @ (Value::Object(_) | Value::Array(_))) => walk(state, inner, rest, version),
        None if is_optional => Ok(()),
        _ => Err((*name).to_owned()),
    }
}

/// A field that Stripe has in an object only when it is expanded, if the object lacks it.
fn missing(state: &State, value: &Value, name: &str) -> Option<Value> {
    if value.get(name).is_some_and(|field| !field.is_null()) {
        return None;
    }
    let id = text(value, "id");
    Some(match (text(value, "object"), name) {
        ("charge", "refunds") => refunds(state, id),
        ("checkout.session", "line_items") => line_items(state, id),
        ("customer", "sources") => first_page(&[Value::Null; 0], &format!("/v1/customers/{id}/sources")),
        ("customer", "subscriptions") => subscriptions(state, id),
        ("customer", "tax_ids") => tax_ids(state, id),
        ("invoice", "payments") => invoice_payment::list(state, id),
        ("invoice", "confirmation_secret") => confirmation_secret(state, id),
        ("price", "currency_options") => price::currency_options(state, value),
        _ => return None,
    })
}

/// Whether Stripe has this field only in some objects of the kind: tiers of a price that has tiers, the products that a
/// coupon is bound to.
fn is_optional(value: &Value, name: &str) -> bool {
    matches!((text(value, "object"), name), ("coupon", "applies_to" | "currency_options") | ("price", "tiers"))
}

fn lookup(state: &State, name: &str, id: &str) -> Option<Value> {
    let table = match name {
        "balance_transaction" | "failure_balance_transaction" => return transaction::find(state, id),
        "source" => {
            let tables = [&state.charges, &state.refunds, &state.disputes];
            return tables.into_iter().find_map(|table| table.get(id)).cloned();
        }
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
        "schedule" => &state.schedules,
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

fn subscriptions(state: &State, customer: &str) -> Value {
    let of_customer = state.subscriptions.newest().filter(|row| row.is_running_for(customer));
    let rows: Vec<&Value> = of_customer.map(|row| &row.object).collect();
    first_page(&rows, &format!("/v1/customers/{customer}/subscriptions"))
}

fn tax_ids(state: &State, customer: &str) -> Value {
    let rows: Vec<&Value> = state.tax_ids.newest().filter(|row| row["customer"] == customer).collect();
    first_page(&rows, &format!("/v1/customers/{customer}/tax_ids"))
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
