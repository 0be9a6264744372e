//! Charges. Each attempt to collect an intent's amount records one. Refunds and disputes change it later.

use serde_json::{Value, json};

use super::transaction::{self, MoveKind};
use crate::sandbox::card;
use crate::sandbox::shape::{CHARGE, change as lay_over, filled, integer, text};
use crate::sandbox::state::State;

/// Records an attempt to collect an intent's amount. Returns the charge's id.
pub fn record(state: &mut State, intent: &str, method: &Value, payer: &Value, fields: Value) -> String {
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
    lay_over(&mut object, fields);
    object["billing_details"]["email"] = payer["email"].clone();
    object["billing_details"]["name"] = payer["name"].clone();
    if object["status"] == "succeeded" {
        object["amount_captured"] = object["amount"].clone();
        object["balance_transaction"] = moved(state, &object);
        object["receipt_url"] = json!(format!("{}/receipts/{id}", state.base_url));
    }
    let kind = format!("charge.{}", text(&object, "status"));
    state.charges.put(&id, object.clone());
    if let Some(object) = state.payment_intents.get_mut(intent) {
        lay_over(object, json!({ "latest_charge": id }));
    }
    state.emit(&kind, object);
    id
}

/// Changes a charge and emits an event with the former values.
pub fn change(state: &mut State, id: &str, event: &str, fields: Value) {
    let Some(mut object) = state.charges.get(id).cloned() else { return };
    let previous = lay_over(&mut object, fields);
    if object["status"] == "succeeded" && object["balance_transaction"].is_null() {
        object["amount_captured"] = object["amount"].clone();
        object["balance_transaction"] = moved(state, &object);
    }
    state.charges.put(id, object.clone());
    state.emit_change(event, object, previous);
}

/// The id of what a charge that has succeeded moves.
fn moved(state: &mut State, charge: &Value) -> Value {
    transaction::make(state, MoveKind::Charge, charge, integer(charge, "amount"))["id"].take()
}

/// The fields of a charge that has succeeded.
pub fn succeeded() -> Value {
    json!({
        "status": "succeeded", "paid": true, "captured": true, "calculated_statement_descriptor": "STAND-IN",
        "outcome": {
            "advice_code": null, "network_advice_code": null, "network_decline_code": null,
            "network_status": "approved_by_network", "reason": null, "risk_level": "normal", "risk_score": 12,
            "seller_message": "Payment complete.", "type": "authorized",
        },
    })
}
