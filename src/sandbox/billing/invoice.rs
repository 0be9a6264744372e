//! An invoice from its draft to its end, except for its payment, which is `collection`. Drafts of renewals become final
//! after an hour, as at Stripe. Source: Stripe, "How invoicing works" and "Status transitions and finalization".

use serde_json::{Value, json};

use super::{balance, collection, line};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::resource::{change, coupons};
use crate::sandbox::shape::{INVOICE, filled, integer, text};
use crate::sandbox::state::State;

/// How long a draft stays open to changes.
const DRAFT_TIME: i64 = 60 * 60;
/// Lines shown in the object itself.
const SHOWN: usize = 10;

/// `invoice`, with all its lines.
#[derive(Clone, Debug)]
pub struct Invoice {
    /// The object, with its first lines.
    pub object: Value,
    /// All lines.
    pub lines: Vec<Value>,
    /// Its discount's id and coupon.
    pub discount: Option<(String, Value)>,
}

/// What an invoice is to be made of.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// `cus_…`.
    pub customer: String,
    /// `sub_…`, with its metadata.
    pub subscription: Option<(String, Value)>,
    /// `billing_reason`.
    pub reason: &'static str,
    /// Three letters.
    pub currency: String,
    /// The lines.
    pub lines: Vec<Value>,
    /// Invoice items that waited for it; their lines follow the others.
    pub waiting: Vec<Value>,
    /// The period that has just ended.
    pub period: (i64, i64),
    /// A discount's id and coupon.
    pub discount: Option<(String, Value)>,
    /// Further fields of the object.
    pub fields: Value,
}

impl Invoice {
    /// `in_…`.
    pub fn id(&self) -> &str {
        text(&self.object, "id")
    }

    /// The subscription that it is for.
    pub fn subscription(&self) -> Option<&str> {
        self.object["parent"]["subscription_details"]["subscription"].as_str()
    }

    /// Puts the first lines into the object and sums all of them up, with the discount taken off.
    pub fn total(&mut self) {
        let id = self.id().to_owned();
        let amounts: Vec<i64> = self.lines.iter().map(|line| integer(line, "amount")).collect();
        let open = |line: &Value| if line["discountable"] == true { integer(line, "amount").max(0) } else { 0 };
        let discountable: Vec<i64> = self.lines.iter().map(open).collect();
        let off = match &self.discount {
            Some((_, coupon)) => coupons::taken_off(coupon, &discountable, text(&self.object, "currency")),
            None => vec![0; amounts.len()],
        };
        let discount = self.discount.as_ref().map(|(id, _)| id.clone());
        for (line, off) in self.lines.iter_mut().zip(&off) {
            line["invoice"] = json!(id);
            let amounts = discount.as_ref().filter(|_| *off > 0).map(|id| json!({ "amount": off, "discount": id }));
            line["discount_amounts"] = json!(amounts.into_iter().collect::<Vec<_>>());
        }
        let (subtotal, off): (i64, i64) = (amounts.iter().sum(), off.iter().sum());
        let total = subtotal - off;
        let discounts: Vec<&String> = discount.iter().collect();
        let taken: Vec<Value> = discounts.iter().map(|id| json!({ "amount": off, "discount": id })).collect();
        let shown = &self.lines[..self.lines.len().min(SHOWN)];
        let fields = json!({
            "subtotal": subtotal, "subtotal_excluding_tax": subtotal, "total": total, "total_excluding_tax": total,
            "discounts": discounts, "total_discount_amounts": taken,
            "lines": {
                "object": "list", "data": shown, "has_more": self.lines.len() > SHOWN, "total_count": self.lines.len(),
                "url": format!("/v1/invoices/{id}/lines"),
            },
        });
        change(&mut self.object, fields);
    }
}

/// The invoice that an order would make, kept nowhere and told to nobody.
pub fn preview(state: &mut State, order: Order) -> Invoice {
    let (id, now) = (state.new_id("in_1", 24), state.now());
    let customer = state.customers.get(&order.customer).cloned().unwrap_or_default();
    let parent = order.subscription.as_ref().map(|(subscription, metadata)| {
        let details = json!({ "metadata": metadata, "subscription": subscription });
        json!({ "quote_details": null, "type": "subscription_details", "subscription_details": details })
    });
    let mut object = filled(INVOICE, order.fields);
    let fields = json!({
        "id": id, "created": now, "currency": order.currency, "customer": order.customer, "parent": parent,
        "customer_email": customer["email"], "customer_name": customer["name"], "customer_phone": customer["phone"],
        "billing_reason": order.reason, "period_start": order.period.0, "period_end": order.period.1,
        "test_clock": customer["test_clock"],
    });
    change(&mut object, fields);
    let mut lines = order.lines;
    lines.extend(order.waiting.iter().map(|item| line::of_invoice_item(state, item)));
    let mut invoice = Invoice { object, lines, discount: order.discount };
    invoice.total();
    project(&mut invoice, integer(&customer, "balance"));
    invoice
}

