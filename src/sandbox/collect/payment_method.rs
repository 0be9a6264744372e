//! Payment methods: cards with Stripe's test names and numbers, and the bank account of a debit. One that is attached
//! to a customer can be charged again.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::card::{self, Card, CardBehaviour};
use crate::sandbox::shape::{PAYMENT_METHOD, change, filled};
use crate::sandbox::state::State;

/// Makes a payment method of a card. It has no customer yet.
pub fn add_card(state: &mut State, card: &Card) -> Value {
    add(state, json!({ "type": "card", "card": card.object() }))
}

/// Makes a payment method of the test bank's account. It has no customer yet.
pub fn add_bank_account(state: &mut State) -> Value {
    let account = json!({
        "account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": null, "fingerprint": null, "last4": "6789", "networks": null,
        "routing_number": "110000000", "status_details": null,
    });
    add(state, json!({ "type": "us_bank_account", "us_bank_account": account }))
}

/// The payment method that a parameter names: an existing one, or a new one for a test name such as `pm_card_visa`.
pub fn named(state: &mut State, id: &str, param: &str) -> Result<Value, ApiError> {
    if let Some(method) = state.payment_methods.get(id) {
        return Ok(method.clone());
    }
    let card = Card::named(id).ok_or_else(|| ApiError::no_such("PaymentMethod", id, param))?;
    Ok(add_card(state, &card))
}

/// Attaches a payment method to a customer. Returns its new object.
pub fn attach(state: &mut State, method: &Value, customer: &str) -> Result<Value, ApiError> {
    if method["customer"] == customer {
        return Ok(method.clone());
    }
    if !method["customer"].is_null() {
        let message = "The payment method you provided has already been attached to a customer.";
        return Err(ApiError::invalid(message).code("payment_method_unexpected_state"));
    }
    if card::behaviour(method) == CardBehaviour::IsDeclined {
        let more = json!({ "decline_code": "generic_decline" });
        return Err(ApiError::card("card_declined", "Your card was declined.").with_fields(more));
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

pub fn put(state: &mut State, method: &Value) {
    if let Some(id) = method["id"].as_str() {
        state.payment_methods.put(id, method.clone());
    }
}
