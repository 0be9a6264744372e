//! The invoice of what is paid already: a checkout in `payment` mode with `invoice_creation`. Source: Stripe, "Post-payment
//! invoices".

use serde_json::{Value, json};

use super::invoice::{self, InvoiceParts, PaymentSource};
use super::line::{self, PendingItem};
use super::{cycle, discount, invoice_payment};
use crate::sandbox::model::session::StoredSession;
use crate::sandbox::shape::{integer, text};
use crate::sandbox::state::State;

/// Makes the invoice of a session that has been paid, or that owes nothing. Returns its id.
pub fn make(state: &mut State, session: &StoredSession) -> String {
    let (object, customer) = (&session.object, text(&session.object, "customer").to_owned());
    let promotion = object["discounts"][0]["promotion_code"].clone();
    let coupon = session.coupon.clone().map(|coupon| (coupon, promotion));
    let discount = coupon.map(|coupon| discount::add(state, "", &customer, &coupon));
    let data = &object["invoice_creation"]["invoice_data"];
    let items: Vec<PendingItem> = session.items.iter().map(|item| purchase(state, item)).collect();
    let now = state.now();
    let parts = InvoiceParts {
        customer,
        reason: "manual",
        currency: text(object, "currency").to_owned(),
        lines: items.iter().map(|item| line::of_pending(state, item)).collect(),
        period: (now, now),
        discount,
        is_prepaid: true,
        fields: json!({
            "auto_advance": false, "automatic_tax": invoice_tax(object), "metadata": data["metadata"],
            "description": data["description"], "footer": data["footer"],
        }),
        ..InvoiceParts::default()
    };
    let id = invoice::draft(state, parts);
    let intent = object["payment_intent"].as_str();
    let _ = invoice::open(state, &id);
    match intent.filter(|_| integer(object, "amount_total") > 0) {
        Some(intent) => {
            invoice_payment::attach(state, &id, intent);
            cycle::intent_paid(state, intent);
        }
        None => cycle::mark_paid(state, &id, PaymentSource::Nothing),
    }
    id
}

/// What a line item of a session sells once.
pub fn purchase(state: &State, item: &Value) -> PendingItem {
    let now = state.now();
    PendingItem {
        amount: integer(item, "amount_subtotal"),
        currency: text(item, "currency").to_owned(),
        description: text(item, "description").to_owned(),
        price: item["price"].clone(),
        quantity: integer(item, "quantity"),
        period: (now, now),
        item: None,
        metadata: json!({}),
    }
}

/// `automatic_tax` of an invoice, from that of a session.
fn invoice_tax(session: &Value) -> Value {
    let mut tax = session["automatic_tax"].clone();
    tax["disabled_reason"] = Value::Null;
    tax
}
