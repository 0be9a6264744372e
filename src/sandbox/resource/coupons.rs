//! `coupon`. What one takes off is in `model::coupon`.

use serde_json::{Value, json};

use crate::sandbox::amount::{checked_amount, checked_currency};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::fields::{metadata, texts};
use crate::sandbox::list::page;
use crate::sandbox::params::{LIST, Rule, decimal, hundredths, integer, map, one_of, text};
use crate::sandbox::shape::{COUPON, deleted, filled};
use crate::sandbox::state::State;

const NEW: &[Rule] = &[
    text("id"),
    text("name"),
    decimal("percent_off"),
    integer("amount_off"),
    text("currency"),
    one_of("duration", &["once", "forever", "repeating"]),
    integer("duration_in_months"),
    map("metadata"),
];
const NOT_BUILT: &[&str] = &["applies_to", "currency_options", "max_redemptions", "redeem_by"];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/coupons", create).takes(&[NEW]).not_built(NOT_BUILT),
    Route::get("/v1/coupons", list).takes(&[LIST]),
    Route::get("/v1/coupons/{}", retrieve),
    Route::delete("/v1/coupons/{}", delete),
];

pub fn add(state: &mut State, id: Option<&str>, fields: Value) -> Value {
    let id = id.map_or_else(|| state.new_id("", 8), str::to_owned);
    let mut coupon = filled(COUPON, fields);
    coupon["id"] = json!(id);
    coupon["created"] = json!(state.now());
    state.coupons.put(&id, coupon.clone());
    state.emit("coupon.created", coupon.clone());
    coupon
}

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let duration = form.text("duration").unwrap_or("once").to_owned();
    let percent = form.text("percent_off").filter(|text| (1..=10_000).contains(&hundredths(text).unwrap_or_default()));
    let mut fields = texts(form, &["name"]);
    match (percent, form.has("amount_off")) {
        (Some(percent), false) => fields["percent_off"] = serde_json::from_str(percent).unwrap_or_default(),
        (None, true) => {
            let currency = form.text("currency").ok_or_else(|| ApiError::missing("currency"))?;
            fields["amount_off"] = json!(checked_amount(form.integer("amount_off"), "amount_off")?);
            fields["currency"] = json!(checked_currency(currency, "currency")?);
        }
        _ => return Err(ApiError::invalid("Must provide either percent_off (0.01 to 100) or amount_off.")),
    }
    if duration == "repeating" {
        let months = form.integer("duration_in_months").ok_or_else(|| ApiError::missing("duration_in_months"))?;
        fields["duration_in_months"] = json!(months);
    }
    fields["duration"] = json!(duration);
    fields["metadata"] = metadata(form, "metadata");
    let id = form.text("id").map(str::to_owned);
    if id.as_deref().is_some_and(|id| call.state.coupons.get(id).is_some()) {
        return Err(ApiError::invalid("Coupon already exists.").code("resource_already_exists").param("id"));
    }
    Ok(add(call.state, id.as_deref(), fields))
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    page(&call.form, "/v1/coupons", call.state.coupons.newest())
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.coupons.required("coupon", call.id(), "coupon").cloned()
}

fn delete(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let coupon = retrieve(call)?;
    let id = call.id().to_owned();
    call.state.coupons.remove(&id);
    call.state.emit("coupon.deleted", coupon);
    Ok(deleted("coupon", &id))
}
