//! `balance_transaction`: reading. What they are is in `collect::transaction`.

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::collect::transaction;
use crate::sandbox::list::filtered_page;
use crate::sandbox::params::{LIST, text};

pub const ROUTES: &[Route] = &[
    Route::get("/v1/balance_transactions", list)
        .takes(&[LIST, &[text("currency"), text("source"), text("type")]])
        .not_built(&["payout"]),
    Route::get("/v1/balance_transactions/{}", retrieve),
    Route::get("/v1/balance/history/{}", retrieve),
];

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    filtered_page(&call.form, "/v1/balance_transactions", transaction::all(call.state), &["currency", "source", "type"])
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id();
    transaction::find(call.state, id).ok_or_else(|| ApiError::not_found("balance transaction", id, "id"))
}
