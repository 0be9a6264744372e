//! `customer`. A deleted customer stays as Stripe's deleted object: it can be retrieved, and nothing else.

use serde_json::{Value, json};

use super::{change, metadata, payment_methods, texts};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::billing::outcome;
use crate::sandbox::form::Form;
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, clearable, integer, map, text};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::shape::{CUSTOMER, filled, text as text_of};
use crate::sandbox::state::State;

const FIELDS: &[Rule] = &[
    clearable("name"),
    clearable("email"),
    clearable("phone"),
    clearable("description"),
    integer("balance"),
    clearable("invoice_settings.default_payment_method"),
    map("metadata"),
];
const NEW: &[Rule] = &[text("payment_method"), text("test_clock")];
const NOT_BUILT: &[&str] = &[
    "address",
    "business_name",
    "cash_balance",
    "default_source",
    "individual_name",
    "invoice_prefix",
    "invoice_settings",
    "next_invoice_sequence",
    "preferred_locales",
    "shipping",
    "source",
    "tax",
    "tax_exempt",
    "tax_id_data",
];

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/v1/customers", rules: &[FIELDS, NEW], not_built: NOT_BUILT, handler: create },
    Route {
        method: "GET",
        path: "/v1/customers",
        rules: &[LIST, &[text("email"), text("test_clock")]],
        not_built: NOT_BUILT,
        handler: list,
    },
    Route { method: "GET", path: "/v1/customers/{}", rules: &[], not_built: &[], handler: retrieve },
    Route { method: "POST", path: "/v1/customers/{}", rules: &[FIELDS], not_built: NOT_BUILT, handler: update },
    Route { method: "DELETE", path: "/v1/customers/{}", rules: &[], not_built: &[], handler: delete },
];

/// Makes a customer from fields of its object; also what a checkout does that is to leave one.
pub fn add(state: &mut State, fields: Value) -> Value {
    let id = state.new_id("cus_", 14);
    let prefix = state.new_id("", 8).to_ascii_uppercase();
    let mut customer = filled(CUSTOMER, fields);
    customer["id"] = json!(id);
    customer["created"] = json!(state.now());
    customer["invoice_prefix"] = json!(prefix);
    state.customers.put(&id, customer.clone());
    state.emit("customer.created", customer.clone());
    customer
}

/// Whether there is such a customer who has not been deleted.
pub fn is_live(state: &State, id: &str) -> bool {
    state.customers.get(id).is_some_and(|customer| customer["deleted"] != true)
}

/// Lets a customer forget a payment method that is no longer theirs.
pub fn forget_method(state: &mut State, id: &str, method: &Value) {
    if let Some(customer) = state.customers.get_mut(id)
        && customer["invoice_settings"]["default_payment_method"] == *method
    {
        customer["invoice_settings"]["default_payment_method"] = Value::Null;
    }
}

/// Makes a payment method the one that invoices are paid with.
pub fn prefer_method(state: &mut State, id: &str, method: &Value) {
    let Some(customer) = state.customers.get_mut(id) else { return };
    let mut settings = customer["invoice_settings"].clone();
    settings["default_payment_method"] = method["id"].clone();
    let previous = change(customer, json!({ "invoice_settings": settings }));
    let customer = customer.clone();
    if has_entries(&previous) {
        state.emit_change("customer.updated", customer, previous);
    }
}

/// Deletes a customer; what they subscribed to ends at once.
pub fn remove(state: &mut State, id: &str) {
    outcome::end_all_of(state, id);
    let deleted = json!({ "id": id, "object": "customer", "deleted": true });
    if let Some(customer) = state.customers.get_mut(id) {
        let last = std::mem::replace(customer, deleted);
        state.emit("customer.deleted", last);
    }
}

fn has_entries(changes: &Value) -> bool {
    changes.as_object().is_some_and(|changes| !changes.is_empty())
}

/// Customers of a test clock are listed only when asked for by it.
fn in_list(form: &Form, row: &Value) -> bool {
    match form.filled("test_clock") {
        Some(clock) => row["test_clock"] == clock,
        None => row["test_clock"].is_null(),
    }
}

fn create(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut fields = fields(call)?;
    fields["metadata"] = metadata(&json!({}), &call.form, "metadata");
    if let Some(clock) = call.form.text("test_clock") {
        let object =
            call.state.test_clocks.get(clock).ok_or_else(|| Refusal::no_such("test_clock", clock, "test_clock"))?;
        fields["test_clock"] = object["id"].clone();
        if let Some(at) = object["frozen_time"].as_i64() {
            call.state.stand_at(at);
        }
    }
    if let Some(method) = call.form.text("payment_method").map(str::to_owned) {
        let method = payment_methods::named(call.state, &method, "payment_method")?;
        let customer = add(call.state, fields);
        let id = text_of(&customer, "id").to_owned();
        payment_methods::attach(call.state, &method, &id)?;
        return default_method(call, &id);
    }
    let customer = add(call.state, fields);
    default_method(call, text_of(&customer, "id"))
}

/// The customer, with the payment method that the request names as the default one.
fn default_method(call: &mut Call<'_>, id: &str) -> Result<Value, Refusal> {
    const PARAM: &str = "invoice_settings.default_payment_method";
    if let Some(method) = call.form.text(PARAM).map(str::to_owned) {
        let found = call.state.payment_methods.get(&method).filter(|method| method["customer"] == id).cloned();
        let found = match found {
            Some(found) => found,
            None if method.is_empty() => Value::Null,
            None => {
                let message = format!(
                    "The customer does not have a payment method with the ID {method}. The payment method must be \
                     attached to the customer."
                );
                let param = "invoice_settings[default_payment_method]";
                return Err(Refusal::invalid(message).code("resource_missing").param(param));
            }
        };
        prefer_method(call.state, id, &found);
    }
    call.state.customers.get(id).cloned().ok_or_else(|| Refusal::not_found("customer", id, "id"))
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let wanted = |row: &&Value| row["deleted"] != true && matches(&call.form, row, "email") && in_list(&call.form, row);
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
    if has_entries(&previous) {
        call.state.emit_change("customer.updated", customer, previous);
    }
    default_method(call, &id)
}

fn delete(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let id = live(call)?;
    remove(call.state, &id);
    Ok(json!({ "id": id, "object": "customer", "deleted": true }))
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
    let mut fields = texts(&call.form, &["name", "email", "phone", "description"]);
    if let Some(balance) = call.form.integer("balance") {
        fields["balance"] = json!(balance);
    }
    Ok(fields)
}
