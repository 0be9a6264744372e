//! How an invoice is paid: from credit, by a payment intent, or outside Stripe; and what happens when it is not. Failed
//! payments of renewals are tried again after 3, 5 and 7 days. Source: Stripe, "Automatic collection".

use serde_json::{Value, json};

use super::invoice::{Invoice, in_status, tell};
use super::{outcome, subscription};
use crate::sandbox::collect::{self, Outcome, Presence};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::resource::{change, payment_methods};
use crate::sandbox::shape::{integer, text};
use crate::sandbox::state::State;

const DAY: i64 = 24 * 60 * 60;
/// The pauses before the second, third and fourth attempt.
const PAUSES: [i64; 3] = [3 * DAY, 5 * DAY, 7 * DAY];

/// What an invoice was paid by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paid {
    /// Nothing was due.
    ByNothing,
    /// A payment intent.
    ByIntent,
    /// Something outside Stripe.
    OutOfBand,
}

/// Makes the payment intent of an invoice that has just become final.
pub fn prepare(state: &mut State, id: &str) {
    let Some(invoice) = state.invoices.get(id).map(|invoice| invoice.object.clone()) else { return };
    if open_payment(state, id).is_some() {
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
    let intent = collect::add_intent(state, fields);
    attach(state, id, &intent);
}

/// Notes that a payment intent is to pay an invoice. Answers the `invoice_payment`'s id.
pub fn attach(state: &mut State, id: &str, intent: &str) -> String {
    let (payment, now) = (state.new_id("inpay_1", 24), state.now());
    let invoice = state.invoices.get(id).map(|invoice| invoice.object.clone()).unwrap_or_default();
    let object = json!({
        "id": payment, "object": "invoice_payment", "amount_paid": null, "amount_requested": invoice["amount_due"],
        "created": now, "currency": invoice["currency"], "invoice": id, "is_default": true, "livemode": false,
        "payment": { "payment_intent": intent, "type": "payment_intent" }, "status": "open",
        "status_transitions": { "canceled_at": null, "paid_at": null },
    });
    state.invoice_payments.put(&payment, object);
    payment
}

/// Pays an open invoice with a payment method, the one named or else the default one.
pub fn pay(state: &mut State, id: &str, method: Option<&str>, presence: Presence) -> Result<(), Refusal> {
    let invoice = in_status(state, id, &["open", "uncollectible"], "paid")?;
    let own = invoice.object["default_payment_method"].as_str();
    let subscribed = invoice.subscription().and_then(|id| state.subscriptions.get(id)).map(|row| &row.object);
    let default = subscription::payment_method(state, subscribed.unwrap_or(&invoice.object));
    let Some(method) = method.or(own).map(str::to_owned).or(default) else {
        failed(state, id);
        let message =
            "There is no default_payment_method set on this Customer or Invoice. Please set one before paying.";
        return Err(Refusal::invalid(message).code("resource_missing"));
    };
    let method = payment_methods::named(state, &method, "payment_method")?;
    prepare(state, id);
    let Some(intent) = open_payment(state, id).map(|payment| text(&payment["payment"], "payment_intent").to_owned())
    else {
        return Err(Refusal::invalid("This invoice has no payment to make."));
    };
    let customer = state.customers.get(text(&invoice.object, "customer")).cloned().unwrap_or_default();
    match collect::attempt(state, &intent, &method, &customer, presence) {
        Ok(Outcome::Paid) => intent_paid(state, &intent),
        Ok(Outcome::Pending) => {}
        Ok(Outcome::NeedsAuthentication) => {
            tell(state, id, &["invoice.payment_action_required"], json!({ "attempted": true }));
        }
        Err(refusal) => {
            intent_failed(state, &intent);
            return Err(refusal);
        }
    }
    Ok(())
}

/// Tries to have an invoice paid while the payer is away. How that went is told by events.
pub fn try_to_pay(state: &mut State, id: &str) {
    let _ = pay(state, id, None, Presence::Away);
}

/// Notes that an invoice was paid outside Stripe.
pub fn pay_out_of_band(state: &mut State, id: &str) -> Result<(), Refusal> {
    in_status(state, id, &["open", "uncollectible"], "paid")?;
    call_off(state, id);
    mark_paid(state, id, Paid::OutOfBand);
    Ok(())
}

/// Lets the payment that an invoice waits for be of another amount.
pub fn ask_for(state: &mut State, id: &str, amount: i64) {
    let Some(payment) = open_payment(state, id) else { return };
    if let Some(object) = state.invoice_payments.get_mut(text(&payment, "id")) {
        object["amount_requested"] = json!(amount);
    }
    if let Some(intent) = state.payment_intents.get_mut(text(&payment["payment"], "payment_intent")) {
        intent["amount"] = json!(amount);
    }
}

/// Calls off the payment that an invoice waits for.
pub fn call_off(state: &mut State, id: &str) {
    let Some(payment) = open_payment(state, id) else { return };
    let now = state.now();
    if let Some(object) = state.invoice_payments.get_mut(text(&payment, "id")) {
        object["status"] = json!("canceled");
        object["status_transitions"]["canceled_at"] = json!(now);
    }
    let intent = text(&payment["payment"], "payment_intent").to_owned();
    let fields = json!({ "status": "canceled", "canceled_at": now, "cancellation_reason": "void_invoice" });
    collect::change_intent(state, &intent, "payment_intent.canceled", fields);
}

/// A payment intent has been paid: so is the invoice that it is for.
pub fn intent_paid(state: &mut State, intent: &str) {
    let Some(payment) = payment_of(state, intent) else { return };
    let (now, id) = (state.now(), text(&payment, "id").to_owned());
    let invoice = text(&payment, "invoice").to_owned();
    let fields = json!({
        "status": "paid", "amount_paid": payment["amount_requested"],
        "status_transitions": { "canceled_at": null, "paid_at": now },
    });
    let Some(object) = state.invoice_payments.get_mut(&id) else { return };
    change(object, fields);
    let object = object.clone();
    if let Some(invoice) = state.invoices.get_mut(&invoice) {
        invoice.object["attempt_count"] = json!(integer(&invoice.object, "attempt_count") + 1);
    }
    mark_paid(state, &invoice, Paid::ByIntent);
    state.emit("invoice_payment.paid", object);
}

/// A payment intent's attempt has failed: so has its invoice's.
pub fn intent_failed(state: &mut State, intent: &str) {
    if let Some(payment) = payment_of(state, intent) {
        failed(state, text(&payment, "invoice"));
    }
}

/// Makes an invoice paid and tells what follows.
pub fn mark_paid(state: &mut State, id: &str, by: Paid) {
    let Some(invoice) = state.invoices.get(id) else { return };
    let subscription = invoice.subscription().map(str::to_owned);
    let (due, mut transitions) = (invoice.object["amount_due"].clone(), invoice.object["status_transitions"].clone());
    transitions["paid_at"] = json!(state.now());
    let mut fields = json!({
        "status": "paid", "status_transitions": transitions, "amount_paid": due, "amount_remaining": 0,
        "attempted": true, "auto_advance": false, "next_payment_attempt": null,
    });
    if by == Paid::OutOfBand {
        fields["amount_paid_off_stripe"] = due;
    }
    // Marked as paid by hand, it is paid, but no payment has succeeded.
    let events = ["invoice.paid", "invoice.payment_succeeded"];
    tell(state, id, if by == Paid::OutOfBand { &events[..1] } else { &events }, fields);
    if let Some(subscription) = subscription {
        outcome::invoice_paid(state, &subscription, id);
    }
}

fn failed(state: &mut State, id: &str) {
    let Some(invoice) = state.invoices.get(id) else { return };
    let count = integer(&invoice.object, "attempt_count") + 1;
    let subscription = invoice.subscription().map(str::to_owned);
    let customer = text(&invoice.object, "customer").to_owned();
    let is_first = invoice.object["billing_reason"] == "subscription_create";
    let is_alive = subscription
        .as_deref()
        .and_then(|id| state.subscriptions.get(id))
        .is_some_and(|row| !row.has_ended() && row.status() != "unpaid");
    let pause = usize::try_from(count - 1).ok().and_then(|tried| PAUSES.get(tried));
    let next = pause.filter(|_| is_alive && !is_first).map(|pause| state.now() + pause);
    if let Some(at) = next {
        state.wake(&customer, at, id);
    }
    let fields = json!({
        "attempt_count": count, "attempted": true, "next_payment_attempt": next, "auto_advance": next.is_some(),
    });
    tell(state, id, &["invoice.payment_failed"], fields);
    if let Some(subscription) = subscription {
        outcome::invoice_failed(state, &subscription, id, next.is_none() && !is_first);
    }
}

fn open_payment(state: &State, invoice: &str) -> Option<Value> {
    state.invoice_payments.newest().find(|row| row["invoice"] == invoice && row["status"] == "open").cloned()
}

fn payment_of(state: &State, intent: &str) -> Option<Value> {
    let is_it = |row: &&Value| row["payment"]["payment_intent"] == intent && row["status"] == "open";
    state.invoice_payments.newest().find(is_it).cloned()
}

/// The `payments` of an invoice, for who expands them.
pub fn payments(state: &State, invoice: &Invoice) -> Value {
    let id = invoice.id();
    let rows: Vec<&Value> = state.invoice_payments.newest().filter(|row| row["invoice"] == id).take(10).collect();
    json!({ "object": "list", "data": rows, "has_more": false, "url": format!("/v1/invoice_payments?invoice={id}") })
}
