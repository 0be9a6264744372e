//! Credit notes lower a final invoice. On an open invoice less is due; on a paid one the money goes back, as a refund,
//! to the customer's balance, or outside Stripe. Source: Stripe, "Credit notes".

use serde_json::{Value, json};

use super::invoice::{self, PaymentSource, in_status};
use super::{balance, cycle, invoice_payment};
use crate::sandbox::amount::money;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::collect::refund::{self, RefundRequest};
use crate::sandbox::model::invoice::StoredInvoice;
use crate::sandbox::shape::{CREDIT_NOTE, change, filled, first_page, integer, text};
use crate::sandbox::state::State;

/// Amounts in the minor unit.
#[derive(Clone, Debug, Default)]
pub struct CreditNoteRequest {
    pub invoice: String,
    /// The total.
    pub amount: i64,
    /// The part that is refunded.
    pub refund: i64,
    /// The part that goes to the customer's balance.
    pub credit: i64,
    /// The part that goes back outside Stripe.
    pub outside: i64,
    /// What is credited, with the amount of each. If there are none, the invoice's lines until the amount is reached.
    pub lines: Vec<CreditedLine>,
    /// Further fields of the object.
    pub fields: Value,
}

/// A line of a credit note as it is asked for.
#[derive(Clone, Debug)]
pub struct CreditedLine {
    /// A line of the invoice. `None`: a line of its own.
    pub invoice_line: Option<String>,
    pub amount: i64,
    pub quantity: Option<i64>,
    pub description: Option<String>,
}

/// Issues a credit note. It lowers what is still due first; only the rest goes back. Returns its object.
pub fn issue(state: &mut State, request: CreditNoteRequest) -> Result<Value, ApiError> {
    let invoice = in_status(state, &request.invoice, &["open", "paid"], "credited")?;
    let before = request.amount.min(integer(&invoice.object, "amount_remaining"));
    let after = request.amount - before;
    check(&invoice, &request, after)?;
    let (id, now) = (state.new_id("cn_1", 24), state.now());
    let refund = match request.refund {
        0 => None,
        amount => {
            let request = RefundRequest { amount: Some(amount), fields: Value::Null };
            Some(refund::make(state, &charge_of(state, invoice.id())?, request)?)
        }
    };
    let fields = json!({ "credit_note": id, "currency": invoice.object["currency"], "invoice": invoice.id() });
    let customer = text(&invoice.object, "customer").to_owned();
    let moved =
        (request.credit > 0).then(|| balance::move_by(state, &customer, -request.credit, "credit_note", fields));

    let refunds = refund.iter().map(|refund| {
        let (id, amount) = (&refund["id"], &refund["amount"]);
        json!({ "amount_refunded": amount, "payment_record_refund": null, "refund": id, "type": "refund" })
    });
    let count = state.credit_notes.oldest().filter(|note| note["invoice"] == invoice.id()).count() + 1;
    let number = format!("{}-CN-{count:02}", text(&invoice.object, "number"));
    let amount = request.amount;
    let rows = if request.lines.is_empty() { lines_up_to(&invoice, amount) } else { request.lines };
    let rows: Vec<Value> = rows.iter().map(|row| line(state, &invoice, row)).collect();
    let lines = first_page(&rows, &format!("/v1/credit_notes/{id}/lines"));
    let mut note = filled(CREDIT_NOTE, request.fields);
    let fields = json!({
        "id": id, "amount": amount, "subtotal": amount, "subtotal_excluding_tax": amount, "total": amount,
        "total_excluding_tax": amount, "created": now, "effective_at": now, "currency": invoice.object["currency"],
        "customer": customer, "invoice": invoice.id(), "lines": lines, "number": number,
        "pdf": format!("{}/credit_notes/{id}/pdf", state.base_url),
        "pre_payment_amount": before, "post_payment_amount": after, "refunds": refunds.collect::<Vec<_>>(),
        "customer_balance_transaction": moved.map(|moved| moved["id"].clone()),
        "out_of_band_amount": (request.outside > 0).then_some(request.outside),
        "type": match (before, after) { (_, 0) => "pre_payment", (0, _) => "post_payment", _ => "mixed" },
    });
    change(&mut note, fields);
    state.credit_notes.put(&id, note.clone());
    lower_invoice(state, invoice.id(), before, after);
    state.emit("credit_note.created", note.clone());
    Ok(note)
}

