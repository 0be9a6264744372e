//! One invoice from its draft to its end. These steps change no subscription; how a subscription reacts is in `cycle`.
//! Source: Stripe, "How invoicing works" and "Status transitions and finalization".

use serde_json::{Value, json};

use super::price::is_exclusive;
use super::{balance, invoice_payment, line};
use crate::clock::DAY_SECONDS;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::model::coupon::Discount;
use crate::sandbox::model::invoice::StoredInvoice;
use crate::sandbox::model::subscription::StoredSubscription;
use crate::sandbox::model::tax;
use crate::sandbox::shape::{INVOICE, change, filled, integer, text};
use crate::sandbox::state::State;

/// How long a draft can be changed before it becomes final, as at Stripe.
const DRAFT_TIME: i64 = 60 * 60;
/// The pauses before the second, third and fourth attempt to collect. Source: Stripe, "Automatic collection".
const RETRY_PAUSES: [i64; 3] = [3 * DAY_SECONDS, 5 * DAY_SECONDS, 7 * DAY_SECONDS];

/// What an invoice is made of.
#[derive(Clone, Debug, Default)]
pub struct InvoiceParts {
    pub customer: String,
    /// The subscription's id and metadata.
    pub subscription: Option<(String, Value)>,
    /// `billing_reason`.
    pub reason: &'static str,
    pub currency: String,
    pub lines: Vec<Value>,
    /// Invoice items that waited for this invoice. Their lines follow the others.
    pub waiting: Vec<Value>,
    /// The period that has just ended.
    pub period: (i64, i64),
    pub discount: Option<Discount>,
    /// It is paid already, so the customer's credit does not change what is due.
    pub is_prepaid: bool,
    /// Further fields of the object.
    pub fields: Value,
}

impl InvoiceParts {
    /// The parts that a subscription decides.
    pub fn of_subscription(subscription: &StoredSubscription, mut fields: Value) -> InvoiceParts {
        let object = &subscription.object;
        fields["automatic_tax"] = object["automatic_tax"].clone();
        InvoiceParts {
            customer: subscription.customer().to_owned(),
            subscription: Some((text(object, "id").to_owned(), object["metadata"].clone())),
            currency: text(object, "currency").to_owned(),
            period: subscription.period(),
            fields,
            ..InvoiceParts::default()
        }
    }
}

/// How an invoice came to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentSource {
    /// Nothing was due.
    Nothing,
    Intent,
    /// Something outside Stripe.
    OutOfBand,
}

/// The invoice that these parts would make. It is not stored and has no events.
pub fn preview(state: &mut State, parts: InvoiceParts) -> StoredInvoice {
    let (id, now) = (state.new_id("in_1", 24), state.now());
    let customer = state.customers.get(&parts.customer).cloned().unwrap_or_default();
    let parent = parts.subscription.as_ref().map(|(subscription, metadata)| {
        let details = json!({ "metadata": metadata, "subscription": subscription });
        json!({ "quote_details": null, "type": "subscription_details", "subscription_details": details })
    });
    let mut object = filled(INVOICE, parts.fields);
    let is_taxed = object["automatic_tax"]["enabled"] == true;
    let has_address = customer["address"]["country"].is_string();
    object["automatic_tax"] = automatic_tax(is_taxed, has_address);
    let fields = json!({
        "id": id, "created": now, "currency": parts.currency, "customer": parts.customer, "parent": parent,
        "customer_email": customer["email"], "customer_name": customer["name"], "customer_phone": customer["phone"],
        "customer_address": customer["address"], "customer_tax_ids": tax_ids(state, &parts.customer),
        "billing_reason": parts.reason, "period_start": parts.period.0, "period_end": parts.period.1,
        "test_clock": customer["test_clock"],
    });
    change(&mut object, fields);
    let mut lines = parts.lines;
    lines.extend(parts.waiting.iter().map(|item| line::of_invoice_item(state, item)));
    if is_taxed && has_address {
        lines.iter_mut().for_each(|line| mark_taxed(state, line));
    }
    let is_prepaid = parts.is_prepaid;
    let mut invoice = StoredInvoice { object, lines, discount: parts.discount, is_prepaid };
    invoice.total();
    project(&mut invoice, integer(&customer, "balance"));
    invoice
}

fn automatic_tax(is_enabled: bool, has_address: bool) -> Value {
    let status = if has_address { "complete" } else { "requires_location_inputs" };
    json!({
        "disabled_reason": null, "enabled": is_enabled, "liability": is_enabled.then(|| json!({ "type": "self" })),
        "provider": is_enabled.then_some("stripe"), "status": is_enabled.then_some(status),
    })
}

