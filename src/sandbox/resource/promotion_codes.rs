//! `promotion_code`: the word that a buyer types to get a coupon's discount.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::discount::find_promotion;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::fields::{merged_metadata, metadata};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, boolean, map, one_of, text};
use crate::sandbox::shape::{PROMOTION_CODE, filled};
use crate::sandbox::state::State;

const NEW: &[Rule] = &[
    one_of("promotion.type", &["coupon"]).required(),
    text("promotion.coupon"),
    text("code"),
    boolean("active"),
    map("metadata"),
];
const FILTERS: &[Rule] = &[boolean("active"), text("code"), text("coupon")];
const NOT_BUILT: &[&str] = &["customer", "customer_account", "expires_at", "max_redemptions", "restrictions"];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/promotion_codes", create).takes(&[NEW]).not_built(NOT_BUILT),
    Route::get("/v1/promotion_codes", list).takes(&[LIST, FILTERS]).not_built(NOT_BUILT),
    Route::get("/v1/promotion_codes/{}", retrieve),
    Route::post("/v1/promotion_codes/{}", update).takes(&[&[boolean("active"), map("metadata")]]).not_built(NOT_BUILT),
];

pub fn add(state: &mut State, code: &str, coupon: &str, fields: Value) -> Value {
    let id = state.new_id("promo_1", 24);
    let mut promotion = filled(PROMOTION_CODE, fields);
    promotion["id"] = json!(id);
    promotion["created"] = json!(state.now());
    promotion["code"] = json!(code);
    promotion["promotion"] = json!({ "type": "coupon", "coupon": coupon });
    state.promotion_codes.put(&id, promotion.clone());
    state.emit("promotion_code.created", promotion.clone());
    promotion
}

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let coupon = call.form.text("promotion.coupon").ok_or_else(|| ApiError::missing("promotion[coupon]"))?.to_owned();
    if call.state.coupons.get(&coupon).is_none() {
        return Err(ApiError::no_such("coupon", &coupon, "promotion[coupon]"));
    }
    let code = match call.form.text("code") {
        Some(code) => code.to_owned(),
        None => call.state.new_id("", 8).to_ascii_uppercase(),
    };
    if find_promotion(call.state, &code).is_some() {
        let message = "There is already an active promotion code with this text. Deactivate it, or use another code.";
        return Err(ApiError::invalid(message).param("code"));
    }
    let fields = json!({
        "active": call.form.flag("active").unwrap_or(true),
        "metadata": metadata(&call.form, "metadata"),
    });
    Ok(add(call.state, &code, &coupon, fields))
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let wanted = |row: &&Value| {
        matches(&call.form, row, "active")
            && matches(&call.form, row, "code")
            && call.form.text("coupon").is_none_or(|coupon| row["promotion"]["coupon"] == coupon)
    };
    page(&call.form, "/v1/promotion_codes", call.state.promotion_codes.newest().filter(wanted))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.promotion_codes.required("promotion code", call.id(), "promotion_code").cloned()
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut promotion = retrieve(call)?;
    let id = call.id().to_owned();
    if let Some(active) = call.form.flag("active") {
        promotion["active"] = json!(active);
    }
    promotion["metadata"] = merged_metadata(&promotion["metadata"], &call.form);
    call.state.promotion_codes.put(&id, promotion.clone());
    call.state.emit("promotion_code.updated", promotion.clone());
    Ok(promotion)
}
