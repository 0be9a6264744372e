//! `invoiceitem`: what waits for a customer's next invoice, prorations included.

use serde_json::{Value, json};

use crate::sandbox::amount::checked_currency;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::customer;
use crate::sandbox::billing::invoice;
use crate::sandbox::billing::line::{self, PendingItem};
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::fields::metadata;
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, boolean, integer, map, text};
use crate::sandbox::shape::{self, deleted};

const NEW: &[Rule] = &[
    text("customer").required(),
    integer("amount"),
    text("currency"),
    text("description"),
    text("pricing.price"),
    integer("quantity"),
    text("invoice"),
    map("metadata"),
];
const NOT_BUILT: &[&str] =
    &["discountable", "discounts", "period", "price_data", "subscription", "tax_behavior", "tax_rates"];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/invoiceitems", create).takes(&[NEW]).not_built(NOT_BUILT),
    Route::get("/v1/invoiceitems", list).takes(&[LIST, &[text("customer"), text("invoice"), boolean("pending")]]),
    Route::get("/v1/invoiceitems/{}", retrieve),
    Route::delete("/v1/invoiceitems/{}", delete),
];

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let customer = form.text("customer").unwrap_or_default().to_owned();
    customer::check_live(call.state, &customer)?;
    let quantity = form.integer("quantity").unwrap_or(1);
    let price = match form.text("pricing.price") {
        Some(id) => {
            let price = call.state.prices.get(id).ok_or_else(|| ApiError::no_such("price", id, "pricing[price]"))?;
            price.clone()
        }
        None => Value::Null,
    };
    let unit = price["unit_amount"].as_i64().map(|unit| unit.saturating_mul(quantity));
    let amount = unit.or(form.integer("amount")).ok_or_else(|| ApiError::missing("amount"))?;
    let currency = price["currency"].as_str().or(form.text("currency")).unwrap_or("usd");
    let now = call.state.now();
    let pending = PendingItem {
        amount,
        currency: checked_currency(currency, "currency")?,
        description: form.text("description").unwrap_or("Invoice item").to_owned(),
        price,
        quantity,
        period: (now, now),
        item: None,
        metadata: metadata(form, "metadata"),
    };
    let invoice = form.text("invoice").map(str::to_owned);
    if let Some(invoice) = &invoice {
        invoice::in_status(call.state, invoice, &["draft"], "added to")?;
    }
    call.state.follow_clock_of(&customer);
    let mut item = line::invoice_item(call.state, &customer, &pending);
    if let Some(invoice) = invoice {
        line::mark_invoiced(call.state, std::slice::from_ref(&item), &invoice);
        item["invoice"] = json!(invoice);
        let line = line::of_invoice_item(call.state, &item);
        invoice::add_lines(call.state, &invoice, vec![line]);
    }
    Ok(item)
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let wanted = |row: &&Value| {
        matches(form, row, "customer")
            && matches(form, row, "invoice")
            && form.flag("pending").is_none_or(|pending| row["invoice"].is_null() == pending)
    };
    page(form, "/v1/invoiceitems", call.state.invoice_items.newest().filter(wanted))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.invoice_items.required("invoiceitem", call.id(), "invoiceitem").cloned()
}

fn delete(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let item = retrieve(call)?;
    if !item["invoice"].is_null() {
        let message = format!("This invoice item is already on invoice {}.", shape::text(&item, "invoice"));
        return Err(ApiError::invalid(message));
    }
    let id = call.id().to_owned();
    call.state.invoice_items.remove(&id);
    call.state.emit("invoiceitem.deleted", item);
    Ok(deleted("invoiceitem", &id))
}