fn tax_ids(state: &State, customer: &str) -> Vec<Value> {
    let own = state.tax_ids.oldest().filter(|row| row["customer"] == customer);
    own.map(|row| json!({ "type": row["type"], "value": row["value"] })).collect()
}

/// Says on a line that it is taxed, and how. [`StoredInvoice::total`] computes the tax.
fn mark_taxed(state: &State, line: &mut Value) {
    let (price, currency) = (text(&line["pricing"]["price_details"], "price"), text(line, "currency"));
    let price = state.prices.get(price).cloned().unwrap_or_default();
    line["taxes"] = json!([tax::entry(0, 0, is_exclusive(state, &price, currency))]);
}

/// Makes a draft and emits its event. Returns its id.
pub fn draft(state: &mut State, parts: InvoiceParts) -> String {
    let waiting = parts.waiting.clone();
    let mut invoice = preview(state, parts);
    line::mark_invoiced(state, &waiting, invoice.id());
    if invoice.object["auto_advance"] == true {
        let at = integer(&invoice.object, "created") + DRAFT_TIME;
        invoice.object["automatically_finalizes_at"] = json!(at);
        let (customer, id) = (text(&invoice.object, "customer").to_owned(), invoice.id().to_owned());
        state.wake_at(&customer, at, &id);
    }
    let (id, object) = (invoice.id().to_owned(), invoice.object.clone());
    state.invoices.put(&id, invoice);
    state.emit("invoice.created", object);
    id
}

/// Adds lines to a draft.
pub fn add_lines(state: &mut State, id: &str, lines: Vec<Value>) {
    let customer = state.invoices.get(id).map(|invoice| text(&invoice.object, "customer").to_owned());
    let balance = balance::of(state, &customer.unwrap_or_default());
    if let Some(invoice) = state.invoices.get_mut(id) {
        invoice.lines.extend(lines);
        invoice.total();
        project(invoice, balance);
    }
}

/// Writes what would be due if the invoice became final now.
fn project(invoice: &mut StoredInvoice, balance: i64) {
    let balance = if invoice.is_prepaid { 0 } else { balance };
    let (due, _) = balance::due_after_credit(integer(&invoice.object, "total"), balance);
    let fields = json!({ "amount_due": due, "amount_remaining": due, "starting_balance": balance });
    change(&mut invoice.object, fields);
}

/// Makes a draft final: it gets its number and uses the customer's credit. Returns the amount due.
pub fn open(state: &mut State, id: &str) -> Result<i64, ApiError> {
    let invoice = in_status(state, id, &["draft"], "finalized")?;
    let customer = text(&invoice.object, "customer").to_owned();
    let starting = if invoice.is_prepaid { 0 } else { balance::of(state, &customer) };
    let now = state.now();
    let (due, ending) = balance::due_after_credit(integer(&invoice.object, "total"), starting);
    if ending != starting {
        let kind = if due == 0 && ending > 0 { "invoice_too_small" } else { "applied_to_invoice" };
        let fields = json!({ "invoice": id, "currency": invoice.object["currency"] });
        balance::move_by(state, &customer, ending - starting, kind, fields);
    }
    let number = next_number(state, &customer);
    let mut transitions = invoice.object["status_transitions"].clone();
    transitions["finalized_at"] = json!(now);
    let fields = json!({
        "status": "open", "number": number, "effective_at": now, "status_transitions": transitions,
        "starting_balance": starting, "ending_balance": ending, "amount_due": due, "amount_remaining": due,
        "automatically_finalizes_at": null, "hosted_invoice_url": format!("{}/i/{id}", state.base_url),
    });
    update(state, id, &["invoice.finalized"], fields);
    Ok(due)
}

/// Makes an invoice paid.
pub fn mark_paid(state: &mut State, id: &str, source: PaymentSource) {
    let Some(invoice) = state.invoices.get(id) else { return };
    let (due, mut transitions) = (invoice.object["amount_due"].clone(), invoice.object["status_transitions"].clone());
    transitions["paid_at"] = json!(state.now());
    let mut fields = json!({
        "status": "paid", "status_transitions": transitions, "amount_paid": due, "amount_remaining": 0,
        "attempted": true, "auto_advance": false, "next_payment_attempt": null,
    });
    // An invoice that is marked as paid by hand is paid, but no payment has succeeded.
    let events = match source {
        PaymentSource::OutOfBand => {
            fields["amount_paid_off_stripe"] = due;
            &["invoice.paid"][..]
        }
        _ => &["invoice.paid", "invoice.payment_succeeded"],
    };
    update(state, id, events, fields);
}

