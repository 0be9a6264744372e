//! What a price costs in a currency: in its own, or in one of its `currency_options`. Source: Stripe, "Manual currency
//! prices". Only `currency_options` is written here; the rest of a price is in `resource::prices`.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::model::tax;
use crate::sandbox::shape::{integer, text};
use crate::sandbox::state::State;

/// The price of one, in the minor unit of `currency`. `None`: the price is not sold in it.
pub fn unit_in(state: &State, price: &Value, currency: &str) -> Option<i64> {
    if text(price, "currency") == currency {
        return Some(integer(price, "unit_amount"));
    }
    state.currency_options.get(text(price, "id"))?[currency]["unit_amount"].as_i64()
}

/// The price of one in this currency. `param` is what the error names.
pub fn required_unit(state: &State, price: &Value, currency: &str, param: &str) -> Result<i64, ApiError> {
    unit_in(state, price, currency).ok_or_else(|| {
        let own = text(price, "currency");
        let message = format!(
            "The price specified only supports `{own}` and its currency options. This doesn't match the expected \
             currency: `{currency}`."
        );
        ApiError::invalid(message).param(param)
    })
}

/// Whether tax comes on top of the price in this currency.
pub fn is_exclusive(state: &State, price: &Value, currency: &str) -> bool {
    let behavior = match text(price, "currency") == currency {
        true => text(price, "tax_behavior"),
        false => {
            let options = state.currency_options.get(text(price, "id"));
            options.map(|options| text(&options[currency], "tax_behavior")).unwrap_or_default()
        }
    };
    tax::is_exclusive(behavior, currency)
}

/// `currency_options` as Stripe shows it when it is expanded: the price's own currency is among them.
pub fn currency_options(state: &State, price: &Value) -> Value {
    let own = option(integer(price, "unit_amount"), &price["tax_behavior"]);
    let mut shown = state.currency_options.get(text(price, "id")).cloned().unwrap_or_else(|| json!({}));
    shown[text(price, "currency")] = own;
    shown
}

/// One entry of `currency_options`.
pub fn option(unit_amount: i64, tax_behavior: &Value) -> Value {
    json!({
        "custom_unit_amount": null, "tax_behavior": tax_behavior, "unit_amount": unit_amount,
        "unit_amount_decimal": unit_amount.to_string(),
    })
}

/// A recurring price as programs from before prices read it. Source: Stripe, "The Plan object".
pub fn plan(price: &Value) -> Option<Value> {
    let recurring = price["recurring"].as_object()?;
    Some(json!({
        "id": price["id"], "object": "plan", "active": price["active"], "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"], "billing_scheme": "per_unit", "created": price["created"],
        "currency": price["currency"], "interval": recurring["interval"], "interval_count": recurring["interval_count"],
        "livemode": false, "metadata": price["metadata"], "meter": null, "nickname": price["nickname"],
        "product": price["product"], "tiers_mode": null, "transform_usage": null, "trial_period_days": null,
        "usage_type": "licensed",
    }))
}

/// Refuses a second currency for one customer. Source: Stripe's message "You cannot combine currencies on a single
/// customer".
pub fn check_customers_currency(state: &State, customer: &str, currency: &str) -> Result<(), ApiError> {
    let subscribed = state.subscriptions.oldest().find(|row| row.is_running_for(customer));
    let owed = state
        .invoices
        .oldest()
        .map(|row| &row.object)
        .find(|row| row["customer"] == customer && matches!(text(row, "status"), "draft" | "open"));
    let waiting = state.invoice_items.oldest().find(|row| row["customer"] == customer && row["invoice"].is_null());
    let balance = state.customers.get(customer).filter(|row| integer(row, "balance") != 0);
    let held = [subscribed.map(|row| &row.object), owed, waiting, balance];
    let other =
        held.into_iter().flatten().map(|row| text(row, "currency")).find(|own| !own.is_empty() && *own != currency);
    match other {
        None => Ok(()),
        Some(other) => Err(ApiError::invalid(format!(
            "You cannot combine currencies on a single customer. This customer has an active subscription, subscription \
             schedule, discount, quote, or invoice item with currency {other}."
        ))),
    }
}
