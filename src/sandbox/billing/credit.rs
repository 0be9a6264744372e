//! Credit notes: a final invoice is lowered. On an open one so much less is due; on a paid one the money goes back, by a
//! refund, to the customer's balance, or outside Stripe. Source: Stripe, "Credit notes".

use serde_json::{Value, json};

use super::invoice::{Invoice, in_status, tell};
use super::{balance, collection};
use crate::sandbox::page::money;
use crate::sandbox::refund;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::resource::change;
use crate::sandbox::shape::{CREDIT_NOTE, filled, integer, text};
use crate::sandbox::state::State;

/// What is asked for, in the minor unit.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// `in_…`.
    pub invoice: String,
    /// All in all.
    pub amount: i64,
    /// What is refunded of it.
    pub refund: i64,
    /// What goes to the customer's balance.
    pub credit: i64,
    /// What goes back outside Stripe.
    pub outside: i64,
    /// Further fields of the object.
    pub fields: Value,
}

/// Issues a credit note. What is still due is lowered first; only what is beyond that goes back. Answers its object.
pub fn issue(state: &mut State, wish: Wish) -> Result<Value, Refusal> {
    let invoice = in_status(state, &wish.invoice, &["open", "paid"], "credited")?;
    let before = wish.amount.min(integer(&invoice.object, "amount_remaining"));
    let after = wish.amount - before;
    allow(&invoice, &wish, after)?;
    let (id, now) = (state.new_id("cn_1", 24), state.now());
    let refund = match wish.refund {
        0 => None,
        amount => {
            let wish = refund::Wish { amount: Some(amount), fields: Value::Null };
            Some(refund::make(state, &charge_of(state, invoice.id())?, wish)?)
        }
    };
    let fields = json!({ "credit_note": id, "currency": invoice.object["currency"], "invoice": invoice.id() });
    let customer = text(&invoice.object, "customer").to_owned();
    let moved = (wish.credit > 0).then(|| balance::move_by(state, &customer, -wish.credit, "credit_note", fields));

    let refunds = refund.iter().map(|refund| {
        let (id, amount) = (&refund["id"], &refund["amount"]);
        json!({ "amount_refunded": amount, "payment_record_refund": null, "refund": id, "type": "refund" })
    });
    let count = state.credit_notes.oldest().filter(|note| note["invoice"] == invoice.id()).count() + 1;
    let number = format!("{}-CN-{count:02}", text(&invoice.object, "number"));
    let (amount, lines) = (wish.amount, lines(state, &id, &invoice, wish.amount));
    let mut note = filled(CREDIT_NOTE, wish.fields);
    let fields = json!({
        "id": id, "amount": amount, "subtotal": amount, "subtotal_excluding_tax": amount, "total": amount,
        "total_excluding_tax": amount, "created": now, "effective_at": now, "currency": invoice.object["currency"],
        "customer": customer, "invoice": invoice.id(), "lines": lines, "number": number,
        "pdf": format!("{}/credit_notes/{id}/pdf", state.base_url),
        "pre_payment_amount": before, "post_payment_amount": after, "refunds": refunds.collect::<Vec<_>>(),
        "customer_balance_transaction": moved.map(|moved| moved["id"].clone()),
        "out_of_band_amount": (wish.outside > 0).then_some(wish.outside),
        "type": match (before, after) { (_, 0) => "pre_payment", (0, _) => "post_payment", _ => "mixed" },
    });
    change(&mut note, fields);
    state.credit_notes.put(&id, note.clone());
    lower(state, invoice.id(), before, after);
    state.emit("credit_note.created", note.clone());
    Ok(note)
}

/// Takes a credit note back, which Stripe allows while its invoice is open. Answers its object.
pub fn void(state: &mut State, id: &str) -> Result<Value, Refusal> {
    let note = state.credit_notes.get(id).ok_or_else(|| Refusal::not_found("credit note", id, "id"))?;
    let (invoice, before) = (text(note, "invoice").to_owned(), integer(note, "pre_payment_amount"));
    if note["status"] == "void" {
        return Err(Refusal::invalid("This credit note is void already."));
    }
    if state.invoices.get(&invoice).is_none_or(|invoice| invoice.object["status"] != "open") {
        let message = "You can only void a credit note if the associated invoice is open.";
        return Err(Refusal::invalid(message));
    }
    let now = state.now();
    lower(state, &invoice, -before, 0);
    let Some(note) = state.credit_notes.get_mut(id) else { return Ok(Value::Null) };
    change(note, json!({ "status": "void", "voided_at": now }));
    let note = note.clone();
    state.emit("credit_note.voided", note.clone());
    Ok(note)
}

