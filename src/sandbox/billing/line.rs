//! What is billed: lines of invoices, and `invoiceitem`s, which wait for the next invoice. A line names its price in
//! `pricing.price_details` and its origin in `parent`. Source: Stripe, API version 2025-03-31 and later.

use serde_json::{Value, json};

use super::calendar::day_in_words;
use super::price::unit_in;
use crate::sandbox::amount::money;
use crate::sandbox::model::subscription::StoredSubscription;
use crate::sandbox::shape::{integer, text};
use crate::sandbox::state::State;

/// An `invoiceitem` before it is made.
#[derive(Clone, Debug)]
pub struct PendingItem {
    /// In the minor unit. Below zero it is credit.
    pub amount: i64,
    pub currency: String,
    pub description: String,
    /// Null if there is none.
    pub price: Value,
    pub quantity: i64,
    pub period: (i64, i64),
    /// The subscription and item of a proration. `None` for an item that was added by hand.
    pub item: Option<(String, String)>,
    pub metadata: Value,
}

/// The line of a subscription's item for a whole period, or for a trial, which costs nothing.
pub fn of_item(state: &mut State, object: &Value, item: &Value, period: (i64, i64), is_trial: bool) -> Value {
    let (price, quantity) = (&item["price"], integer(item, "quantity"));
    let currency = text(object, "currency");
    let unit = if is_trial { 0 } else { unit_in(state, price, currency).unwrap_or_default() };
    let amount = unit.saturating_mul(quantity);
    let name = product_name(state, price);
    let description = match is_trial {
        true => format!("Trial period for {name}"),
        false => {
            let cost = money(unit, currency);
            format!("{quantity} × {name} (at {cost} / {})", text(&price["recurring"], "interval"))
        }
    };
    let parent = json!({
        "invoice_item_details": null, "type": "subscription_item_details",
        "subscription_item_details": {
            "invoice_item": null, "proration": false, "proration_details": { "credited_items": null },
            "subscription": object["id"], "subscription_item": item["id"],
        },
    });
    let mut line = new_line(state, amount, currency, &description, period, quantity);
    line["parent"] = parent;
    line["pricing"] = pricing(price, unit);
    line["subscription"] = object["id"].clone();
    line
}

pub fn of_invoice_item(state: &mut State, item: &Value) -> Value {
    let period = (integer(&item["period"], "start"), integer(&item["period"], "end"));
    let quantity = integer(item, "quantity");
    let description = text(item, "description").to_owned();
    let mut line = new_line(state, integer(item, "amount"), text(item, "currency"), &description, period, quantity);
    let subscription = item["parent"]["subscription_details"]["subscription"].clone();
    line["discountable"] = item["discountable"].clone();
    line["metadata"] = item["metadata"].clone();
    line["parent"] = json!({
        "subscription_item_details": null, "type": "invoice_item_details",
        "invoice_item_details": {
            "invoice_item": item["id"], "proration": item["proration"],
            "proration_details": { "credited_items": null }, "subscription": subscription,
        },
    });
    line["pricing"] = item["pricing"].clone();
    line["subscription"] = subscription;
    line
}

/// The line of something that is never stored as an invoice item: a one-time purchase, or a proration in a preview.
pub fn of_pending(state: &mut State, pending: &PendingItem) -> Value {
    let item = invoice_item(state, "", pending);
    of_invoice_item(state, &item)
}

/// Makes an `invoiceitem`. It is stored unless the customer's id is empty.
pub fn invoice_item(state: &mut State, customer: &str, pending: &PendingItem) -> Value {
    let id = state.new_id("ii_1", 24);
    let parent = pending.item.as_ref().map(|(subscription, item)| {
        let details = json!({ "subscription": subscription, "subscription_item": item });
        json!({ "quote_details": null, "type": "subscription_details", "subscription_details": details })
    });
    let unit = if pending.quantity == 0 { pending.amount } else { pending.amount / pending.quantity };
    let pricing = if pending.price.is_null() { Value::Null } else { pricing(&pending.price, unit) };
    let item = json!({
        "id": id, "object": "invoiceitem", "amount": pending.amount, "currency": pending.currency, "customer": customer,
        "customer_account": null, "date": state.now(), "description": pending.description,
        "discountable": pending.item.is_none(), "discounts": [], "invoice": null, "livemode": false,
        "metadata": pending.metadata, "net_amount": pending.amount, "parent": parent,
        "period": { "start": pending.period.0, "end": pending.period.1 }, "pricing": pricing,
        "proration": pending.item.is_some(), "quantity": pending.quantity, "tax_rates": [],
        "test_clock": state.test_clock_of(customer),
    });
    if !customer.is_empty() {
        state.invoice_items.put(&id, item.clone());
        state.emit("invoiceitem.created", item.clone());
    }
    item
}

/// The invoice items of a customer that wait: those of this subscription, and those of none.
pub fn waiting(state: &State, customer: &str, subscription: Option<&str>) -> Vec<Value> {
    let is_wanted = |item: &&Value| {
        let own = item["parent"]["subscription_details"]["subscription"].as_str();
        item["customer"] == customer && item["invoice"].is_null() && (own.is_none() || own == subscription)
    };
    state.invoice_items.oldest().filter(is_wanted).cloned().collect()
}

/// Records the invoice that waiting items are on.
pub fn mark_invoiced(state: &mut State, items: &[Value], invoice: &str) {
    for item in items {
        if let Some(row) = state.invoice_items.get_mut(text(item, "id")) {
            row["invoice"] = json!(invoice);
        }
    }
}

/// The description of a proration: unused time is credited, remaining time is charged.
pub fn proration_words(state: &State, item: &Value, is_credit: bool, at: i64) -> String {
    let (name, quantity) = (product_name(state, &item["price"]), integer(item, "quantity"));
    let what = if quantity == 1 { name } else { format!("{quantity} × {name}") };
    let kind = if is_credit { "Unused" } else { "Remaining" };
    format!("{kind} time on {what} after {}", day_in_words(at))
}

/// The lines of all items of a subscription for a period.
pub fn of_period(
    state: &mut State,
    subscription: &StoredSubscription,
    period: (i64, i64),
    is_trial: bool,
) -> Vec<Value> {
    let items = subscription.items().to_vec();
    items.iter().map(|item| of_item(state, &subscription.object, item, period, is_trial)).collect()
}

fn product_name(state: &State, price: &Value) -> String {
    let product = state.products.get(text(price, "product"));
    product.map_or_else(|| "a product".to_owned(), |product| text(product, "name").to_owned())
}

fn pricing(price: &Value, unit: i64) -> Value {
    json!({
        "price_details": { "price": price["id"], "product": price["product"] }, "type": "price_details",
        "unit_amount_decimal": unit.to_string(),
    })
}

fn new_line(state: &mut State, amount: i64, currency: &str, words: &str, period: (i64, i64), quantity: i64) -> Value {
    json!({
        "id": state.new_id("il_1", 24), "object": "line_item", "amount": amount, "currency": currency,
        "description": words, "discount_amounts": [], "discountable": true, "discounts": [], "invoice": null,
        "livemode": false, "metadata": {}, "parent": null, "period": { "start": period.0, "end": period.1 },
        "pretax_credit_amounts": [], "pricing": null, "quantity": quantity, "quantity_decimal": quantity.to_string(),
        "subscription": null, "subtotal": amount, "taxes": [],
    })
}
