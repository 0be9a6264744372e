//! `credit_note`: issuing, voiding, reading. What that does is in `billing::credit_note`.

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::credit_note::{self, CreditNoteRequest, CreditedLine};
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::fields::{merged_metadata, metadata, texts};
use crate::sandbox::list::filtered_page;
use crate::sandbox::params::{LIST, Rule, integer, map, name_of, one_of, text};
use crate::sandbox::shape::{self, change};

const FIELDS: &[Rule] = &[text("memo"), map("metadata")];
const NEW: &[Rule] = &[
    text("invoice").required(),
    integer("amount"),
    integer("lines.#.amount"),
    text("lines.#.description"),
    text("lines.#.invoice_line_item"),
    integer("lines.#.quantity"),
    one_of("lines.#.type", &["custom_line_item", "invoice_line_item"]),
    integer("lines.#.unit_amount"),
    integer("credit_amount"),
    integer("refund_amount"),
    integer("out_of_band_amount"),
    one_of("reason", &["duplicate", "fraudulent", "order_change", "product_unsatisfactory"]),
    one_of("email_type", &["credit_note", "none"]),
];
const NOT_BUILT: &[&str] = &["effective_at", "lines", "refunds", "shipping_cost"];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/credit_notes", create).takes(&[FIELDS, NEW]).not_built(NOT_BUILT),
    Route::get("/v1/credit_notes", list)
        .takes(&[LIST, &[text("customer"), text("invoice")]])
        .not_built(&["customer_account"]),
    Route::get("/v1/credit_notes/{}", retrieve),
    Route::post("/v1/credit_notes/{}", update).takes(&[FIELDS]),
    Route::post("/v1/credit_notes/{}/void", void),
];

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let invoice = form.text("invoice").unwrap_or_default().to_owned();
    let found = call.state.invoices.get(&invoice).map(|invoice| shape::text(&invoice.object, "customer").to_owned());
    let customer = found.ok_or_else(|| ApiError::no_such("invoice", &invoice, "invoice"))?;
    let mut fields = texts(form, &["memo", "reason"]);
    fields["metadata"] = metadata(form, "metadata");
    let part = |name: &str| form.integer(name).unwrap_or(0);
    let lines = lines(call, &invoice)?;
    let sum = lines.iter().map(|line| line.amount).sum();
    let amount = match (form.integer("amount"), lines.is_empty()) {
        (Some(amount), true) => amount,
        (Some(amount), false) if amount != sum => {
            let message = format!("The sum of `lines` ({sum}) must be the credit note's `amount` ({amount}).");
            return Err(ApiError::invalid(message).param("amount"));
        }
        (_, false) => sum,
        (None, true) => return Err(ApiError::missing("amount")),
    };
    let request = CreditNoteRequest {
        invoice,
        amount,
        lines,
        refund: part("refund_amount"),
        credit: part("credit_amount"),
        outside: part("out_of_band_amount"),
        fields,
    };
    call.state.follow_clock_of(&customer);
    credit_note::issue(call.state, request)
}

fn lines(call: &ApiCall<'_>, invoice: &str) -> Result<Vec<CreditedLine>, ApiError> {
    let of_invoice = call.state.invoices.get(invoice).map(|row| row.lines.as_slice()).unwrap_or_default();
    let read = |path: &String| {
        let at = |name: &str| format!("{path}.{name}");
        let (quantity, id) = (call.form.integer(&at("quantity")), call.form.text(&at("invoice_line_item")));
        let line = match (call.form.text(&at("type")), id) {
            (None, _) => return Err(ApiError::missing(&name_of(&at("type")))),
            (Some("invoice_line_item"), Some(id)) => {
                let found = of_invoice.iter().find(|line| line["id"] == id);
                let param = name_of(&at("invoice_line_item"));
                Some(found.ok_or_else(|| ApiError::no_such("invoice line item", id, param))?)
            }
            (Some("invoice_line_item"), None) => return Err(ApiError::missing(&name_of(&at("invoice_line_item")))),
            _ => None,
        };
        let unit = call.form.integer(&at("unit_amount")).or_else(|| {
            let line = line?;
            Some(shape::integer(line, "amount") / shape::integer(line, "quantity").max(1))
        });
        let of_units = quantity.zip(unit).map(|(quantity, unit)| unit.saturating_mul(quantity));
        let amount = call.form.integer(&at("amount")).or(of_units);
        Ok(CreditedLine {
            invoice_line: id.filter(|_| line.is_some()).map(str::to_owned),
            amount: amount.ok_or_else(|| ApiError::missing(&name_of(&at("amount"))))?,
            quantity,
            description: call.form.text(&at("description")).map(str::to_owned),
        })
    };
    call.form.items("lines").iter().map(read).collect()
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    filtered_page(&call.form, "/v1/credit_notes", call.state.credit_notes.newest(), &["customer", "invoice"])
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.credit_notes.required("credit note", call.id(), "id").cloned()
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut note = retrieve(call)?;
    let mut fields = texts(&call.form, &["memo"]);
    fields["metadata"] = merged_metadata(&note["metadata"], &call.form);
    let previous = change(&mut note, fields);
    let id = call.id().to_owned();
    call.state.credit_notes.put(&id, note.clone());
    call.state.emit_change("credit_note.updated", note.clone(), previous);
    Ok(note)
}

fn void(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let note = retrieve(call)?;
    call.state.follow_clock_of(shape::text(&note, "customer"));
    let id = call.id().to_owned();
    credit_note::void(call.state, &id)
}
