//! What the calls that start, change and preview a subscription share.

use serde_json::{Value, json};

use super::prices::check_active;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::ApiCall;
use crate::sandbox::card::Card;
use crate::sandbox::collect::payment_method;
use crate::sandbox::model::subscription::StoredSubscription;
use crate::sandbox::params::{Rule, boolean, clearable, integer, map, name_of, one_of, text};

pub const FIELDS: &[Rule] = &[
    text("items.#.price"),
    integer("items.#.quantity"),
    map("items.#.metadata"),
    text("default_payment_method"),
    boolean("automatic_tax.enabled"),
    boolean("cancel_at_period_end"),
    one_of("collection_method", &["charge_automatically"]),
    text("discounts.#.coupon"),
    text("discounts.#.promotion_code"),
    map("metadata"),
    boolean("off_session"),
    one_of("payment_behavior", &["allow_incomplete", "default_incomplete", "error_if_incomplete"]),
    one_of("payment_settings.save_default_payment_method", &["off", "on_subscription"]),
    one_of("proration_behavior", &["always_invoice", "create_prorations", "none"]),
    text("trial_end"),
    one_of("trial_settings.end_behavior.missing_payment_method", &["cancel", "create_invoice", "pause"]),
];

/// What is only kept and shown.
pub const KEPT: &[Rule] = &[
    clearable("description"),
    clearable("payment_settings.payment_method_types"),
    text("payment_settings.payment_method_types.#"),
    one_of("payment_settings.payment_method_options.card.request_three_d_secure", &["any", "automatic", "challenge"]),
];

pub const NOT_BUILT: &[&str] = &[
    "add_invoice_items",
    "application_fee_percent",
    "automatic_tax.liability",
    "backdate_start_date",
    "billing_cycle_anchor",
    "billing_cycle_anchor_config",
    "billing_mode",
    "billing_schedules",
    "billing_thresholds",
    "current_period_end",
    "current_period_start",
    "customer_account",
    "days_until_due",
    "default_source",
    "default_tax_rates",
    "invoice_settings",
    "items.#.billing_thresholds",
    "items.#.clear_usage",
    "items.#.discounts",
    "items.#.price_data",
    "items.#.tax_rates",
    "on_behalf_of",
    "payment_settings",
    "pending_invoice_item_interval",
    "transfer_data",
    "trial_from_plan",
];

/// The price that a parameter names. It must be recurring and active.
pub fn price_at(call: &ApiCall<'_>, param: &str) -> Result<Option<Value>, ApiError> {
    let Some(id) = call.form.text(param) else { return Ok(None) };
    let price = call.state.prices.get(id).ok_or_else(|| ApiError::no_such("price", id, name_of(param)))?;
    if price["recurring"].is_null() {
        let message = format!(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`. ({id})"
        );
        return Err(ApiError::invalid(message).param(name_of(param)));
    }
    check_active(call.state, price, param)?;
    Ok(Some(price.clone()))
}

pub fn quantity_at(call: &ApiCall<'_>, path: &str) -> Result<Option<i64>, ApiError> {
    let param = format!("{path}.quantity");
    match call.form.integer(&param) {
        Some(quantity) if !(0..=999_999).contains(&quantity) => {
            let message = "Invalid integer: a quantity must be from 0 to 999999.";
            Err(ApiError::invalid(message).code("parameter_invalid_integer").param(name_of(&param)))
        }
        quantity => Ok(quantity),
    }
}

/// The payment method that the request names. It must belong to the customer; a test name such as `pm_card_visa` is
/// attached.
pub fn default_method(call: &mut ApiCall<'_>, customer: &str) -> Result<Option<Value>, ApiError> {
    const PARAM: &str = "default_payment_method";
    let Some(id) = call.form.filled(PARAM).map(str::to_owned) else { return Ok(None) };
    let method = payment_method::named(call.state, &id, PARAM)?;
    if method["customer"].is_null() && Card::named(&id).is_some() {
        return payment_method::attach(call.state, &method, customer).map(Some);
    }
    if method["customer"] != customer {
        let message = format!("The customer does not have a payment method with the ID {id}.");
        return Err(ApiError::invalid(message).code("resource_missing").param(PARAM));
    }
    Ok(Some(method))
}

pub fn find(call: &ApiCall<'_>, id: &str) -> Result<StoredSubscription, ApiError> {
    call.state.subscriptions.required("subscription", id, "id").cloned()
}

/// `automatic_tax` of a subscription.
pub fn automatic_tax(enabled: bool) -> Value {
    let liability = if enabled { json!({ "type": "self" }) } else { Value::Null };
    json!({ "disabled_reason": null, "enabled": enabled, "liability": liability })
}
