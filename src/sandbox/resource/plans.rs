//! `plan`: a recurring price as programs from before prices read it. Plans are only read here; `prices` makes them.
//! Source: Stripe, "The Plan object".

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::price::plan;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::list::filtered_page;
use crate::sandbox::params::{LIST, boolean, text};

pub const ROUTES: &[Route] = &[
    Route::get("/v1/plans", list).takes(&[LIST, &[boolean("active"), text("product")]]),
    Route::get("/v1/plans/{}", retrieve),
];

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let rows: Vec<Value> = call.state.prices.newest().filter_map(plan).collect();
    filtered_page(&call.form, "/v1/plans", rows.iter(), &["active", "product"])
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let found = call.state.prices.get(call.id()).and_then(plan);
    found.ok_or_else(|| ApiError::not_found("plan", call.id(), "plan"))
}
