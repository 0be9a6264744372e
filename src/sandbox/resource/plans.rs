//! `plan`: a recurring price as programs from before prices read it. Plans are only read here; `prices` makes them.
//! Source: Stripe, "The Plan object".

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::list::filtered_page;
use crate::sandbox::params::{LIST, boolean, text};

pub const ROUTES: &[Route] = &[
    Route::get("/v1/plans", list).takes(&[LIST, &[boolean("active"), text("product")]]),
    Route::get("/v1/plans/{}", retrieve),
];

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let rows: Vec<Value> = call.state.prices.newest().filter_map(of_price).collect();
    filtered_page(&call.form, "/v1/plans", rows.iter(), &["active", "product"])
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let plan = call.state.prices.get(call.id()).and_then(of_price);
    plan.ok_or_else(|| ApiError::not_found("plan", call.id(), "plan"))
}

/// `None`: the price is not recurring.
fn of_price(price: &Value) -> Option<Value> {
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
