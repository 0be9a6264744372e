//! `price`: a fixed amount per unit, once or every month or year. Tiers, usage and other currencies are not built.

use serde_json::{Value, json};

use super::{change, metadata, products, texts};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, boolean, clearable, integer, map, one_of, text};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::shape::{PRICE, filled};
use crate::sandbox::state::State;

/// Stripe's limit on an amount, in the currency's minor unit.
pub const AMOUNT_LIMIT: i64 = 99_999_999;

const INTERVALS: &[&str] = &["day", "week", "month", "year"];
const FIELDS: &[Rule] = &[
    boolean("active"),
    clearable("nickname"),
    clearable("lookup_key"),
    boolean("transfer_lookup_key"),
    map("metadata"),
];
const NEW: &[Rule] = &[
    text("currency").required(),
    integer("unit_amount"),
    text("product"),
    text("product_data.name"),
    map("product_data.metadata"),
    text("product_data.unit_label"),
    one_of("recurring.interval", INTERVALS),
    integer("recurring.interval_count"),
    one_of("recurring.usage_type", &["licensed"]),
    one_of("billing_scheme", &["per_unit"]),
];
const FILTERS: &[Rule] = &[
    boolean("active"),
    text("currency"),
    text("product"),
    text("lookup_keys.#"),
    one_of("type", &["one_time", "recurring"]),
    one_of("recurring.interval", INTERVALS),
];
const NOT_BUILT: &[&str] = &[
    "currency_options",
    "custom_unit_amount",
    "product_data.active",
    "product_data.id",
    "product_data.statement_descriptor",
    "product_data.tax_code",
    "recurring.meter",
    "tax_behavior",
    "tiers",
    "tiers_mode",
    "transform_quantity",
    "unit_amount_decimal",
];

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/v1/prices", rules: &[FIELDS, NEW], not_built: NOT_BUILT, handler: create },
    Route { method: "GET", path: "/v1/prices", rules: &[LIST, FILTERS], not_built: NOT_BUILT, handler: list },
    Route { method: "GET", path: "/v1/prices/{}", rules: &[], not_built: &[], handler: retrieve },
    Route { method: "POST", path: "/v1/prices/{}", rules: &[FIELDS], not_built: NOT_BUILT, handler: update },
];

/// Makes a price from fields of its object: at least product, currency and `unit_amount`.
pub fn add(state: &mut State, id: Option<&str>, fields: Value) -> Value {
    let id = id.map_or_else(|| state.new_id("price_1", 24), str::to_owned);
    let mut price = filled(PRICE, fields);
    price["id"] = json!(id);
    price["created"] = json!(state.now());
    price["unit_amount_decimal"] = json!(price["unit_amount"].to_string());
    price["type"] = json!(if price["recurring"].is_null() { "one_time" } else { "recurring" });
    state.prices.put(&id, price.clone());
    state.emit("price.created", price.clone());
    price
}

/// `recurring` as Stripe writes it.
pub fn recurring(interval: &str, count: i64) -> Value {
    json!({ "interval": interval, "interval_count": count, "meter": null, "trial_period_days": null, "usage_type": "licensed" })
}

/// An amount that a price may have, or why not; `param` is what to name in the refusal.
pub fn checked_amount(amount: Option<i64>, param: &str) -> Result<i64, Refusal> {
    let amount = amount.ok_or_else(|| Refusal::missing(param))?;
    if amount < 0 {
        return Err(Refusal::invalid("Invalid non-negative integer").code("parameter_invalid_integer").param(param));
    }
    if amount > AMOUNT_LIMIT {
        return Err(Refusal::invalid("Amount must be no more than $999,999.99").code("amount_too_large").param(param));
    }
    Ok(amount)
}

