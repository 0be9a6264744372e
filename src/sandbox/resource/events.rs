//! `event`: reading. `State::emit` makes them.

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, boolean, text};

const TYPES_LIMIT: usize = 20;

pub const ROUTES: &[Route] = &[
    Route::get("/v1/events", list).takes(&[LIST, &[text("type"), text("types.#"), boolean("delivery_success")]]),
    Route::get("/v1/events/{}", retrieve),
];

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let types = form.list("types");
    if types.len() > TYPES_LIMIT {
        return Err(ApiError::invalid(format!("`types` can have at most {TYPES_LIMIT} entries.")).param("types"));
    }
    if !types.is_empty() && form.has("type") {
        let message = "You may only specify one of these parameters: type, types.";
        return Err(ApiError::invalid(message).param("types"));
    }
    let wanted = |row: &&Value| {
        matches(form, row, "type")
            && (types.is_empty() || types.iter().any(|kind| row["type"] == kind.as_str()))
            && form.flag("delivery_success").is_none_or(|success| (row["pending_webhooks"] == 0) == success)
    };
    page(form, "/v1/events", call.state.events.newest().filter(wanted))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.events.required("event", call.id(), "id").cloned()
}
