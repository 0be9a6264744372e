//! `customer`. A deleted customer stays as Stripe's deleted object: it can be retrieved, and nothing else.

use serde_json::{Value, json};

use super::{change, metadata, texts};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, clearable, map, text};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::shape::{CUSTOMER, filled};
use crate::sandbox::state::{Cause, State};

const FIELDS: &[Rule] =
    &[clearable("name"), clearable("email"), clearable("phone"), clearable("description"), map("metadata")];
const NOT_BUILT: &[&str] = &[
    "address",
    "balance",
    "business_name",
    "cash_balance",
    "default_source",
    "individual_name",
    "invoice_prefix",
    "invoice_settings",
    "next_invoice_sequence",
    "payment_method",
    "preferred_locales",
    "shipping",
    "source",
    "tax",
    "tax_exempt",
    "tax_id_data",
    "test_clock",
];

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/v1/customers", rules: &[FIELDS], not_built: NOT_BUILT, handler: create },
    Route {
        method: "GET",
        path: "/v1/customers",
        rules: &[LIST, &[text("email")]],
        not_built: NOT_BUILT,
        handler: list,
    },
    Route { method: "GET", path: "/v1/customers/{}", rules: &[], not_built: &[], handler: retrieve },
    Route { method: "POST", path: "/v1/customers/{}", rules: &[FIELDS], not_built: NOT_BUILT, handler: update },
    Route { method: "DELETE", path: "/v1/customers/{}", rules: &[], not_built: &[], handler: delete },
];

/// Makes a customer from fields of its object; also what a checkout does that is to leave one.
pub fn add(state: &mut State, fields: Value, cause: &Cause) -> Value {
    let id = state.new_id("cus_", 14);
    let prefix = state.new_id("", 8).to_ascii_uppercase();
    let mut customer = filled(CUSTOMER, fields);
    customer["id"] = json!(id);
    customer["created"] = json!(state.now());
    customer["invoice_prefix"] = json!(prefix);
    state.customers.put(&id, customer.clone());
    state.emit("customer.created", customer.clone(), cause);
    customer
}

/// Whether there is such a customer who has not been deleted.
pub fn is_live(state: &State, id: &str) -> bool {
    state.customers.get(id).is_some_and(|customer| customer["deleted"] != true)
}

fn create(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut fields = fields(call)?;
    fields["metadata"] = metadata(&json!({}), &call.form, "metadata");
    Ok(add(call.state, fields, &call.cause))
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let wanted = |row: &&Value| row["deleted"] != true && matches(&call.form, row, "email");
    page(&call.form, "/v1/customers", call.state.customers.newest().filter(wanted))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let found = call.state.customers.get(call.id()).cloned();
    found.ok_or_else(|| Refusal::not_found("customer", call.id(), "id"))
}

fn update(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let id = live(call)?;
    let mut fields = fields(call)?;
    let Some(customer) = call.state.customers.get_mut(&id) else {
        return Err(Refusal::not_found("customer", &id, "id"));
    };
    fields["metadata"] = metadata(&customer["metadata"], &call.form, "metadata");
    let previous = change(customer, fields);
    let customer = customer.clone();
    if previous.as_object().is_some_and(|changes| !changes.is_empty()) {
        call.state.emit_change("customer.updated", customer.clone(), previous, &call.cause);
    }
    Ok(customer)
}

fn delete(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let id = live(call)?;
    let deleted = json!({ "id": id, "object": "customer", "deleted": true });
    if let Some(customer) = call.state.customers.get_mut(&id) {
        let last = std::mem::replace(customer, deleted.clone());
        call.state.emit("customer.deleted", last, &call.cause);
    }
    Ok(deleted)
}

fn live(call: &Call<'_>) -> Result<String, Refusal> {
    let id = call.id();
    is_live(call.state, id).then(|| id.to_owned()).ok_or_else(|| Refusal::not_found("customer", id, "id"))
}

fn fields(call: &Call<'_>) -> Result<Value, Refusal> {
    if let Some(email) = call.form.filled("email")
        && !email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !email.contains(' '))
    {
        return Err(Refusal::invalid(format!("Invalid email address: {email}")).code("email_invalid").param("email"));
    }
    Ok(texts(&call.form, &["name", "email", "phone", "description"]))
}