/// A currency in lower case, or why it is none.
pub fn checked_currency(currency: &str, param: &str) -> Result<String, Refusal> {
    let lower = currency.to_ascii_lowercase();
    match lower.len() == 3 && lower.bytes().all(|byte| byte.is_ascii_lowercase()) {
        true => Ok(lower),
        false => Err(Refusal::invalid(format!("Invalid currency: {currency}.")).param(param)),
    }
}

fn create(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let amount = checked_amount(call.form.integer("unit_amount"), "unit_amount")?;
    let currency = checked_currency(call.form.text("currency").unwrap_or_default(), "currency")?;
    let rhythm = match (call.form.text("recurring.interval"), call.form.has("recurring")) {
        (Some(interval), _) => recurring(interval, call.form.integer("recurring.interval_count").unwrap_or(1)),
        (None, true) => return Err(Refusal::missing("recurring[interval]")),
        (None, false) => Value::Null,
    };
    claim_lookup_key(call, "")?;
    let mut fields = fields(call, &json!({}));
    fields["product"] = product(call)?;
    fields["currency"] = json!(currency);
    fields["unit_amount"] = json!(amount);
    fields["recurring"] = rhythm;
    Ok(add(call.state, None, fields))
}

fn product(call: &mut Call<'_>) -> Result<Value, Refusal> {
    if let Some(id) = call.form.text("product") {
        let found = call.state.products.get(id).map(|product| product["id"].clone());
        return found.ok_or_else(|| Refusal::no_such("product", id, "product"));
    }
    let Some(name) = call.form.text("product_data.name") else { return Err(Refusal::missing("product")) };
    let fields = json!({
        "name": name,
        "unit_label": call.form.text("product_data.unit_label"),
        "metadata": metadata(&json!({}), &call.form, "product_data.metadata"),
    });
    Ok(products::add(call.state, None, fields)["id"].take())
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let keys = call.form.list("lookup_keys");
    let wanted = |row: &&Value| {
        ["active", "currency", "product", "type"].iter().all(|field| matches(&call.form, row, field))
            && (keys.is_empty() || keys.iter().any(|key| row["lookup_key"] == key.as_str()))
            && call.form.text("recurring.interval").is_none_or(|interval| row["recurring"]["interval"] == interval)
    };
    page(&call.form, "/v1/prices", call.state.prices.newest().filter(wanted))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    call.state.prices.get(call.id()).cloned().ok_or_else(|| Refusal::not_found("price", call.id(), "price"))
}

fn update(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut price = retrieve(call)?;
    let id = call.id().to_owned();
    claim_lookup_key(call, &id)?;
    let fields = fields(call, &price["metadata"]);
    let previous = change(&mut price, fields);
    call.state.prices.put(&id, price.clone());
    call.state.emit_change("price.updated", price.clone(), previous);
    Ok(price)
}

/// A lookup key belongs to one price; it moves only when the request says so.
fn claim_lookup_key(call: &mut Call<'_>, own: &str) -> Result<(), Refusal> {
    let Some(key) = call.form.filled("lookup_key") else { return Ok(()) };
    let holder = call.state.prices.newest().find(|price| price["lookup_key"] == key && price["id"] != own);
    let Some(holder) = holder.and_then(|price| price["id"].as_str()).map(str::to_owned) else { return Ok(()) };
    if call.form.flag("transfer_lookup_key") != Some(true) {
        let message = format!(
            "A price (`{holder}`) already uses that lookup key. Use `transfer_lookup_key` to move it to another price."
        );
        return Err(Refusal::invalid(message).param("lookup_key"));
    }
    if let Some(price) = call.state.prices.get_mut(&holder) {
        price["lookup_key"] = Value::Null;
    }
    Ok(())
}

fn fields(call: &Call<'_>, metadata_before: &Value) -> Value {
    let mut fields = texts(&call.form, &["nickname", "lookup_key"]);
    if let Some(active) = call.form.flag("active") {
        fields["active"] = json!(active);
    }
    fields["metadata"] = metadata(metadata_before, &call.form, "metadata");
    fields
}
