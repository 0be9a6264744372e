//! `subscription_item`: reading. `subscriptions` makes and changes them.

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::list::page;
use crate::sandbox::params::{LIST, text};

pub const ROUTES: &[Route] = &[
    Route::get("/v1/subscription_items", list).takes(&[LIST, &[text("subscription").required()]]),
    Route::get("/v1/subscription_items/{}", retrieve),
];

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.form.text("subscription").unwrap_or_default();
    let row = call.state.subscriptions.get(id).ok_or_else(|| ApiError::no_such("subscription", id, "subscription"))?;
    page(&call.form, "/v1/subscription_items", row.items().iter())
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id();
    let found = call.state.subscriptions.newest().flat_map(|row| row.items()).find(|item| item["id"] == id).cloned();
    found.ok_or_else(|| ApiError::not_found("subscription_item", id, "item"))
}
