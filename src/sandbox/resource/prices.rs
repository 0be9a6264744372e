//! `price`: a fixed amount per unit, once or every month or year, in one currency or several. Tiers and usage are not
//! built.

use serde_json::{Value, json};

use super::products;
use crate::sandbox::amount::{checked_amount, checked_currency};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::price;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::fields::{merged_metadata, metadata, texts};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, boolean, clearable, integer, map, name_of, one_of, text};
use crate::sandbox::shape::{PRICE, change, filled, text as text_of};
use crate::sandbox::state::State;

const INTERVALS: &[&str] = &["day", "week", "month", "year"];
const TAX_BEHAVIORS: &[&str] = &["exclusive", "inclusive", "unspecified"];
const FIELDS: &[Rule] = &[
    boolean("active"),
    clearable("nickname"),
    clearable("lookup_key"),
    boolean("transfer_lookup_key"),
    map("metadata"),
    integer("currency_options.*.unit_amount"),
    one_of("currency_options.*.tax_behavior", TAX_BEHAVIORS),
    one_of("tax_behavior", TAX_BEHAVIORS),
];
const NEW: &[Rule] = &[
    text("currency").required(),
    integer("unit_amount"),
    text("product"),
    text("product_data.name"),
    map("product_data.metadata"),
    boolean("product_data.active"),
    text("product_data.statement_descriptor"),
    text("product_data.tax_code"),
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
    "product_data.id",
    "recurring.meter",
    "tiers",
    "tiers_mode",
    "transform_quantity",
    "unit_amount_decimal",
];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/prices", create).takes(&[FIELDS, NEW]).not_built(NOT_BUILT),
    Route::get("/v1/prices", list).takes(&[LIST, FILTERS]).not_built(NOT_BUILT),
    Route::get("/v1/prices/{}", retrieve),
    Route::post("/v1/prices/{}", update).takes(&[FIELDS]).not_built(NOT_BUILT),
];

/// Makes a price. `fields` has at least product, currency and `unit_amount`.
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

pub fn recurring(interval: &str, count: i64) -> Value {
    json!({ "interval": interval, "interval_count": count, "meter": null, "trial_period_days": null, "usage_type": "licensed" })
}

/// Refuses an archived price, and a price of an archived product. `param` is the dotted path of the parameter that names
/// it.
pub fn check_active(state: &State, price: &Value, param: &str) -> Result<(), ApiError> {
    let id = text_of(price, "id");
    let is_archived = |product: &Value| product["active"] == false;
    let message = match state.products.get(text_of(price, "product")) {
        _ if price["active"] != true => {
            format!("The price specified is inactive. This field only accepts active prices. ({id})")
        }
        Some(product) if is_archived(product) => {
            format!("Price `{id}` is not available to be purchased because its product is not active.")
        }
        _ => return Ok(()),
    };
    Err(ApiError::invalid(message).param(name_of(param)))
}

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let amount = checked_amount(call.form.integer("unit_amount"), "unit_amount")?;
    let currency = checked_currency(call.form.text("currency").unwrap_or_default(), "currency")?;
    let recurrence = match (call.form.text("recurring.interval"), call.form.has("recurring")) {
        (Some(interval), _) => recurring(interval, call.form.integer("recurring.interval_count").unwrap_or(1)),
        (None, true) => return Err(ApiError::missing("recurring[interval]")),
        (None, false) => Value::Null,
    };
    claim_lookup_key(call, "")?;
    let options = currency_options(call, &currency, &json!({}))?;
    let mut fields = fields(call, &json!({}));
    fields["product"] = product(call)?;
    fields["currency"] = json!(currency);
    fields["unit_amount"] = json!(amount);
    fields["recurring"] = recurrence;
    let price = add(call.state, None, fields);
    call.state.currency_options.put(text_of(&price, "id"), options);
    Ok(price)
}

