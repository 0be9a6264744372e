//! Lists of what this account has none of. A program that reads every list of an account finds these empty.

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::customer;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::list::page;
use crate::sandbox::params::{LIST, Rule, boolean, text};

const OF_CUSTOMER: &[Rule] = &[text("customer")];

pub const ROUTES: &[Route] = &[
    // Connected accounts.
    Route::get("/v1/accounts", |call| empty(call, "/v1/accounts")).takes(&[LIST]),
    Route::get("/v1/application_fees", |call| empty(call, "/v1/application_fees")).takes(&[LIST, &[text("charge")]]),
    Route::get("/v1/customers/{}/sources", sources).takes(&[LIST, &[text("object")]]),
    Route::get("/v1/entitlements/features", |call| empty(call, "/v1/entitlements/features"))
        .takes(&[LIST, &[boolean("archived"), text("lookup_key")]]),
    Route::get("/v1/payouts", |call| empty(call, "/v1/payouts"))
        .takes(&[LIST, &[text("arrival_date"), text("destination"), text("status")]]),
    Route::get("/v1/quotes", |call| empty(call, "/v1/quotes")).takes(&[LIST, OF_CUSTOMER, &[text("status")]]),
    Route::get("/v1/radar/early_fraud_warnings", |call| empty(call, "/v1/radar/early_fraud_warnings"))
        .takes(&[LIST, &[text("charge"), text("payment_intent")]]),
    Route::get("/v1/reviews", |call| empty(call, "/v1/reviews")).takes(&[LIST]),
    Route::get("/v1/setup_intents", |call| empty(call, "/v1/setup_intents")).takes(&[
        LIST,
        OF_CUSTOMER,
        &[text("payment_method")],
    ]),
    Route::get("/v1/shipping_rates", |call| empty(call, "/v1/shipping_rates"))
        .takes(&[LIST, &[boolean("active"), text("currency")]]),
    // Those of the account itself.
    Route::get("/v1/tax_ids", |call| empty(call, "/v1/tax_ids"))
        .takes(&[LIST, &[text("owner.type"), text("owner.customer")]]),
    Route::get("/v1/tax_rates", |call| empty(call, "/v1/tax_rates"))
        .takes(&[LIST, &[boolean("active"), boolean("inclusive")]]),
    Route::get("/v1/topups", |call| empty(call, "/v1/topups")).takes(&[LIST, &[text("status")]]),
    Route::get("/v1/transfers", |call| empty(call, "/v1/transfers")).takes(&[LIST, &[text("destination")]]),
];

fn empty(call: &mut ApiCall<'_>, url: &str) -> Result<Value, ApiError> {
    page(&call.form, url, std::iter::empty())
}

fn sources(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id();
    customer::check_live(call.state, id).map_err(|error| error.status(404))?;
    page(&call.form, &format!("/v1/customers/{id}/sources"), std::iter::empty())
}
