//! `invoice_payment`: which payment intent pays which invoice.

use serde_json::{Value, json};

use crate::sandbox::collect::intent;
use crate::sandbox::shape::{self, PAGE_ROWS, change, text};
use crate::sandbox::state::State;

/// Makes an invoice's payment intent, unless it waits for one already.
pub fn prepare(state: &mut State, id: &str) {
    let Some(invoice) = state.invoices.get(id).map(|invoice| invoice.object.clone()) else { return };
    if open_of(state, id).is_some() {
        return;
    }
    let description = match text(&invoice, "billing_reason") {
        "subscription_create" => "Subscription creation",
        "manual" => "Payment for Invoice",
        _ => "Subscription update",
    };
    let fields = json!({
        "amount": invoice["amount_remaining"], "currency": invoice["currency"], "customer": invoice["customer"],
        "description": description, "payment_method_types": ["card"],
    });
    let intent_id = intent::add(state, fields);
    attach(state, id, &intent_id);
}

/// Records that a payment intent pays an invoice.
pub fn attach(state: &mut State, id: &str, intent_id: &str) {
    let (payment, now) = (state.new_id("inpay_1", 24), state.now());
    let invoice = state.invoices.get(id).map(|invoice| invoice.object.clone()).unwrap_or_default();
    let object = json!({
        "id": payment, "object": "invoice_payment", "amount_paid": null, "amount_requested": invoice["amount_due"],
        "created": now, "currency": invoice["currency"], "invoice": id, "is_default": true, "livemode": false,
        "payment": { "payment_intent": intent_id, "type": "payment_intent" }, "status": "open",
        "status_transitions": { "canceled_at": null, "paid_at": null },
    });
    state.invoice_payments.put(&payment, object);
}

/// Changes the amount of the payment that an invoice waits for.
pub fn change_amount(state: &mut State, id: &str, amount: i64) {
    let Some(payment) = open_of(state, id) else { return };
    if let Some(object) = state.invoice_payments.get_mut(text(&payment, "id")) {
        object["amount_requested"] = json!(amount);
    }
    if let Some(intent) = state.payment_intents.get_mut(intent_of(&payment)) {
        intent["amount"] = json!(amount);
    }
}

/// Cancels the payment that an invoice waits for.
pub fn cancel(state: &mut State, id: &str) {
    let Some(payment) = open_of(state, id) else { return };
    let now = state.now();
    if let Some(object) = state.invoice_payments.get_mut(text(&payment, "id")) {
        object["status"] = json!("canceled");
        object["status_transitions"]["canceled_at"] = json!(now);
    }
    let intent_id = intent_of(&payment).to_owned();
    let fields = json!({ "status": "canceled", "canceled_at": now, "cancellation_reason": "void_invoice" });
    intent::change(state, &intent_id, "payment_intent.canceled", fields);
}

/// Records that a payment intent has paid. Returns the `invoice_payment`, if the intent is for an invoice.
pub fn mark_paid(state: &mut State, intent_id: &str) -> Option<Value> {
    let payment = of_intent(state, intent_id)?;
    let fields = json!({
        "status": "paid", "amount_paid": payment["amount_requested"],
        "status_transitions": { "canceled_at": null, "paid_at": state.now() },
    });
    let object = state.invoice_payments.get_mut(text(&payment, "id"))?;
    change(object, fields);
    Some(object.clone())
}

/// The payment that an invoice waits for.
pub fn open_of(state: &State, invoice: &str) -> Option<Value> {
    state.invoice_payments.newest().find(|row| row["invoice"] == invoice && row["status"] == "open").cloned()
}

/// The open `invoice_payment` of a payment intent.
pub fn of_intent(state: &State, intent_id: &str) -> Option<Value> {
    let is_it = |row: &&Value| row["payment"]["payment_intent"] == intent_id && row["status"] == "open";
    state.invoice_payments.newest().find(is_it).cloned()
}

/// The payment intent of an `invoice_payment`.
pub fn intent_of(payment: &Value) -> &str {
    text(&payment["payment"], "payment_intent")
}

/// `payments` of an invoice, as `expand[]` shows it.
pub fn list(state: &State, invoice: &str) -> Value {
    let rows: Vec<&Value> =
        state.invoice_payments.newest().filter(|row| row["invoice"] == invoice).take(PAGE_ROWS).collect();
    let url = format!("/v1/invoice_payments?invoice={invoice}");
    shape::list(rows, false, &url)
}
