//! Payment intents: making one, and changing one with its event. Source: Stripe, "How PaymentIntents and SetupIntents
//! work".

use serde_json::{Value, json};

use crate::sandbox::shape::{PAYMENT_INTENT, change as lay_over, filled};
use crate::sandbox::state::State;

/// Makes a payment intent. `fields` has at least amount and currency. Returns its id.
pub fn add(state: &mut State, fields: Value) -> String {
    let id = state.new_id("pi_3", 24);
    let mut object = filled(PAYMENT_INTENT, fields);
    let secret = format!("{id}_secret_{}", state.new_id("", 24));
    lay_over(&mut object, json!({ "id": id, "created": state.now(), "client_secret": secret }));
    state.payment_intents.put(&id, object.clone());
    state.emit("payment_intent.created", object);
    id
}

/// Changes an intent and emits an event.
pub fn change(state: &mut State, id: &str, event: &str, fields: Value) {
    if let Some(object) = state.payment_intents.get_mut(id) {
        lay_over(object, fields);
        let object = object.clone();
        state.emit(event, object);
    }
}