fn product(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    if let Some(id) = call.form.text("product") {
        let found = call.state.products.get(id).map(|product| product["id"].clone());
        return found.ok_or_else(|| ApiError::no_such("product", id, "product"));
    }
    let Some(name) = call.form.text("product_data.name") else { return Err(ApiError::missing("product")) };
    let word = |name: &str| json!(call.form.text(&format!("product_data.{name}")));
    let fields = json!({
        "name": name, "active": call.form.flag("product_data.active").unwrap_or(true), "unit_label": word("unit_label"),
        "statement_descriptor": word("statement_descriptor"), "tax_code": word("tax_code"),
        "metadata": metadata(&call.form, "product_data.metadata"),
    });
    Ok(products::add(call.state, None, fields)["id"].take())
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let keys = call.form.list("lookup_keys");
    let wanted = |row: &&Value| {
        ["active", "currency", "product", "type"].iter().all(|field| matches(&call.form, row, field))
            && (keys.is_empty() || keys.iter().any(|key| row["lookup_key"] == key.as_str()))
            && call.form.text("recurring.interval").is_none_or(|interval| row["recurring"]["interval"] == interval)
    };
    page(&call.form, "/v1/prices", call.state.prices.newest().filter(wanted))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.prices.required("price", call.id(), "price").cloned()
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut price = retrieve(call)?;
    let id = call.id().to_owned();
    claim_lookup_key(call, &id)?;
    check_tax_behavior(call, &price)?;
    let options = call.state.currency_options.get(&id).cloned().unwrap_or_else(|| json!({}));
    let options = currency_options(call, text_of(&price, "currency"), &options)?;
    call.state.currency_options.put(&id, options);
    let fields = fields(call, &price["metadata"]);
    let previous = change(&mut price, fields);
    call.state.prices.put(&id, price.clone());
    call.state.emit_change("price.updated", price.clone(), previous);
    Ok(price)
}

/// The price's amounts in other currencies after the request.
fn currency_options(call: &ApiCall<'_>, own: &str, before: &Value) -> Result<Value, ApiError> {
    let mut options = before.clone();
    for key in call.form.keys("currency_options") {
        let path = format!("currency_options.{key}");
        let currency = checked_currency(&key, &name_of(&path))?;
        if currency == own {
            let message = "You cannot pass the price's own currency in `currency_options`.";
            return Err(ApiError::invalid(message).param(name_of(&path)));
        }
        let path = format!("{path}.unit_amount");
        let amount = checked_amount(call.form.integer(&path), &name_of(&path))?;
        let behavior = call.form.text(&format!("currency_options.{key}.tax_behavior")).unwrap_or("unspecified");
        options[&currency] = price::option(amount, &json!(behavior));
    }
    Ok(options)
}

/// `tax_behavior` can be set once. Source: Stripe, "Update a price": once specified as inclusive or exclusive, it cannot
/// be changed.
fn check_tax_behavior(call: &ApiCall<'_>, price: &Value) -> Result<(), ApiError> {
    let (now, wanted) = (text_of(price, "tax_behavior"), call.form.text("tax_behavior"));
    if now == "unspecified" || wanted.is_none_or(|wanted| wanted == now) {
        return Ok(());
    }
    let message = "You cannot update `tax_behavior` on a price once it has been set to `inclusive` or `exclusive`.";
    Err(ApiError::invalid(message).param("tax_behavior"))
}

/// A lookup key belongs to one price. It moves only if the request says so.
fn claim_lookup_key(call: &mut ApiCall<'_>, own: &str) -> Result<(), ApiError> {
    let Some(key) = call.form.filled("lookup_key") else { return Ok(()) };
    let holder = call.state.prices.newest().find(|price| price["lookup_key"] == key && price["id"] != own);
    let Some(holder) = holder.and_then(|price| price["id"].as_str()).map(str::to_owned) else { return Ok(()) };
    if call.form.flag("transfer_lookup_key") != Some(true) {
        let message = format!(
            "A price (`{holder}`) already uses that lookup key. Use `transfer_lookup_key` to move it to another price."
        );
        return Err(ApiError::invalid(message).param("lookup_key"));
    }
    if let Some(price) = call.state.prices.get_mut(&holder) {
        price["lookup_key"] = Value::Null;
    }
    Ok(())
}

fn fields(call: &ApiCall<'_>, metadata_before: &Value) -> Value {
    let mut fields = texts(&call.form, &["nickname", "lookup_key"]);
    if let Some(word) = call.form.text("tax_behavior") {
        fields["tax_behavior"] = json!(word);
    }
    if let Some(active) = call.form.flag("active") {
        fields["active"] = json!(active);
    }
    fields["metadata"] = merged_metadata(metadata_before, &call.form);
    fields
}
