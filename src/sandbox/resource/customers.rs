//! `customer`. A deleted customer stays as Stripe's deleted object, which can only be retrieved.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::customer;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::collect::payment_method;
use crate::sandbox::fields::{kept, merged_metadata, metadata, texts};
use crate::sandbox::form::RequestForm;
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, clearable, integer, map, one_of, text};
use crate::sandbox::shape::{self, change, deleted, has_changes, text as text_of};

const FIELDS: &[Rule] = &[
    clearable("name"),
    clearable("email"),
    integer("balance"),
    clearable("invoice_settings.default_payment_method"),
    map("metadata"),
];
/// What is only kept and shown.
const KEPT: &[Rule] = &[
    clearable("address"),
    clearable("address.city"),
    clearable("address.country"),
    clearable("address.line1"),
    clearable("address.line2"),
    clearable("address.postal_code"),
    clearable("address.state"),
    clearable("business_name"),
    clearable("description"),
    clearable("individual_name"),
    text("invoice_prefix"),
    clearable("invoice_settings.custom_fields"),
    text("invoice_settings.custom_fields.#.name"),
    text("invoice_settings.custom_fields.#.value"),
    clearable("invoice_settings.footer"),
    clearable("invoice_settings.rendering_options"),
    clearable("invoice_settings.rendering_options.amount_tax_display"),
    text("invoice_settings.rendering_options.template"),
    integer("next_invoice_sequence"),
    clearable("phone"),
    text("preferred_locales.#"),
    clearable("shipping"),
    clearable("shipping.address.city"),
    clearable("shipping.address.country"),
    clearable("shipping.address.line1"),
    clearable("shipping.address.line2"),
    clearable("shipping.address.postal_code"),
    clearable("shipping.address.state"),
    text("shipping.name"),
    clearable("shipping.phone"),
    one_of("tax_exempt", &["exempt", "none", "reverse"]),
];
const NEW: &[Rule] =
    &[text("payment_method"), text("test_clock"), text("tax_id_data.#.type"), text("tax_id_data.#.value")];
const NOT_BUILT: &[&str] = &["cash_balance", "default_source", "source", "tax"];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/customers", create).takes(&[FIELDS, KEPT, NEW]).not_built(NOT_BUILT),
    Route::get("/v1/customers", list).takes(&[LIST, &[text("email"), text("test_clock")]]).not_built(NOT_BUILT),
    Route::get("/v1/customers/{}", retrieve),
    Route::post("/v1/customers/{}", update).takes(&[FIELDS, KEPT]).not_built(NOT_BUILT),
    Route::delete("/v1/customers/{}", delete),
];

/// Customers of a test clock are listed only if the filter names that clock.
fn is_listed(form: &RequestForm, row: &Value) -> bool {
    match form.filled("test_clock") {
        Some(clock) => row["test_clock"] == clock,
        None => row["test_clock"].is_null(),
    }
}

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut fields = fields(call, &shape::filled(shape::CUSTOMER, Value::Null))?;
    fields["metadata"] = metadata(&call.form, "metadata");
    if let Some(clock) = call.form.text("test_clock") {
        let object =
            call.state.test_clocks.get(clock).ok_or_else(|| ApiError::no_such("test_clock", clock, "test_clock"))?;
        fields["test_clock"] = object["id"].clone();
        if let Some(at) = object["frozen_time"].as_i64() {
            call.state.hold_time_at(at);
        }
    }
    let method = match call.form.text("payment_method").map(str::to_owned) {
        Some(method) => Some(payment_method::named(call.state, &method, "payment_method")?),
        None => None,
    };
    let customer = customer::add(call.state, fields);
    let id = text_of(&customer, "id").to_owned();
    let attached = match method {
        Some(method) => Some(payment_method::attach(call.state, &method, &id)?),
        None => None,
    };
    add_tax_ids(call, &id);
    default_method(call, &id, attached)
}

fn add_tax_ids(call: &mut ApiCall<'_>, customer: &str) {
    for path in call.form.items("tax_id_data") {
        let word = |name| call.form.text(&format!("{path}.{name}")).unwrap_or_default().to_owned();
        let (kind, value) = (word("type"), word("value"));
        customer::add_tax_id(call.state, customer, &kind, &value);
    }
}

/// Sets the default payment method that the request names: one of the customer, or the one that the request attaches,
/// by the name under which it attaches it. Returns the customer.
fn default_method(call: &mut ApiCall<'_>, id: &str, attached: Option<Value>) -> Result<Value, ApiError> {
    const PARAM: &str = "invoice_settings.default_payment_method";
    if let Some(method) = call.form.text(PARAM).map(str::to_owned) {
        let attached = attached.filter(|_| call.form.text("payment_method") == Some(method.as_str()));
        let found = call.state.payment_methods.get(&method).filter(|method| method["customer"] == id).cloned();
        let found = match attached.or(found) {
            Some(found) => found,
            None if method.is_empty() => Value::Null,
            None => {
                let message = format!(
                    "The customer does not have a payment method with the ID {method}. The payment method must be \
                     attached to the customer."
                );
                let param = "invoice_settings[default_payment_method]";
                return Err(ApiError::invalid(message).code("resource_missing").param(param));
            }
        };
        customer::prefer_method(call.state, id, &found);
    }
    call.state.customers.required("customer", id, "id").cloned()
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let wanted =
        |row: &&Value| row["deleted"] != true && matches(&call.form, row, "email") && is_listed(&call.form, row);
    page(&call.form, "/v1/customers", call.state.customers.newest().filter(wanted))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.customers.required("customer", call.id(), "id").cloned()
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = live_id(call)?;
    let before = call.state.customers.required("customer", &id, "id")?;
    let mut fields = fields(call, before)?;
    let Some(customer) = call.state.customers.get_mut(&id) else {
        return Err(ApiError::not_found("customer", &id, "id"));
    };
    fields["metadata"] = merged_metadata(&customer["metadata"], &call.form);
    let previous = change(customer, fields);
    let customer = customer.clone();
    if has_changes(&previous) {
        call.state.emit_change("customer.updated", customer, previous);
    }
    default_method(call, &id, None)
}

fn delete(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = live_id(call)?;
    customer::remove(call.state, &id);
    Ok(deleted("customer", &id))
}

fn live_id(call: &ApiCall<'_>) -> Result<String, ApiError> {
    let id = call.id();
    customer::is_live(call.state, id).then(|| id.to_owned()).ok_or_else(|| ApiError::not_found("customer", id, "id"))
}

fn fields(call: &ApiCall<'_>, before: &Value) -> Result<Value, ApiError> {
    if let Some(email) = call.form.filled("email")
        && !is_address(email)
    {
        return Err(ApiError::invalid(format!("Invalid email address: {email}")).code("email_invalid").param("email"));
    }
    let mut fields = kept(before, &call.form, KEPT);
    change(&mut fields, texts(&call.form, &["name", "email"]));
    if let Some(balance) = call.form.integer("balance") {
        fields["balance"] = json!(balance);
    }
    Ok(fields)
}

/// Stripe refuses a host without a dot, such as `localhost`.
fn is_address(email: &str) -> bool {
    let parts = email.split_once('@');
    parts.is_some_and(|(name, host)| !name.is_empty() && host.trim_matches('.').contains('.')) && !email.contains(' ')
}
