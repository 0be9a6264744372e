//! `invoice`: those that subscriptions make, and those made by hand. What becomes of one is `billing::invoice` and
//! `billing::collection`.

use serde_json::{Value, json};

use super::{change, customers, invoice_preview, metadata, texts};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::billing::invoice::{self, Invoice, Order};
use crate::sandbox::billing::{collection, line};
use crate::sandbox::collect::Presence;
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, boolean, clearable, map, one_of, text};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::shape;

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

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/v1/invoices", rules: &[FIELDS, NEW], not_built: NOT_BUILT, handler: create },
    Route {
        method: "POST",
        path: "/v1/invoices/create_preview",
        rules: invoice_preview::RULES,
        not_built: invoice_preview::NOT_BUILT,
        handler: invoice_preview::preview,
    },
    Route { method: "GET", path: "/v1/invoices", rules: &[LIST, FILTERS], not_built: NOT_BUILT, handler: list },
    Route { method: "GET", path: "/v1/invoices/{}", rules: &[], not_built: &[], handler: retrieve },
    Route { method: "POST", path: "/v1/invoices/{}", rules: &[FIELDS], not_built: NOT_BUILT, handler: update },
    Route { method: "DELETE", path: "/v1/invoices/{}", rules: &[], not_built: &[], handler: delete },
    Route { method: "GET", path: "/v1/invoices/{}/lines", rules: &[LIST], not_built: &[], handler: lines },
    Route {
        method: "POST",
        path: "/v1/invoices/{}/finalize",
        rules: &[&[boolean("auto_advance")]],
        not_built: &[],
        handler: finalize,
    },
    Route {
        method: "POST",
        path: "/v1/invoices/{}/pay",
        rules: &[PAY],
        not_built: &["forgive", "mandate", "source"],
        handler: pay,
    },
    Route { method: "POST", path: "/v1/invoices/{}/void", rules: &[], not_built: &[], handler: void },
    Route {
        method: "POST",
        path: "/v1/invoices/{}/mark_uncollectible",
        rules: &[],
        not_built: &[],
        handler: mark_uncollectible,
    },
];

fn create(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let form = &call.form;
    let customer = form.text("customer").unwrap_or_default().to_owned();
    if !customers::is_live(call.state, &customer) {
        return Err(Refusal::no_such("customer", &customer, "customer"));
    }
    let subscription = match form.text("subscription") {
        Some(id) => {
            let row = call.state.subscriptions.get(id).filter(|row| row.customer() == customer);
            let row = row.ok_or_else(|| Refusal::no_such("subscription", id, "subscription"))?;
            Some((id.to_owned(), row.object["metadata"].clone()))
        }
        None => None,
    };
    let mut fields = texts(form, &["description", "footer", "default_payment_method"]);
    let more = json!({
        "auto_advance": form.flag("auto_advance").unwrap_or(false), "metadata": metadata(&json!({}), form, "metadata"),
    });
    change(&mut fields, more);
    call.state.live_by(&customer);
    let of = subscription.as_ref().map(|(id, _)| id.as_str());
    let takes = subscription.is_some() || form.text("pending_invoice_items_behavior") == Some("include");
    let waiting = if takes { line::waiting(call.state, &customer, of) } else { Vec::new() };
    let now = call.state.now();
    let order = Order {
        customer,
        subscription,
        reason: "manual",
        currency: form.text("currency").unwrap_or("usd").to_owned(),
        waiting,
        period: (now, now),
        fields,
        ..Order::default()
    };
    let id = invoice::draft(call.state, order);
    object(call, &id)
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let form = &call.form;
    let wanted = |row: &&Invoice| {
        ["customer", "status", "collection_method"].iter().all(|field| matches(form, &row.object, field))
            && form.filled("subscription").is_none_or(|id| row.subscription() == Some(id))
    };
    page(form, "/v1/invoices", call.state.invoices.newest().filter(wanted).map(|row| &row.object))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    object(call, call.id())
}

fn object(call: &Call<'_>, id: &str) -> Result<Value, Refusal> {
    let found = call.state.invoices.get(id).map(|invoice| invoice.object.clone());
    found.ok_or_else(|| Refusal::not_found("invoice", id, "invoice"))
}

fn update(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let before = begun(call)?;
    let mut fields = texts(&call.form, &["description", "footer", "default_payment_method"]);
    fields["metadata"] = metadata(&before["metadata"], &call.form, "metadata");
    if let Some(advances) = call.form.flag("auto_advance") {
        fields["auto_advance"] = json!(advances);
    }
    let id = call.id().to_owned();
    invoice::tell(call.state, &id, &["invoice.updated"], fields);
    object(call, &id)
}

fn delete(call: &mut Call<'_>) -> Result<Value, Refusal> {
    begun(call)?;
    let id = call.id().to_owned();
    invoice::in_status(call.state, &id, &["draft"], "deleted")?;
    if let Some(invoice) = call.state.invoices.remove(&id) {
        call.state.emit("invoice.deleted", invoice.object);
    }
    Ok(json!({ "id": id, "object": "invoice", "deleted": true }))
}

fn lines(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let id = call.id();
    let invoice = call.state.invoices.get(id).ok_or_else(|| Refusal::not_found("invoice", id, "invoice"))?;
    page(&call.form, &format!("/v1/invoices/{id}/lines"), invoice.lines.iter())
}

fn finalize(call: &mut Call<'_>) -> Result<Value, Refusal> {
    begun(call)?;
    let id = call.id().to_owned();
    invoice::finalize(call.state, &id)?;
    object(call, &id)
}

fn pay(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let before = begun(call)?;
    let id = call.id().to_owned();
    if before["status"] == "draft" {
        invoice::finalize(call.state, &id)?;
        if call.state.invoices.get(&id).is_some_and(|row| row.object["status"] == "paid") {
            return object(call, &id);
        }
    }
    if call.form.flag("paid_out_of_band") == Some(true) {
        collection::pay_out_of_band(call.state, &id)?;
        return object(call, &id);
    }
    let presence = if call.form.flag("off_session") == Some(false) { Presence::Present } else { Presence::Away };
    collection::pay(call.state, &id, call.form.text("payment_method"), presence)?;
    object(call, &id)
}

fn void(call: &mut Call<'_>) -> Result<Value, Refusal> {
    begun(call)?;
    let id = call.id().to_owned();
    invoice::void(call.state, &id)?;
    object(call, &id)
}

fn mark_uncollectible(call: &mut Call<'_>) -> Result<Value, Refusal> {
    begun(call)?;
    let id = call.id().to_owned();
    invoice::mark_uncollectible(call.state, &id)?;
    object(call, &id)
}

/// The invoice as it is, and from now on the time of its customer.
fn begun(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let before = retrieve(call)?;
    call.state.live_by(shape::text(&before, "customer"));
    Ok(before)
}
