//! Collecting money: payment intents, and the charges that their attempts leave. Who pays for what is decided by those
//! who call: a checkout session (`payment`), an invoice (`billing::invoice`), or the API (`resource::payment_intents`).
//! Source: Stripe, "How PaymentIntents and SetupIntents work".

use serde_json::{Value, json};

use super::card::{self, Behaviour};
use super::dispute;
use super::refusal::Refusal;
use super::resource::change;
use super::shape::{CHARGE, PAYMENT_INTENT, filled, integer, text};
use super::state::State;

/// Whether the payer can be asked to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// At a page, and willing.
    Authenticated,
    /// At a page, not asked yet.
    Present,
    /// Away: a renewal.
    Away,
}

/// How a granted attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money is here.
    Paid,
    /// The bank has been asked.
    Pending,
    /// The payer must authenticate first.
    NeedsAuthentication,
}

/// Makes a payment intent from fields of its object: at least amount and currency.
pub fn add_intent(state: &mut State, fields: Value) -> String {
    let id = state.new_id("pi_3", 24);
    let mut object = filled(PAYMENT_INTENT, fields);
    let secret = format!("{id}_secret_{}", state.new_id("", 24));
    change(&mut object, json!({ "id": id, "created": state.now(), "client_secret": secret }));
    state.payment_intents.put(&id, object.clone());
    state.emit("payment_intent.created", object);
    id
}

/// Tries to collect an intent's amount with a payment method. A refusal is Stripe's `402 card_error`, with what the
/// declined attempt left behind recorded and told.
pub fn attempt(
    state: &mut State,
    intent: &str,
    method: &Value,
    payer: &Value,
    presence: Presence,
) -> Result<Outcome, Refusal> {
    if let Some(object) = state.payment_intents.get_mut(intent) {
        change(object, json!({ "payment_method": method["id"], "next_action": null }));
    }
    if method["type"] == "us_bank_account" {
        charge(state, intent, method, payer, json!({ "status": "pending" }));
        change_intent(state, intent, "payment_intent.processing", json!({ "status": "processing" }));
        return Ok(Outcome::Pending);
    }
    match (card::behaviour(method), presence) {
        (Behaviour::IsDeclined | Behaviour::FailsWhenCharged, _) => {
            Err(declined(state, intent, method, payer, "card_declined", "generic_decline", "Your card was declined."))
        }
        (Behaviour::LacksFunds, _) => {
            let message = "Your card has insufficient funds.";
            Err(declined(state, intent, method, payer, "card_declined", "insufficient_funds", message))
        }
        (Behaviour::NeedsAuthentication, Presence::Away) => {
            let message = "Your card was declined. This transaction requires authentication.";
            Err(declined(state, intent, method, payer, "authentication_required", "authentication_required", message))
        }
        (Behaviour::NeedsAuthentication, Presence::Present) => {
            let page = format!("{}/", state.base_url);
            let next = json!({ "type": "redirect_to_url", "redirect_to_url": { "url": page, "return_url": null } });
            let fields = json!({ "status": "requires_action", "next_action": next });
            change_intent(state, intent, "payment_intent.requires_action", fields);
            Ok(Outcome::NeedsAuthentication)
        }
        (behaviour, _) => {
            let charge = charge(state, intent, method, payer, succeeded());
            finish(state, intent);
            match behaviour {
                Behaviour::IsDisputed => dispute::open(state, &charge, dispute::Kind::Chargeback).map(drop)?,
                Behaviour::IsInquired => dispute::open(state, &charge, dispute::Kind::Inquiry).map(drop)?,
                _ => {}
            }
            Ok(Outcome::Paid)
        }
    }
}

/// The bank has paid a pending charge.
pub fn settle(state: &mut State, intent: &str, charge: &str) {
    change_charge(state, charge, "charge.succeeded", succeeded());
    finish(state, intent);
}

/// The bank has refused a pending charge.
pub fn fail(state: &mut State, intent: &str, charge: &str) {
    let message = "The customer's bank account has insufficient funds to cover this payment.";
    let failure = json!({ "status": "failed", "failure_code": "insufficient_funds", "failure_message": message });
    change_charge(state, charge, "charge.failed", failure);
    let error = json!({
        "type": "invalid_request_error", "code": "payment_intent_payment_attempt_failed", "message": message,
        "charge": charge,
    });
    let fields = json!({ "status": "requires_payment_method", "payment_method": null, "last_payment_error": error });
    change_intent(state, intent, "payment_intent.payment_failed", fields);
}

