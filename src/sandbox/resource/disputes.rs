//! `dispute`: asking about them, and answering one. How one begins and ends is `dispute`.

use serde_json::{Value, json};

use super::metadata;
use crate::sandbox::api::{Call, Route};
use crate::sandbox::dispute::{self, Ending};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, boolean, map, text};
use crate::sandbox::refusal::Refusal;

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/disputes",
        rules: &[LIST, &[text("payment_intent"), text("charge")]],
        not_built: &[],
        handler: list,
    },
    Route { method: "GET", path: "/v1/disputes/{}", rules: &[], not_built: &[], handler: retrieve },
    Route {
        method: "POST",
        path: "/v1/disputes/{}",
        rules: &[&[
            text("evidence.product_description"),
            text("evidence.uncategorized_text"),
            boolean("submit"),
            map("metadata"),
        ]],
        not_built: &["evidence"],
        handler: update,
    },
    Route { method: "POST", path: "/v1/disputes/{}/close", rules: &[], not_built: &[], handler: close },
];

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let wanted = |row: &&Value| matches(&call.form, row, "payment_intent") && matches(&call.form, row, "charge");
    page(&call.form, "/v1/disputes", call.state.disputes.newest().filter(wanted))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    call.state.disputes.get(call.id()).cloned().ok_or_else(|| Refusal::not_found("dispute", call.id(), "dispute"))
}

fn update(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut object = retrieve(call)?;
    let id = call.id().to_owned();
    for field in ["product_description", "uncategorized_text"] {
        if let Some(value) = call.form.text(&format!("evidence.{field}")) {
            object["evidence"][field] = json!(value);
        }
    }
    object["metadata"] = metadata(&object["metadata"], &call.form, "metadata");
    call.state.disputes.put(&id, object);
    if call.form.flag("submit") == Some(true) || call.form.has("evidence") && call.form.flag("submit").is_none() {
        dispute::submit(call.state, &id)?;
    }
    retrieve(call)
}

fn close(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let id = call.id().to_owned();
    dispute::close(call.state, &id, Ending::Lost)?;
    retrieve(call)
}