/// Voids a credit note, which Stripe allows while its invoice is open. Returns its object.
pub fn void(state: &mut State, id: &str) -> Result<Value, ApiError> {
    let note = state.credit_notes.required("credit note", id, "id")?;
    let (invoice, before) = (text(note, "invoice").to_owned(), integer(note, "pre_payment_amount"));
    if note["status"] == "void" {
        return Err(ApiError::invalid("This credit note is already void."));
    }
    if state.invoices.get(&invoice).is_none_or(|invoice| invoice.object["status"] != "open") {
        let message = "You can only void a credit note if the associated invoice is open.";
        return Err(ApiError::invalid(message));
    }
    let now = state.now();
    lower_invoice(state, &invoice, -before, 0);
    let Some(note) = state.credit_notes.get_mut(id) else { return Ok(Value::Null) };
    change(note, json!({ "status": "void", "voided_at": now }));
    let note = note.clone();
    state.emit("credit_note.voided", note.clone());
    Ok(note)
}

/// Checks the amount and how it is divided.
fn check(invoice: &StoredInvoice, request: &CreditNoteRequest, after: i64) -> Result<(), ApiError> {
    let currency = text(&invoice.object, "currency");
    let credited = integer(&invoice.object, "pre_payment_credit_notes_amount")
        + integer(&invoice.object, "post_payment_credit_notes_amount");
    let left = integer(&invoice.object, "total") - credited;
    if request.amount < 1 || request.amount > left {
        let (amount, left) = (money(request.amount, currency), money(left.max(0), currency));
        let message = format!(
            "The credit note's amount ({amount}) must be positive, and at most the rest of the invoice ({left})."
        );
        return Err(ApiError::invalid(message).param("amount"));
    }
    let divided = request.refund.saturating_add(request.credit).saturating_add(request.outside);
    if [request.refund, request.credit, request.outside].iter().any(|part| *part < 0) || divided != after {
        let (divided, after) = (money(divided, currency), money(after, currency));
        let message = format!(
            "The sum of `refund_amount`, `credit_amount` and `out_of_band_amount` ({divided}) must be the part of the \
             credit note that is already paid ({after})."
        );
        return Err(ApiError::invalid(message));
    }
    Ok(())
}

/// The charge that paid an invoice.
fn charge_of(state: &State, invoice: &str) -> Result<String, ApiError> {
    let paid = state.invoice_payments.newest().find(|row| row["invoice"] == invoice && row["status"] == "paid");
    let intent = paid.and_then(|row| state.payment_intents.get(invoice_payment::intent_of(row)));
    let charge = intent.map(|intent| text(intent, "latest_charge").to_owned());
    let message = "This invoice was not paid by a charge, so there is nothing to refund.";
    charge.ok_or_else(|| ApiError::invalid(message).param("refund_amount"))
}

/// Lines of the invoice, until the amount is reached.
fn lines_up_to(invoice: &StoredInvoice, amount: i64) -> Vec<CreditedLine> {
    let (mut left, mut rows) = (amount, Vec::new());
    for line in &invoice.lines {
        let part = left.min(integer(line, "amount"));
        if part > 0 {
            left -= part;
            let invoice_line = Some(text(line, "id").to_owned());
            rows.push(CreditedLine { invoice_line, amount: part, quantity: None, description: None });
        }
    }
    rows
}

fn line(state: &mut State, invoice: &StoredInvoice, row: &CreditedLine) -> Value {
    let credited = invoice.lines.iter().find(|line| row.invoice_line.as_deref() == line["id"].as_str());
    let description = row.description.clone().map(Value::from);
    let own = description.or_else(|| credited.map(|line| line["description"].clone())).unwrap_or_default();
    json!({
        "id": state.new_id("cnli_1", 24), "object": "credit_note_line_item", "amount": row.amount, "description": own,
        "discount_amount": 0, "discount_amounts": [], "invoice_line_item": row.invoice_line, "livemode": false,
        "metadata": {}, "pretax_credit_amounts": [], "quantity": row.quantity, "tax_rates": [], "taxes": [],
        "type": if row.invoice_line.is_some() { "invoice_line_item" } else { "custom_line_item" },
        "unit_amount": null, "unit_amount_decimal": null,
    })
}

/// Changes what is due of an invoice and what was credited. If nothing is left to pay, the invoice is paid.
fn lower_invoice(state: &mut State, id: &str, before: i64, after: i64) {
    let Some(object) = state.invoices.get(id).map(|invoice| invoice.object.clone()) else { return };
    let is_open = object["status"] == "open";
    let number = |field: &str| integer(&object, field);
    let fields = json!({
        "pre_payment_credit_notes_amount": number("pre_payment_credit_notes_amount") + before,
        "post_payment_credit_notes_amount": number("post_payment_credit_notes_amount") + after,
        "amount_due": number("amount_due") - before, "amount_remaining": number("amount_remaining") - before,
    });
    invoice::update(state, id, &["invoice.updated"], fields);
    match number("amount_remaining") - before {
        _ if !is_open => {}
        0 => {
            invoice_payment::cancel(state, id);
            cycle::mark_paid(state, id, PaymentSource::Nothing);
        }
        due => invoice_payment::change_amount(state, id, due),
    }
}
