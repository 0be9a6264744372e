//! `payment_intent`: made and confirmed here, or by paying a checkout session or an invoice. What an attempt does is in
//! `collect`.

use serde_json::{Value, json};

use crate::sandbox::amount::{checked_amount, checked_currency};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::customer;
use crate::sandbox::billing::cycle;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::collect::attempt::{self, AttemptOutcome, Presence};
use crate::sandbox::collect::intent;
use crate::sandbox::collect::payment_method;
use crate::sandbox::fields::{kept, merged_metadata, metadata, texts};
use crate::sandbox::list::filtered_page;
use crate::sandbox::params::{LIST, Rule, boolean, clearable, integer, map, one_of, text, url};
use crate::sandbox::shape::change;
use crate::sandbox::state::State;

const FIELDS: &[Rule] = &[text("payment_method"), map("metadata")];
/// What is only kept and shown.
const KEPT: &[Rule] = &[
    clearable("description"),
    clearable("receipt_email"),
    clearable("shipping"),
    text("shipping.address.city"),
    text("shipping.address.country"),
    text("shipping.address.line1"),
    text("shipping.address.line2"),
    text("shipping.address.postal_code"),
    text("shipping.address.state"),
    text("shipping.carrier"),
    text("shipping.name"),
    text("shipping.phone"),
    text("shipping.tracking_number"),
    text("statement_descriptor"),
    text("statement_descriptor_suffix"),
    text("transfer_group"),
];
const NEW: &[Rule] = &[
    integer("amount").required(),
    text("currency").required(),
    text("customer"),
    boolean("confirm"),
    boolean("off_session"),
    boolean("automatic_payment_methods.enabled"),
    one_of("automatic_payment_methods.allow_redirects", &["always", "never"]),
    one_of("capture_method", &["automatic", "automatic_async"]),
    one_of("confirmation_method", &["automatic"]),
    text("payment_method_types.#"),
    url("return_url"),
    one_of("setup_future_usage", &["off_session", "on_session"]),
];
const CONFIRM: &[Rule] = &[text("payment_method"), boolean("off_session"), url("return_url"), text("client_secret")];
const NOT_BUILT: &[&str] = &[
    "amount_details",
    "amount_to_confirm",
    "application_fee_amount",
    "confirmation_token",
    "customer_account",
    "error_on_requires_action",
    "excluded_payment_method_types",
    "hooks",
    "mandate",
    "mandate_data",
    "on_behalf_of",
    "payment_details",
    "payment_method_configuration",
    "payment_method_data",
    "payment_method_options",
    "radar_options",
    "transfer_data",
    "use_stripe_sdk",
];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/payment_intents", create).takes(&[FIELDS, KEPT, NEW]).not_built(NOT_BUILT),
    Route::get("/v1/payment_intents", list).takes(&[LIST, &[text("customer")]]).not_built(&["customer_account"]),
    Route::get("/v1/payment_intents/{}", retrieve).not_built(&["client_secret"]),
    Route::post("/v1/payment_intents/{}", update).takes(&[FIELDS, KEPT]).not_built(NOT_BUILT),
    Route::post("/v1/payment_intents/{}/confirm", confirm).takes(&[CONFIRM]).not_built(NOT_BUILT),
    Route::post("/v1/payment_intents/{}/cancel", cancel)
        .takes(&[&[one_of("cancellation_reason", &["abandoned", "duplicate", "fraudulent", "requested_by_customer"])]]),
];

/// The payer has authenticated an intent that asked for it. It is paid, and so is its invoice, if any.
pub fn authenticate(state: &mut State, id: &str) -> Result<(), ApiError> {
    let intent = state.payment_intents.required("payment_intent", id, "intent").cloned()?;
    if intent["status"] != "requires_action" {
        return Err(ApiError::invalid("This payment is not waiting for authentication.").status(409));
    }
    attempt(state, id, intent["payment_method"].as_str().unwrap_or_default(), Presence::Authenticated)
}

