//! `invoice`: those of subscriptions, and those made by hand. What the calls do is in `billing`.

use serde_json::{Value, json};

use super::invoice_preview;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::customer;
use crate::sandbox::billing::invoice::{self, InvoiceParts};
use crate::sandbox::billing::{cycle, line};
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::collect::attempt::Presence;
use crate::sandbox::fields::{merged_metadata, metadata, texts};
use crate::sandbox::list::{matches, page};
use crate::sandbox::model::invoice::StoredInvoice;
use crate::sandbox::params::{LIST, Rule, boolean, clearable, map, one_of, text};
use crate::sandbox::shape::{self, change, deleted};

const FIELDS: &[Rule] = &[
    clearable("description"),
    clearable("footer"),
    boolean("auto_advance"),
    text("default_payment_method"),
    map("metadata"),
];
const NEW: &[Rule] = &[
    text("customer").required(),
    text("subscription"),
    text("currency"),
    one_of("collection_method", &["charge_automatically"]),
    one_of("pending_invoice_items_behavior", &["exclude", "include"]),
];
const FILTERS: &[Rule] = &[
    text("customer"),
    text("subscription"),
    one_of("status", &["draft", "open", "paid", "uncollectible", "void"]),
    one_of("collection_method", &["charge_automatically", "send_invoice"]),
];
const NOT_BUILT: &[&str] = &[
    "account_tax_ids",
    "application_fee_amount",
    "automatic_tax",
    "automatically_finalizes_at",
    "collection_method",
    "custom_fields",
    "customer_account",
    "days_until_due",
    "default_source",
    "default_tax_rates",
    "discounts",
    "due_date",
    "effective_at",
    "from_invoice",
    "issuer",
    "number",
    "on_behalf_of",
    "payment_settings",
    "rendering",
    "shipping_cost",
    "shipping_details",
    "statement_descriptor",
    "transfer_data",
];
const PAY: &[Rule] = &[text("payment_method"), boolean("paid_out_of_band"), boolean("off_session")];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/invoices", create).takes(&[FIELDS, NEW]).not_built(NOT_BUILT),
    Route::post("/v1/invoices/create_preview", invoice_preview::preview)
        .takes(invoice_preview::RULES)
        .not_built(invoice_preview::NOT_BUILT),
    Route::get("/v1/invoices", list).takes(&[LIST, FILTERS]).not_built(NOT_BUILT),
    Route::get("/v1/invoices/{}", retrieve),
    Route::post("/v1/invoices/{}", update).takes(&[FIELDS]).not_built(NOT_BUILT),
    Route::delete("/v1/invoices/{}", delete),
    Route::get("/v1/invoices/{}/lines", lines).takes(&[LIST]),
    Route::post("/v1/invoices/{}/finalize", finalize).takes(&[&[boolean("auto_advance")]]),
    Route::post("/v1/invoices/{}/pay", pay).takes(&[PAY]).not_built(&["forgive", "mandate", "source"]),
    Route::post("/v1/invoices/{}/void", void),
    Route::post("/v1/invoices/{}/mark_uncollectible", mark_uncollectible),
];

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let customer = form.text("customer").unwrap_or_default().to_owned();
    customer::check_live(call.state, &customer)?;
    let subscription = match form.text("subscription") {
        Some(id) => {
            let row = call.state.subscriptions.get(id).filter(|row| row.customer() == customer);
            let row = row.ok_or_else(|| ApiError::no_such("subscription", id, "subscription"))?;
            Some((id.to_owned(), row.object["metadata"].clone()))
        }
        None => None,
    };
    let mut fields = texts(form, &["description", "footer", "default_payment_method"]);
    let more = json!({
        "auto_advance": form.flag("auto_advance").unwrap_or(false), "metadata": metadata(form, "metadata"),
    });
    change(&mut fields, more);
    call.state.follow_clock_of(&customer);
    let of = subscription.as_ref().map(|(id, _)| id.as_str());
    let takes = subscription.is_some() || form.text("pending_invoice_items_behavior") == Some("include");
    let waiting = if takes { line::waiting(call.state, &customer, of) } else { Vec::new() };
    let now = call.state.now();
    let parts = InvoiceParts {
        customer,
        subscription,
        reason: "manual",
        currency: form.text("currency").unwrap_or("usd").to_owned(),
        waiting,
        period: (now, now),
        fields,
        ..InvoiceParts::default()
    };
    let id = invoice::draft(call.state, parts);
    object(call, &id)
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let wanted = |row: &&StoredInvoice| {
        ["customer", "status", "collection_method"].iter().all(|field| matches(form, &row.object, field))
            && form.filled("subscription").is_none_or(|id| row.subscription() == Some(id))
    };
    page(form, "/v1/invoices", call.state.invoices.newest().filter(wanted).map(|row| &row.object))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    object(call, call.id())
}

fn object(call: &ApiCall<'_>, id: &str) -> Result<Value, ApiError> {
    let found = call.state.invoices.get(id).map(|invoice| invoice.object.clone());
    found.ok_or_else(|| ApiError::not_found("invoice", id, "invoice"))
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let before = on_customers_time(call)?;
    let mut fields = texts(&call.form, &["description", "footer", "default_payment_method"]);
    fields["metadata"] = merged_metadata(&before["metadata"], &call.form);
    if let Some(advances) = call.form.flag("auto_advance") {
        fields["auto_advance"] = json!(advances);
    }
    let id = call.id().to_owned();
    invoice::update(call.state, &id, &["invoice.updated"], fields);
    object(call, &id)
}

fn delete(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    on_customers_time(call)?;
    let id = call.id().to_owned();
    invoice::in_status(call.state, &id, &["draft"], "deleted")?;
    if let Some(invoice) = call.state.invoices.remove(&id) {
        call.state.emit("invoice.deleted", invoice.object);
    }
    Ok(deleted("invoice", &id))
}

fn lines(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id();
    let invoice = call.state.invoices.required("invoice", id, "invoice")?;
    page(&call.form, &format!("/v1/invoices/{id}/lines"), invoice.lines.iter())
}

fn finalize(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    on_customers_time(call)?;
    let id = call.id().to_owned();
    cycle::finalize(call.state, &id)?;
    object(call, &id)
}

fn pay(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let before = on_customers_time(call)?;
    let id = call.id().to_owned();
    if before["status"] == "draft" {
        cycle::finalize(call.state, &id)?;
        if call.state.invoices.get(&id).is_some_and(|row| row.object["status"] == "paid") {
            return object(call, &id);
        }
    }
    if call.form.flag("paid_out_of_band") == Some(true) {
        cycle::pay_out_of_band(call.state, &id)?;
        return object(call, &id);
    }
    let presence = if call.form.flag("off_session") == Some(false) { Presence::Present } else { Presence::Away };
    cycle::pay(call.state, &id, call.form.text("payment_method"), presence)?;
    object(call, &id)
}

fn void(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    on_customers_time(call)?;
    let id = call.id().to_owned();
    cycle::void(call.state, &id)?;
    object(call, &id)
}

fn mark_uncollectible(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    on_customers_time(call)?;
    let id = call.id().to_owned();
    cycle::mark_uncollectible(call.state, &id)?;
    object(call, &id)
}

/// The invoice. From now on its customer's clock counts.
fn on_customers_time(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let before = retrieve(call)?;
    call.state.follow_clock_of(shape::text(&before, "customer"));
    Ok(before)
}
