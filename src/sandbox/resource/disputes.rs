//! `dispute`: reading, answering, closing. What that does is in `collect::dispute`.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::collect::dispute::{self, DisputeEnding};
use crate::sandbox::fields::merged_metadata;
use crate::sandbox::list::filtered_page;
use crate::sandbox::params::{LIST, boolean, map, text};

pub const ROUTES: &[Route] = &[
    Route::get("/v1/disputes", list).takes(&[LIST, &[text("payment_intent"), text("charge")]]),
    Route::get("/v1/disputes/{}", retrieve),
    Route::post("/v1/disputes/{}", update)
        .takes(&[&[
            text("evidence.product_description"),
            text("evidence.uncategorized_text"),
            boolean("submit"),
            map("metadata"),
        ]])
        .not_built(&["evidence"]),
    Route::post("/v1/disputes/{}/close", close),
];

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    filtered_page(&call.form, "/v1/disputes", call.state.disputes.newest(), &["payment_intent", "charge"])
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.disputes.required("dispute", call.id(), "dispute").cloned()
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut object = retrieve(call)?;
    let id = call.id().to_owned();
    for field in ["product_description", "uncategorized_text"] {
        if let Some(value) = call.form.text(&format!("evidence.{field}")) {
            object["evidence"][field] = json!(value);
        }
    }
    object["metadata"] = merged_metadata(&object["metadata"], &call.form);
    call.state.disputes.put(&id, object);
    if call.form.flag("submit") == Some(true) || call.form.has("evidence") && call.form.flag("submit").is_none() {
        dispute::submit(call.state, &id)?;
    }
    retrieve(call)
}

fn close(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id().to_owned();
    dispute::close(call.state, &id, DisputeEnding::Lost)?;
    retrieve(call)
}