/// Records a failed attempt to collect an invoice and schedules the next one. Returns whether it was the last.
pub fn mark_failed(state: &mut State, id: &str) -> bool {
    let Some(invoice) = state.invoices.get(id) else { return false };
    let count = integer(&invoice.object, "attempt_count") + 1;
    let customer = text(&invoice.object, "customer").to_owned();
    let is_first = invoice.object["billing_reason"] == "subscription_create";
    let is_alive = invoice
        .subscription()
        .and_then(|id| state.subscriptions.get(id))
        .is_some_and(|row| !row.has_ended() && row.status() != "unpaid");
    let pause = usize::try_from(count - 1).ok().and_then(|tried| RETRY_PAUSES.get(tried));
    let next = pause.filter(|_| is_alive && !is_first).map(|pause| state.now() + pause);
    if let Some(at) = next {
        state.wake_at(&customer, at, id);
    }
    let fields = json!({
        "attempt_count": count, "attempted": true, "next_payment_attempt": next, "auto_advance": next.is_some(),
    });
    update(state, id, &["invoice.payment_failed"], fields);
    next.is_none() && !is_first
}

/// Voids an open invoice. Credit that it used goes back, and its payment is canceled.
pub fn void(state: &mut State, id: &str) -> Result<(), ApiError> {
    let invoice = in_status(state, id, &["open", "uncollectible"], "voided")?;
    let used = integer(&invoice.object, "ending_balance") - integer(&invoice.object, "starting_balance");
    if used != 0 {
        let customer = text(&invoice.object, "customer").to_owned();
        let fields = json!({ "invoice": id, "currency": invoice.object["currency"] });
        balance::move_by(state, &customer, -used, "unapplied_from_invoice", fields);
    }
    invoice_payment::cancel(state, id);
    close(state, id, "void", "voided_at", "invoice.voided");
    Ok(())
}

/// Gives up an open invoice.
pub fn mark_uncollectible(state: &mut State, id: &str) -> Result<(), ApiError> {
    in_status(state, id, &["open"], "marked uncollectible")?;
    close(state, id, "uncollectible", "marked_uncollectible_at", "invoice.marked_uncollectible");
    Ok(())
}

fn close(state: &mut State, id: &str, status: &str, at: &str, event: &str) {
    let now = state.now();
    let Some(invoice) = state.invoices.get(id) else { return };
    let mut transitions = invoice.object["status_transitions"].clone();
    transitions[at] = json!(now);
    let fields = json!({
        "status": status, "status_transitions": transitions, "auto_advance": false, "next_payment_attempt": null,
    });
    update(state, id, &[event], fields);
}

/// Changes an invoice and emits each of these events.
pub fn update(state: &mut State, id: &str, events: &[&str], fields: Value) {
    let Some(invoice) = state.invoices.get_mut(id) else { return };
    let previous = change(&mut invoice.object, fields);
    let object = invoice.object.clone();
    for event in events {
        match *event {
            "invoice.updated" => state.emit_change(event, object.clone(), previous.clone()),
            _ => state.emit(event, object.clone()),
        }
    }
}

/// An invoice in one of these statuses. The error says that it cannot be `done`.
pub fn in_status(state: &State, id: &str, statuses: &[&str], done: &str) -> Result<StoredInvoice, ApiError> {
    let invoice = state.invoices.required("invoice", id, "invoice")?;
    let status = text(&invoice.object, "status");
    match statuses.contains(&status) {
        true => Ok(invoice.clone()),
        false if status == "paid" => {
            let message = format!("Invoice is already paid, so it can't be {done}.");
            Err(ApiError::invalid(message).code("invoice_not_editable"))
        }
        false => Err(ApiError::invalid(format!(
            "This invoice has status `{status}` and can't be {done}: only invoices with status {} can.",
            statuses.join(" or ")
        ))
        .code("invoice_not_editable")),
    }
}

/// Whether the invoice is final and unpaid.
pub fn is_open(state: &State, id: &str) -> bool {
    state.invoices.get(id).is_some_and(|invoice| invoice.object["status"] == "open")
}

fn next_number(state: &mut State, customer: &str) -> String {
    let Some(object) = state.customers.get_mut(customer) else { return "0001".to_owned() };
    let sequence = integer(object, "next_invoice_sequence").max(1);
    object["next_invoice_sequence"] = json!(sequence + 1);
    format!("{}-{sequence:04}", text(object, "invoice_prefix"))
}