/// Makes a draft and tells of it. Answers its id.
pub fn draft(state: &mut State, order: Order) -> String {
    let waiting = order.waiting.clone();
    let mut invoice = preview(state, order);
    line::mark_taken(state, &waiting, invoice.id());
    if invoice.object["auto_advance"] == true {
        let at = integer(&invoice.object, "created") + DRAFT_TIME;
        invoice.object["automatically_finalizes_at"] = json!(at);
        let (customer, id) = (text(&invoice.object, "customer").to_owned(), invoice.id().to_owned());
        state.wake(&customer, at, &id);
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

/// What would be due if it became final now.
fn project(invoice: &mut Invoice, balance: i64) {
    let (due, _) = balance::settle(integer(&invoice.object, "total"), balance);
    let fields = json!({ "amount_due": due, "amount_remaining": due, "starting_balance": balance });
    change(&mut invoice.object, fields);
}

/// Makes a draft final: numbered, with the customer's credit used, and to be paid. With nothing due it is paid at once.
pub fn finalize(state: &mut State, id: &str) -> Result<(), Refusal> {
    let invoice = in_status(state, id, &["draft"], "finalized")?;
    let customer = text(&invoice.object, "customer").to_owned();
    let (now, starting) = (state.now(), balance::of(state, &customer));
    let (due, ending) = balance::settle(integer(&invoice.object, "total"), starting);
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
        "automatically_finalizes_at": null,
    });
    tell(state, id, &["invoice.finalized"], fields);
    match due {
        0 => collection::mark_paid(state, id, collection::Paid::ByNothing),
        _ => collection::prepare(state, id),
    }
    Ok(())
}

/// Voids an open invoice; credit that it used goes back.
pub fn void(state: &mut State, id: &str) -> Result<(), Refusal> {
    let invoice = in_status(state, id, &["open", "uncollectible"], "voided")?;
    let used = integer(&invoice.object, "ending_balance") - integer(&invoice.object, "starting_balance");
    if used != 0 {
        let customer = text(&invoice.object, "customer").to_owned();
        let fields = json!({ "invoice": id, "currency": invoice.object["currency"] });
        balance::move_by(state, &customer, -used, "unapplied_from_invoice", fields);
    }
    end(state, id, "void", "voided_at", "invoice.voided");
    Ok(())
}

/// Gives an open invoice up.
pub fn mark_uncollectible(state: &mut State, id: &str) -> Result<(), Refusal> {
    in_status(state, id, &["open"], "marked uncollectible")?;
    end(state, id, "uncollectible", "marked_uncollectible_at", "invoice.marked_uncollectible");
    Ok(())
}

fn end(state: &mut State, id: &str, status: &str, at: &str, event: &str) {
    let now = state.now();
    let Some(invoice) = state.invoices.get(id) else { return };
    let mut transitions = invoice.object["status_transitions"].clone();
    transitions[at] = json!(now);
    let fields = json!({
        "status": status, "status_transitions": transitions, "auto_advance": false, "next_payment_attempt": null,
    });
    if status == "void" {
        collection::call_off(state, id);
    }
    tell(state, id, &[event], fields);
    let subscription = state.invoices.get(id).and_then(Invoice::subscription).map(str::to_owned);
    if let Some(subscription) = subscription {
        super::outcome::invoice_ended(state, &subscription, id);
    }
}

/// Does what is due: a draft becomes final and is paid, a failed payment is tried again.
pub fn wake(state: &mut State, id: &str) {
    let (now, Some(invoice)) = (state.now(), state.invoices.get(id)) else { return };
    let is_due = |field: &str| invoice.object[field].as_i64().is_some_and(|at| at <= now);
    match text(&invoice.object, "status") {
        "draft" if invoice.object["auto_advance"] == true && is_due("automatically_finalizes_at") => {
            advance(state, id);
        }
        "open" if is_due("next_payment_attempt") => collection::try_to_pay(state, id),
        _ => {}
    }
}

/// Makes a draft final and tries to have it paid.
pub fn advance(state: &mut State, id: &str) {
    if finalize(state, id).is_ok() && state.invoices.get(id).is_some_and(|invoice| invoice.object["status"] == "open") {
        collection::try_to_pay(state, id);
    }
}

/// Changes an invoice and tells of it under each of these names.
pub fn tell(state: &mut State, id: &str, events: &[&str], fields: Value) {
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

/// An invoice in one of these statuses, or why what was asked for cannot be done.
pub fn in_status(state: &State, id: &str, statuses: &[&str], done: &str) -> Result<Invoice, Refusal> {
    let invoice = state.invoices.get(id).ok_or_else(|| Refusal::not_found("invoice", id, "invoice"))?;
    let status = text(&invoice.object, "status");
    match statuses.contains(&status) {
        true => Ok(invoice.clone()),
        false if status == "paid" => {
            let message = format!("Invoice is already paid, so it can't be {done}.");
            Err(Refusal::invalid(message).code("invoice_not_editable"))
        }
        false => Err(Refusal::invalid(format!(
            "This invoice has status `{status}` and can't be {done}: only invoices with status {} can.",
            statuses.join(" or ")
        ))
        .code("invoice_not_editable")),
    }
}

fn next_number(state: &mut State, customer: &str) -> String {
    let Some(object) = state.customers.get_mut(customer) else { return "0001".to_owned() };
    let sequence = integer(object, "next_invoice_sequence").max(1);
    object["next_invoice_sequence"] = json!(sequence + 1);
    format!("{}-{sequence:04}", text(object, "invoice_prefix"))
}
