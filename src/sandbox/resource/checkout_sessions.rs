//! `checkout.session`: reading, changing and expiring one. `checkout_create` makes one; `checkout` pays one.

use serde_json::Value;

use super::{checkout_create, checkout_params};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::checkout;
use crate::sandbox::fields::merged_metadata;
use crate::sandbox::list::{matches, page};
use crate::sandbox::model::session::StoredSession;
use crate::sandbox::params::{LIST, Rule, map, one_of, text};

const FILTERS: &[Rule] = &[
    text("customer"),
    text("payment_intent"),
    text("subscription"),
    one_of("status", &["open", "complete", "expired"]),
    text("customer_details.email"),
];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/checkout/sessions", checkout_create::create)
        .takes(checkout_params::RULES)
        .not_built(checkout_params::NOT_BUILT),
    Route::get("/v1/checkout/sessions", list).takes(&[LIST, FILTERS]).not_built(&["customer_account", "payment_link"]),
    Route::get("/v1/checkout/sessions/{}", retrieve),
    Route::post("/v1/checkout/sessions/{}", update).takes(&[&[map("metadata")]]).not_built(&[
        "collected_information",
        "line_items",
        "shipping_options",
    ]),
    Route::get("/v1/checkout/sessions/{}/line_items", line_items).takes(&[LIST]),
    Route::post("/v1/checkout/sessions/{}/expire", expire),
];

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let wanted = |row: &&Value| {
        ["customer", "payment_intent", "subscription", "status"].iter().all(|field| matches(form, row, field))
            && form.text("customer_details.email").is_none_or(|email| row["customer_details"]["email"] == email)
    };
    let rows = call.state.sessions.newest().map(|session| &session.object).filter(wanted);
    page(form, "/v1/checkout/sessions", rows)
}

fn find(call: &ApiCall<'_>) -> Result<StoredSession, ApiError> {
    call.state.sessions.required("checkout.session", call.id(), "session").cloned()
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    find(call).map(|session| session.object)
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut session = find(call)?;
    session.object["metadata"] = merged_metadata(&session.object["metadata"], &call.form);
    let (id, object) = (call.id().to_owned(), session.object.clone());
    call.state.sessions.put(&id, session);
    Ok(object)
}

fn line_items(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let session = find(call)?;
    page(&call.form, &format!("/v1/checkout/sessions/{}/line_items", call.id()), session.items.iter())
}

fn expire(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    find(call)?;
    let id = call.id().to_owned();
    checkout::expire(call.state, &id)?;
    find(call).map(|session| session.object)
}
