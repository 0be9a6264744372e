//! `credit_note`: issuing one over an amount, taking it back, and asking. What it does is `billing::credit`.

use serde_json::{Value, json};

use super::{change, metadata, texts};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::billing::credit::{self, Wish};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, integer, map, one_of, text};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::shape;

const FIELDS: &[Rule] = &[text("memo"), map("metadata")];
const NEW: &[Rule] = &[
    text("invoice").required(),
    integer("amount").required(),
    integer("credit_amount"),
    integer("refund_amount"),
    integer("out_of_band_amount"),
    one_of("reason", &["duplicate", "fraudulent", "order_change", "product_unsatisfactory"]),
    one_of("email_type", &["credit_note", "none"]),
];
const NOT_BUILT: &[&str] = &["effective_at", "lines", "refunds", "shipping_cost"];

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/v1/credit_notes", rules: &[FIELDS, NEW], not_built: NOT_BUILT, handler: create },
    Route {
        method: "GET",
        path: "/v1/credit_notes",
        rules: &[LIST, &[text("customer"), text("invoice")]],
        not_built: &["customer_account"],
        handler: list,
    },
    Route { method: "GET", path: "/v1/credit_notes/{}", rules: &[], not_built: &[], handler: retrieve },
    Route { method: "POST", path: "/v1/credit_notes/{}", rules: &[FIELDS], not_built: &[], handler: update },
    Route { method: "POST", path: "/v1/credit_notes/{}/void", rules: &[], not_built: &[], handler: void },
];

fn create(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let form = &call.form;
    let invoice = form.text("invoice").unwrap_or_default().to_owned();
    let found = call.state.invoices.get(&invoice).map(|invoice| shape::text(&invoice.object, "customer").to_owned());
    let customer = found.ok_or_else(|| Refusal::no_such("invoice", &invoice, "invoice"))?;
    let mut fields = texts(form, &["memo", "reason"]);
    fields["metadata"] = metadata(&json!({}), form, "metadata");
    let part = |name: &str| form.integer(name).unwrap_or(0);
    let wish = Wish {
        invoice,
        amount: part("amount"),
        refund: part("refund_amount"),
        credit: part("credit_amount"),
        outside: part("out_of_band_amount"),
        fields,
    };
    call.state.live_by(&customer);
    credit::issue(call.state, wish)
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let wanted = |row: &&Value| ["customer", "invoice"].iter().all(|field| matches(&call.form, row, field));
    page(&call.form, "/v1/credit_notes", call.state.credit_notes.newest().filter(wanted))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let found = call.state.credit_notes.get(call.id()).cloned();
    found.ok_or_else(|| Refusal::not_found("credit note", call.id(), "id"))
}

fn update(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut note = retrieve(call)?;
    let mut fields = texts(&call.form, &["memo"]);
    fields["metadata"] = metadata(&note["metadata"], &call.form, "metadata");
    let previous = change(&mut note, fields);
    let id = call.id().to_owned();
    call.state.credit_notes.put(&id, note.clone());
    call.state.emit_change("credit_note.updated", note.clone(), previous);
    Ok(note)
}

fn void(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let note = retrieve(call)?;
    call.state.live_by(shape::text(&note, "customer"));
    let id = call.id().to_owned();
    credit::void(call.state, &id)
}
