//! `payment_method`. One that is attached to a customer can be charged again; one that is detached cannot.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::customer;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::card::Card;
use crate::sandbox::collect::payment_method;
use crate::sandbox::fields::{merged_metadata, metadata};
use crate::sandbox::list::{filtered_page, matches, page};
use crate::sandbox::params::{LIST, Rule, clearable, integer, map, one_of, text};
use crate::sandbox::shape::change;

const NEW: &[Rule] = &[
    one_of("type", &["card"]).required(),
    text("card.token"),
    text("card.number"),
    integer("card.exp_month"),
    integer("card.exp_year"),
    text("card.cvc"),
    clearable("billing_details.email"),
    clearable("billing_details.name"),
    map("metadata"),
];
const NOT_BUILT: &[&str] =
    &["allow_redisplay", "billing_details", "card", "customer", "payment_method", "radar_options", "us_bank_account"];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/payment_methods", create).takes(&[NEW]).not_built(NOT_BUILT),
    Route::get("/v1/payment_methods", list)
        .takes(&[LIST, &[text("customer"), text("type")]])
        .not_built(&["allow_redisplay", "customer_account"]),
    Route::get("/v1/payment_methods/{}", retrieve),
    Route::post("/v1/payment_methods/{}", update).takes(&[&[map("metadata")]]).not_built(NOT_BUILT),
    Route::post("/v1/payment_methods/{}/attach", attach_by_call)
        .takes(&[&[text("customer").required()]])
        .not_built(&["customer_account"]),
    Route::post("/v1/payment_methods/{}/detach", detach),
    Route::get("/v1/customers/{}/payment_methods", of_customer)
        .takes(&[LIST, &[text("type")]])
        .not_built(&["allow_redisplay"]),
];

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let card = match (form.text("card.token"), form.text("card.number")) {
        (Some("tok_visa"), _) => Card::read("4242424242424242", "", "", call.state.own_time())?,
        (Some(token), _) => return Err(ApiError::no_such("token", token, "card[token]")),
        (None, Some(number)) => {
            let part = |name: &str| form.integer(name).ok_or_else(|| ApiError::missing(name));
            let expiry = format!("{}/{}", part("card.exp_month")?, part("card.exp_year")?);
            Card::read(number, &expiry, form.text("card.cvc").unwrap_or_default(), call.state.own_time())?
        }
        (None, None) => return Err(ApiError::missing("card")),
    };
    let fields = metadata(&call.form, "metadata");
    let (email, name) = (call.form.filled("billing_details.email"), call.form.filled("billing_details.name"));
    let (email, name) = (json!(email), json!(name));
    let mut method = payment_method::add_card(call.state, &card);
    method["metadata"] = fields;
    method["billing_details"]["email"] = email;
    method["billing_details"]["name"] = name;
    payment_method::put(call.state, &method);
    Ok(method)
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    filtered_page(&call.form, "/v1/payment_methods", call.state.payment_methods.newest(), &["customer", "type"])
}

fn of_customer(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id();
    customer::check_live(call.state, id).map_err(|error| error.status(404))?;
    let wanted = |row: &&Value| row["customer"] == id && matches(&call.form, row, "type");
    let rows = call.state.payment_methods.newest().filter(wanted);
    page(&call.form, &format!("/v1/customers/{id}/payment_methods"), rows)
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.payment_methods.required("PaymentMethod", call.id(), "payment_method").cloned()
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut method = retrieve(call)?;
    let fields = json!({ "metadata": merged_metadata(&method["metadata"], &call.form) });
    let previous = change(&mut method, fields);
    payment_method::put(call.state, &method);
    call.state.emit_change("payment_method.updated", method.clone(), previous);
    Ok(method)
}

fn attach_by_call(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let customer = call.form.text("customer").unwrap_or_default().to_owned();
    customer::check_live(call.state, &customer)?;
    call.state.follow_clock_of(&customer);
    let id = call.id().to_owned();
    let method = payment_method::named(call.state, &id, "payment_method").map_err(|error| error.status(404))?;
    payment_method::attach(call.state, &method, &customer)
}

fn detach(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut method = retrieve(call)?;
    let Some(customer) = method["customer"].as_str().map(str::to_owned) else {
        let message = "The payment method you provided is not attached to a customer so detachment is impossible.";
        return Err(ApiError::invalid(message).code("payment_method_unexpected_state"));
    };
    let previous = change(&mut method, json!({ "customer": null }));
    payment_method::put(call.state, &method);
    customer::forget_method(call.state, &customer, &method["id"]);
    call.state.emit_change("payment_method.detached", method.clone(), previous);
    Ok(method)
}