/// Changes an intent and tells of it.
pub fn change_intent(state: &mut State, id: &str, event: &str, fields: Value) {
    if let Some(object) = state.payment_intents.get_mut(id) {
        change(object, fields);
        let object = object.clone();
        state.emit(event, object);
    }
}

/// Changes a charge and tells of it, with what changed.
pub fn change_charge(state: &mut State, id: &str, event: &str, fields: Value) {
    let transaction = state.new_id("txn_3", 24);
    if let Some(object) = state.charges.get_mut(id) {
        let previous = change(object, fields);
        if object["status"] == "succeeded" && object["balance_transaction"].is_null() {
            object["amount_captured"] = object["amount"].clone();
            object["balance_transaction"] = json!(transaction);
        }
        let object = object.clone();
        state.emit_change(event, object, previous);
    }
}

/// Records an attempt to collect an intent's amount.
fn charge(state: &mut State, intent: &str, method: &Value, payer: &Value, fields: Value) -> String {
    let id = state.new_id("ch_3", 24);
    let intent_object = state.payment_intents.get(intent).cloned().unwrap_or_default();
    let mut object = filled(CHARGE, fields);
    let authorized = (object["status"] == "succeeded").then(|| integer(&intent_object, "amount"));
    let fields = json!({
        "id": id, "created": state.now(), "payment_intent": intent, "payment_method": method["id"],
        "payment_method_details": card::details(method, authorized),
        "amount": intent_object["amount"], "currency": intent_object["currency"], "customer": intent_object["customer"],
        "description": intent_object["description"], "metadata": intent_object["metadata"],
        "receipt_email": intent_object["receipt_email"],
    });
    change(&mut object, fields);
    object["billing_details"]["email"] = payer["email"].clone();
    object["billing_details"]["name"] = payer["name"].clone();
    if object["status"] == "succeeded" {
        object["amount_captured"] = object["amount"].clone();
        object["balance_transaction"] = json!(state.new_id("txn_3", 24));
    }
    let kind = format!("charge.{}", text(&object, "status"));
    state.charges.put(&id, object.clone());
    if let Some(object) = state.payment_intents.get_mut(intent) {
        change(object, json!({ "latest_charge": id }));
    }
    state.emit(&kind, object);
    id
}

fn declined(
    state: &mut State,
    intent: &str,
    method: &Value,
    payer: &Value,
    code: &'static str,
    decline: &str,
    message: &str,
) -> Refusal {
    let outcome = json!({
        "advice_code": "try_again_later", "network_advice_code": null, "network_decline_code": null,
        "network_status": "declined_by_network", "reason": decline, "risk_level": "normal", "risk_score": 12,
        "seller_message": "The bank did not return any further details with this decline.", "type": "issuer_declined",
    });
    let fields = json!({ "status": "failed", "outcome": outcome, "failure_code": code, "failure_message": message });
    let charge = charge(state, intent, method, payer, fields);
    let error = json!({
        "type": "card_error", "code": code, "decline_code": decline, "message": message, "charge": charge,
        "doc_url": format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")),
    });
    let fields = json!({ "status": "requires_payment_method", "payment_method": null, "last_payment_error": error });
    change_intent(state, intent, "payment_intent.payment_failed", fields);
    let object = state.payment_intents.get(intent).cloned().unwrap_or_default();
    let more = json!({ "charge": charge, "decline_code": decline, "payment_intent": object });
    Refusal::card(code, message).with(more)
}

fn finish(state: &mut State, intent: &str) {
    let amount = state.payment_intents.get(intent).map(|object| object["amount"].clone());
    let fields = json!({
        "status": "succeeded", "amount_received": amount, "last_payment_error": null, "next_action": null,
    });
    change_intent(state, intent, "payment_intent.succeeded", fields);
}

fn succeeded() -> Value {
    json!({
        "status": "succeeded", "paid": true, "captured": true, "calculated_statement_descriptor": "STAND-IN",
        "outcome": {
            "advice_code": null, "network_advice_code": null, "network_decline_code": null,
            "network_status": "approved_by_network", "reason": null, "risk_level": "normal", "risk_score": 12,
            "seller_message": "Payment complete.", "type": "authorized",
        },
    })
}