fn attempt(state: &mut State, id: &str, method: &str, presence: Presence) -> Result<(), ApiError> {
    let method = payment_method::named(state, method, "payment_method")?;
    let payer = method["billing_details"].clone();
    match attempt::make(state, id, &method, &payer, presence) {
        Ok(AttemptOutcome::Paid) => cycle::intent_paid(state, id),
        Ok(_) => {}
        Err(error) => {
            cycle::intent_failed(state, id);
            return Err(error);
        }
    }
    Ok(())
}

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let amount = checked_amount(form.integer("amount"), "amount")?;
    if amount < 50 {
        let message = "Amount must be at least $0.50 usd";
        return Err(ApiError::invalid(message).code("amount_too_small").param("amount"));
    }
    let currency = checked_currency(form.text("currency").unwrap_or_default(), "currency")?;
    let customer = form.text("customer").map(str::to_owned);
    if let Some(id) = &customer {
        customer::check_live(call.state, id)?;
    }
    let mut fields = kept(&Value::Null, form, KEPT);
    change(&mut fields, texts(form, &["customer", "setup_future_usage"]));
    let types = form.list("payment_method_types");
    if !types.is_empty() {
        fields["payment_method_types"] = json!(types);
    }
    change(&mut fields, json!({ "amount": amount, "currency": currency, "metadata": metadata(form, "metadata") }));
    let (method, wants_confirmation) = (form.text("payment_method").map(str::to_owned), form.flag("confirm"));
    if let Some(customer) = customer {
        call.state.follow_clock_of(&customer);
    }
    if let Some(method) = method {
        let method = payment_method::named(call.state, &method, "payment_method")?;
        change(&mut fields, json!({ "payment_method": method["id"], "status": "requires_confirmation" }));
    }
    let id = intent::add(call.state, fields);
    if wants_confirmation == Some(true) {
        confirm_one(call, &id)?;
    }
    find(call.state, &id)
}

fn confirm(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id().to_owned();
    find(call.state, &id)?;
    confirm_one(call, &id)?;
    find(call.state, &id)
}

fn confirm_one(call: &mut ApiCall<'_>, id: &str) -> Result<(), ApiError> {
    let intent = find(call.state, id)?;
    if !matches!(
        intent["status"].as_str(),
        Some("requires_payment_method" | "requires_confirmation" | "requires_action")
    ) {
        let message = format!(
            "You cannot confirm this PaymentIntent because it has a status of {}.",
            intent["status"].as_str().unwrap_or_default()
        );
        return Err(ApiError::invalid(message).code("payment_intent_unexpected_state"));
    }
    let customer = intent["customer"].as_str().unwrap_or_default().to_owned();
    call.state.follow_clock_of(&customer);
    let method = call.form.text("payment_method").or(intent["payment_method"].as_str()).map(str::to_owned);
    let Some(method) = method else {
        let message = "You cannot confirm this PaymentIntent because it's missing a payment method.";
        return Err(ApiError::invalid(message).code("payment_intent_unexpected_state"));
    };
    let presence = if call.form.flag("off_session") == Some(true) { Presence::Away } else { Presence::Present };
    attempt(call.state, id, &method, presence)
}

fn cancel(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id().to_owned();
    let intent = find(call.state, &id)?;
    if matches!(intent["status"].as_str(), Some("succeeded" | "canceled" | "processing")) {
        let message = format!(
            "You cannot cancel this PaymentIntent because it has a status of {}.",
            intent["status"].as_str().unwrap_or_default()
        );
        return Err(ApiError::invalid(message).code("payment_intent_unexpected_state"));
    }
    let reason = call.form.text("cancellation_reason").map(str::to_owned);
    let fields = json!({ "status": "canceled", "canceled_at": call.at, "cancellation_reason": reason });
    intent::change(call.state, &id, "payment_intent.canceled", fields);
    find(call.state, &id)
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id().to_owned();
    let mut intent = find(call.state, &id)?;
    let mut fields = kept(&intent, &call.form, KEPT);
    fields["metadata"] = merged_metadata(&intent["metadata"], &call.form);
    if let Some(method) = call.form.text("payment_method").map(str::to_owned) {
        fields["payment_method"] = payment_method::named(call.state, &method, "payment_method")?["id"].take();
    }
    change(&mut intent, fields);
    call.state.payment_intents.put(&id, intent.clone());
    Ok(intent)
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    filtered_page(&call.form, "/v1/payment_intents", call.state.payment_intents.newest(), &["customer"])
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    find(call.state, call.id())
}

fn find(state: &State, id: &str) -> Result<Value, ApiError> {
    state.payment_intents.required("payment_intent", id, "intent").cloned()
}