/// Whether so much can be credited, and is divided as it must be.
fn allow(invoice: &Invoice, wish: &Wish, after: i64) -> Result<(), Refusal> {
    let currency = text(&invoice.object, "currency");
    let credited = integer(&invoice.object, "pre_payment_credit_notes_amount")
        + integer(&invoice.object, "post_payment_credit_notes_amount");
    let left = integer(&invoice.object, "total") - credited;
    if wish.amount < 1 || wish.amount > left {
        let (amount, left) = (money(wish.amount, currency), money(left.max(0), currency));
        let message = format!(
            "The credit note's amount ({amount}) must be positive and at most what is left of the invoice ({left})."
        );
        return Err(Refusal::invalid(message).param("amount"));
    }
    let divided = wish.refund.saturating_add(wish.credit).saturating_add(wish.outside);
    if [wish.refund, wish.credit, wish.outside].iter().any(|part| *part < 0) || divided != after {
        let (divided, after) = (money(divided, currency), money(after, currency));
        let message = format!(
            "The sum of `refund_amount`, `credit_amount` and `out_of_band_amount` ({divided}) must be the part of the \
             credit note that was paid already ({after})."
        );
        return Err(Refusal::invalid(message));
    }
    Ok(())
}

/// The charge that paid an invoice.
fn charge_of(state: &State, invoice: &str) -> Result<String, Refusal> {
    let paid = state.invoice_payments.newest().find(|row| row["invoice"] == invoice && row["status"] == "paid");
    let intent = paid.and_then(|row| state.payment_intents.get(text(&row["payment"], "payment_intent")));
    let charge = intent.map(|intent| text(intent, "latest_charge").to_owned());
    let message = "This invoice was not paid by a charge, so there is nothing to refund.";
    charge.ok_or_else(|| Refusal::invalid(message).param("refund_amount"))
}

/// The first lines of the invoice, as far as the amount goes.
fn lines(state: &mut State, note: &str, invoice: &Invoice, amount: i64) -> Value {
    let (mut left, mut rows) = (amount, Vec::new());
    for line in &invoice.lines {
        let part = left.min(integer(line, "amount"));
        if part > 0 {
            left -= part;
            rows.push(json!({
                "id": state.new_id("cnli_1", 24), "object": "credit_note_line_item", "amount": part,
                "description": line["description"], "discount_amount": 0, "discount_amounts": [],
                "invoice_line_item": line["id"], "livemode": false, "metadata": {}, "pretax_credit_amounts": [],
                "quantity": null, "tax_rates": [], "taxes": [], "type": "invoice_line_item", "unit_amount": null,
                "unit_amount_decimal": null,
            }));
        }
    }
    let has_more = rows.len() > 10;
    rows.truncate(10);
    json!({ "object": "list", "data": rows, "has_more": has_more, "url": format!("/v1/credit_notes/{note}/lines") })
}

/// Changes what is due of an invoice and what was credited. With nothing left to pay, it is paid.
fn lower(state: &mut State, id: &str, before: i64, after: i64) {
    let Some(object) = state.invoices.get(id).map(|invoice| invoice.object.clone()) else { return };
    let is_open = object["status"] == "open";
    let number = |field: &str| integer(&object, field);
    let fields = json!({
        "pre_payment_credit_notes_amount": number("pre_payment_credit_notes_amount") + before,
        "post_payment_credit_notes_amount": number("post_payment_credit_notes_amount") + after,
        "amount_due": number("amount_due") - before, "amount_remaining": number("amount_remaining") - before,
    });
    tell(state, id, &["invoice.updated"], fields);
    match number("amount_remaining") - before {
        _ if !is_open => {}
        0 => {
            collection::call_off(state, id);
            collection::mark_paid(state, id, collection::Paid::ByNothing);
        }
        due => collection::ask_for(state, id, due),
    }
}
