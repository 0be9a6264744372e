//! `discounts` of a request: the coupon that it names, directly or by a promotion code.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::ApiCall;
use crate::sandbox::params::name_of;
use crate::sandbox::shape::text;

/// The coupon of `discounts[0]`, and the session's `discounts`.
pub fn read(call: &ApiCall<'_>) -> Result<(Option<Value>, Value), ApiError> {
    let paths = call.form.items("discounts");
    let Some(path) = paths.first() else { return Ok((None, json!([]))) };
    if paths.len() > 1 {
        let message = "You can only apply one discount to a Checkout Session.";
        return Err(ApiError::invalid(message).param("discounts"));
    }
    let state = &call.state;
    if let Some(id) = call.form.text(&format!("{path}.promotion_code")) {
        let param = name_of(&format!("{path}.promotion_code"));
        let promotion = state.promotion_codes.get(id).filter(|promotion| promotion["active"] == true);
        let promotion = promotion.ok_or_else(|| ApiError::no_such("promotion code", id, param))?;
        let coupon = state.coupons.get(text(&promotion["promotion"], "coupon")).cloned();
        return Ok((coupon, json!([{ "coupon": null, "promotion_code": id }])));
    }
    let param = format!("{path}.coupon");
    let id = call.form.text(&param).ok_or_else(|| ApiError::missing(&name_of(&param)))?;
    let coupon = state.coupons.get(id).cloned().ok_or_else(|| ApiError::no_such("coupon", id, name_of(&param)))?;
    Ok((Some(coupon), json!([{ "coupon": id, "promotion_code": null }])))
}

/// The coupon of `discounts[0]`, and the promotion code that gave it.
pub fn coupon(call: &ApiCall<'_>) -> Result<Option<(Value, Value)>, ApiError> {
    let (coupon, discounts) = read(call)?;
    Ok(coupon.map(|coupon| (coupon, discounts[0]["promotion_code"].clone())))
}
