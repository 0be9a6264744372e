//! `customer_balance_transaction`: the changes of a customer's balance, and adjusting it by hand.

use serde_json::{Value, json};

use crate::sandbox::amount::checked_currency;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::balance;
use crate::sandbox::billing::customer;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::fields::{metadata, texts};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, integer, map, text};

const NEW: &[Rule] = &[integer("amount").required(), text("currency").required(), text("description"), map("metadata")];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/customers/{}/balance_transactions", create).takes(&[NEW]),
    Route::get("/v1/customers/{}/balance_transactions", list).takes(&[LIST, &[text("invoice")]]),
];

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id().to_owned();
    customer::check_live(call.state, &id).map_err(|error| error.status(404))?;
    let mut fields = texts(&call.form, &["description"]);
    fields["currency"] = json!(checked_currency(call.form.text("currency").unwrap_or_default(), "currency")?);
    fields["metadata"] = metadata(&call.form, "metadata");
    let amount = call.form.integer("amount").unwrap_or_default();
    call.state.follow_clock_of(&id);
    Ok(balance::move_by(call.state, &id, amount, "adjustment", fields))
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id();
    let wanted = |row: &&Value| row["customer"] == id && matches(&call.form, row, "invoice");
    let rows = call.state.balance_transactions.newest().filter(wanted);
    page(&call.form, &format!("/v1/customers/{id}/balance_transactions"), rows)
}
