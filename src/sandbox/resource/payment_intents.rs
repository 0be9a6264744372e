//! `payment_intent`: read only. They are made by paying a checkout session (`payment`).

use serde_json::Value;

use crate::sandbox::api::{Call, Route};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, text};
use crate::sandbox::refusal::Refusal;

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/payment_intents",
        rules: &[LIST, &[text("customer")]],
        not_built: &["customer_account"],
        handler: list,
    },
    Route {
        method: "GET",
        path: "/v1/payment_intents/{}",
        rules: &[],
        not_built: &["client_secret"],
        handler: retrieve,
    },
];

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let wanted = |row: &&Value| matches(&call.form, row, "customer");
    page(&call.form, "/v1/payment_intents", call.state.payment_intents.newest().filter(wanted))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let found = call.state.payment_intents.get(call.id()).cloned();
    found.ok_or_else(|| Refusal::not_found("payment_intent", call.id(), "intent"))
}
