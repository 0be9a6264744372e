//! `customer_balance_transaction`: the moves of a customer's balance, and one made by hand.

use serde_json::{Value, json};

use super::prices::checked_currency;
use super::{customers, metadata, texts};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::billing::balance;
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, integer, map, text};
use crate::sandbox::refusal::Refusal;

const NEW: &[Rule] = &[integer("amount").required(), text("currency").required(), text("description"), map("metadata")];

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/v1/customers/{}/balance_transactions",
        rules: &[NEW],
        not_built: &[],
        handler: create,
    },
    Route {
        method: "GET",
        path: "/v1/customers/{}/balance_transactions",
        rules: &[LIST, &[text("invoice")]],
        not_built: &[],
        handler: list,
    },
];

fn create(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let id = call.id().to_owned();
    if !customers::is_live(call.state, &id) {
        return Err(Refusal::not_found("customer", &id, "customer"));
    }
    let mut fields = texts(&call.form, &["description"]);
    fields["currency"] = json!(checked_currency(call.form.text("currency").unwrap_or_default(), "currency")?);
    fields["metadata"] = metadata(&json!({}), &call.form, "metadata");
    let amount = call.form.integer("amount").unwrap_or_default();
    call.state.live_by(&id);
    Ok(balance::move_by(call.state, &id, amount, "adjustment", fields))
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let id = call.id();
    let wanted = |row: &&Value| row["customer"] == id && matches(&call.form, row, "invoice");
    let rows = call.state.balance_transactions.newest().filter(wanted);
    page(&call.form, &format!("/v1/customers/{id}/balance_transactions"), rows)
}
