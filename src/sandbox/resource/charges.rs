//! `charge`: read only. Each attempt to pay leaves one (`payment`).

use serde_json::Value;

use crate::sandbox::api::{Call, Route};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, text};
use crate::sandbox::refusal::Refusal;

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/charges",
        rules: &[LIST, &[text("customer"), text("payment_intent")]],
        not_built: &["transfer_group"],
        handler: list,
    },
    Route { method: "GET", path: "/v1/charges/{}", rules: &[], not_built: &[], handler: retrieve },
];

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let wanted = |row: &&Value| matches(&call.form, row, "customer") && matches(&call.form, row, "payment_intent");
    page(&call.form, "/v1/charges", call.state.charges.newest().filter(wanted))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    call.state.charges.get(call.id()).cloned().ok_or_else(|| Refusal::not_found("charge", call.id(), "id"))
}
