//! `promotion_code`: the word a buyer types to have a coupon's discount.

use serde_json::{Value, json};

use super::metadata;
use crate::sandbox::api::{Call, Route};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, boolean, map, one_of, text};
use crate::sandbox::refusal::Refusal;
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

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/v1/promotion_codes", rules: &[NEW], not_built: NOT_BUILT, handler: create },
    Route { method: "GET", path: "/v1/promotion_codes", rules: &[LIST, FILTERS], not_built: NOT_BUILT, handler: list },
    Route { method: "GET", path: "/v1/promotion_codes/{}", rules: &[], not_built: &[], handler: retrieve },
    Route {
        method: "POST",
        path: "/v1/promotion_codes/{}",
        rules: &[&[boolean("active"), map("metadata")]],
        not_built: NOT_BUILT,
        handler: update,
    },
];

/// Makes a promotion code for a coupon.
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

/// The active promotion code of these letters, in whatever case, as Stripe compares them.
pub fn find<'s>(state: &'s State, code: &str) -> Option<&'s Value> {
    let is_it =
        |row: &&Value| row["active"] == true && row["code"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(code));
    state.promotion_codes.newest().find(is_it)
}

fn create(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let coupon = call.form.text("promotion.coupon").ok_or_else(|| Refusal::missing("promotion[coupon]"))?.to_owned();
    if call.state.coupons.get(&coupon).is_none() {
        return Err(Refusal::no_such("coupon", &coupon, "promotion[coupon]"));
    }
    let code = match call.form.text("code") {
        Some(code) => code.to_owned(),
        None => call.state.new_id("", 8).to_ascii_uppercase(),
    };
    if find(call.state, &code).is_some() {
        let message = "There is an active promotion code of these letters. Deactivate it, or use another code.";
        return Err(Refusal::invalid(message).param("code"));
    }
    let fields = json!({
        "active": call.form.flag("active").unwrap_or(true),
        "metadata": metadata(&json!({}), &call.form, "metadata"),
    });
    Ok(add(call.state, &code, &coupon, fields))
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let wanted = |row: &&Value| {
        matches(&call.form, row, "active")
            && matches(&call.form, row, "code")
            && call.form.text("coupon").is_none_or(|coupon| row["promotion"]["coupon"] == coupon)
    };
    page(&call.form, "/v1/promotion_codes", call.state.promotion_codes.newest().filter(wanted))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let found = call.state.promotion_codes.get(call.id()).cloned();
    found.ok_or_else(|| Refusal::not_found("promotion code", call.id(), "promotion_code"))
}

fn update(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut promotion = retrieve(call)?;
    let id = call.id().to_owned();
    if let Some(active) = call.form.flag("active") {
        promotion["active"] = json!(active);
    }
    promotion["metadata"] = metadata(&promotion["metadata"], &call.form, "metadata");
    call.state.promotion_codes.put(&id, promotion.clone());
    call.state.emit("promotion_code.updated", promotion.clone());
    Ok(promotion)
}
