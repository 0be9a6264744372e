//! `payment_method`: cards known by Stripe's test names and numbers, and the bank account of a debit. Attached to a
//! customer, one can be charged again; detached, it cannot.

use serde_json::{Value, json};

use super::{change, customers, metadata};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::card::{self, Behaviour, Card};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, clearable, integer, map, one_of, text};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::shape::{PAYMENT_METHOD, filled};
use crate::sandbox::state::State;

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

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/v1/payment_methods", rules: &[NEW], not_built: NOT_BUILT, handler: create },
    Route {
        method: "GET",
        path: "/v1/payment_methods",
        rules: &[LIST, &[text("customer"), text("type")]],
        not_built: &["allow_redisplay", "customer_account"],
        handler: list,
    },
    Route { method: "GET", path: "/v1/payment_methods/{}", rules: &[], not_built: &[], handler: retrieve },
    Route {
        method: "POST",
        path: "/v1/payment_methods/{}",
        rules: &[&[map("metadata")]],
        not_built: NOT_BUILT,
        handler: update,
    },
    Route {
        method: "POST",
        path: "/v1/payment_methods/{}/attach",
        rules: &[&[text("customer").required()]],
        not_built: &["customer_account"],
        handler: attach_by_call,
    },
    Route { method: "POST", path: "/v1/payment_methods/{}/detach", rules: &[], not_built: &[], handler: detach },
    Route {
        method: "GET",
        path: "/v1/customers/{}/payment_methods",
        rules: &[LIST, &[text("type")]],
        not_built: &["allow_redisplay"],
        handler: of_customer,
    },
];

/// Makes a payment method of a card, attached to nobody.
pub fn add_card(state: &mut State, card: &Card) -> Value {
    add(state, json!({ "type": "card", "card": card.object() }))
}

/// Makes a payment method of the test bank's account, attached to nobody.
pub fn add_bank_account(state: &mut State) -> Value {
    let account = json!({
        "account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": null, "fingerprint": null, "last4": "6789", "networks": null,
        "routing_number": "110000000", "status_details": null,
    });
    add(state, json!({ "type": "us_bank_account", "us_bank_account": account }))
}

/// The payment method that a parameter names: one that was made, or a new one of a test name such as `pm_card_visa`.
pub fn named(state: &mut State, id: &str, param: &str) -> Result<Value, Refusal> {
    if let Some(method) = state.payment_methods.get(id) {
        return Ok(method.clone());
    }
    let card = Card::named(id).ok_or_else(|| Refusal::no_such("PaymentMethod", id, param))?;
    Ok(add_card(state, &card))
}

/// Attaches a payment method to a customer. Answers it as it is then.
pub fn attach(state: &mut State, method: &Value, customer: &str) -> Result<Value, Refusal> {
    if method["customer"] == customer {
        return Ok(method.clone());
    }
    if !method["customer"].is_null() {
        let message = "The payment method you provided has already been attached to a customer.";
        return Err(Refusal::invalid(message).code("payment_method_unexpected_state"));
    }
    if card::behaviour(method) == Behaviour::IsDeclined {
        let more = json!({ "decline_code": "generic_decline" });
        return Err(Refusal::card("card_declined", "Your card was declined.").with(more));
    }
    let mut method = method.clone();
    method["customer"] = json!(customer);
    put(state, &method);
    state.emit("payment_method.attached", method.clone());
    Ok(method)
}

fn add(state: &mut State, fields: Value) -> Value {
    let id = state.new_id("pm_1", 24);
    let mut method = filled(PAYMENT_METHOD, fields);
    change(&mut method, json!({ "id": id, "created": state.now() }));
    put(state, &method);
    method
}

fn put(state: &mut State, method: &Value) {
    if let Some(id) = method["id"].as_str() {
        state.payment_methods.put(id, method.clone());
    }
}

fn create(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let form = &call.form;
    let card = match (form.text("card.token"), form.text("card.number")) {
        (Some("tok_visa"), _) => Card::read("4242424242424242", "", "", call.state.own_time())?,
        (Some(token), _) => return Err(Refusal::no_such("token", token, "card[token]")),
        (None, Some(number)) => {
            let part = |name: &str| form.integer(name).ok_or_else(|| Refusal::missing(name));
            let expiry = format!("{}/{}", part("card.exp_month")?, part("card.exp_year")?);
            Card::read(number, &expiry, form.text("card.cvc").unwrap_or_default(), call.state.own_time())?
        }
        (None, None) => return Err(Refusal::missing("card")),
    };
    let fields = metadata(&json!({}), &call.form, "metadata");
    let (email, name) = (call.form.filled("billing_details.email"), call.form.filled("billing_details.name"));
    let (email, name) = (json!(email), json!(name));
    let mut method = add_card(call.state, &card);
    method["metadata"] = fields;
    method["billing_details"]["email"] = email;
    method["billing_details"]["name"] = name;
    put(call.state, &method);
    Ok(method)
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let wanted = |row: &&Value| matches(&call.form, row, "customer") && matches(&call.form, row, "type");
    page(&call.form, "/v1/payment_methods", call.state.payment_methods.newest().filter(wanted))
}

fn of_customer(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let id = call.id();
    if !customers::is_live(call.state, id) {
        return Err(Refusal::not_found("customer", id, "customer"));
    }
    let wanted = |row: &&Value| row["customer"] == id && matches(&call.form, row, "type");
    let rows = call.state.payment_methods.newest().filter(wanted);
    page(&call.form, &format!("/v1/customers/{id}/payment_methods"), rows)
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let found = call.state.payment_methods.get(call.id()).cloned();
    found.ok_or_else(|| Refusal::not_found("PaymentMethod", call.id(), "payment_method"))
}

fn update(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut method = retrieve(call)?;
    let fields = json!({ "metadata": metadata(&method["metadata"], &call.form, "metadata") });
    let previous = change(&mut method, fields);
    put(call.state, &method);
    call.state.emit_change("payment_method.updated", method.clone(), previous);
    Ok(method)
}

fn attach_by_call(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let customer = call.form.text("customer").unwrap_or_default().to_owned();
    if !customers::is_live(call.state, &customer) {
        return Err(Refusal::no_such("customer", &customer, "customer"));
    }
    call.state.live_by(&customer);
    let id = call.id().to_owned();
    let method = named(call.state, &id, "payment_method").map_err(|refusal| refusal.status(404))?;
    attach(call.state, &method, &customer)
}

fn detach(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut method = retrieve(call)?;
    let Some(customer) = method["customer"].as_str().map(str::to_owned) else {
        let message = "The payment method you provided is not attached to a customer so detachment is impossible.";
        return Err(Refusal::invalid(message).code("payment_method_unexpected_state"));
    };
    let previous = change(&mut method, json!({ "customer": null }));
    put(call.state, &method);
    customers::forget_method(call.state, &customer, &method["id"]);
    call.state.emit_change("payment_method.detached", method.clone(), previous);
    Ok(method)
}
