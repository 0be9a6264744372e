//! `payment_link`: a URL that makes a checkout session for each visitor. What a visitor's URL may add is read here too.
//! Source: Stripe, "Create a payment link" and "Track a payment link", `client_reference_id`.

use serde_json::{Value, json};

use super::checkout_create;
use super::checkout_params::{KEPT_IN_INTENT, LINK};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::fields::{merged_metadata, metadata, texts};
use crate::sandbox::form::{Leaf, RequestForm};
use crate::sandbox::list::{filtered_page, page};
use crate::sandbox::model::link::StoredLink;
use crate::sandbox::params::{LIST, Rule, boolean, clearable, integer, map, one_of, text, url};
use crate::sandbox::shape::{change, text as word};
use crate::sandbox::state::State;

/// The longest `client_reference_id`.
const REFERENCE_LIMIT: usize = 200;
const FIELDS: &[Rule] = &[
    one_of("after_completion.type", &["hosted_confirmation", "redirect"]),
    url("after_completion.redirect.url"),
    text("after_completion.hosted_confirmation.custom_message"),
    clearable("inactive_message"),
    map("metadata"),
    integer("restrictions.completed_sessions.limit"),
];
const NOT_BUILT: &[&str] = &[
    "application_fee_amount",
    "application_fee_percent",
    "consent_collection",
    "custom_fields",
    "invoice_creation",
    "managed_payments",
    "name_collection",
    "on_behalf_of",
    "optional_items",
    "payment_intent_data",
    "payment_method_options",
    "shipping_address_collection",
    "shipping_options",
    "subscription_data",
    "transfer_data",
];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/payment_links", create).takes(&[FIELDS, LINK, KEPT_IN_INTENT]).not_built(NOT_BUILT),
    Route::get("/v1/payment_links", list).takes(&[LIST, &[boolean("active")]]),
    Route::get("/v1/payment_links/{}", retrieve),
    Route::post("/v1/payment_links/{}", update).takes(&[FIELDS, &[boolean("active")]]).not_built(NOT_BUILT),
    Route::get("/v1/payment_links/{}/line_items", line_items).takes(&[LIST]),
];

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mode = mode(call);
    let (currency, items) = checkout_create::items(call, mode)?;
    let (id, name) = (call.state.new_id("plink_1", 24), call.state.new_id("test_", 20));
    let form = &call.form;
    let is_on = |path: &str| form.flag(&format!("{path}.enabled")) == Some(true);
    let mut object = json!({
        "id": id, "object": "payment_link", "active": true, "after_completion": hosted(None),
        "allow_promotion_codes": form.flag("allow_promotion_codes").unwrap_or(false), "application": null,
        "application_fee_amount": null, "application_fee_percent": null,
        "automatic_tax": { "enabled": is_on("automatic_tax"), "liability": null },
        "billing_address_collection": form.text("billing_address_collection").unwrap_or("auto"),
        "consent_collection": null, "currency": currency, "custom_fields": [],
        "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null,
        },
        "customer_creation": form.text("customer_creation").unwrap_or("if_required"), "inactive_message": null,
        "invoice_creation": null, "livemode": false, "metadata": {}, "on_behalf_of": null,
        "payment_intent_data": null, "payment_method_collection": "always", "payment_method_types": null,
        "phone_number_collection": { "enabled": is_on("phone_number_collection") }, "restrictions": null,
        "shipping_address_collection": null, "shipping_options": [],
        "submit_type": form.text("submit_type").unwrap_or("auto"), "subscription_data": null,
        "tax_id_collection": { "enabled": is_on("tax_id_collection"), "required": "never" }, "transfer_data": null,
        "url": format!("{}/buy/{name}", call.state.base_url),
    });
    if form.has("payment_intent_data") {
        object["payment_intent_data"] = json!({
            "capture_method": null, "description": form.text("payment_intent_data.description"),
            "metadata": metadata(form, "payment_intent_data.metadata"), "setup_future_usage": null,
            "statement_descriptor": form.text("payment_intent_data.statement_descriptor"),
            "statement_descriptor_suffix": null, "transfer_group": null,
        });
    }
    if form.has("subscription_data") {
        object["subscription_data"] = json!({
            "description": form.text("subscription_data.description"), "invoice_settings": { "issuer": { "type": "self" } },
            "metadata": metadata(form, "subscription_data.metadata"),
            "trial_period_days": form.integer("subscription_data.trial_period_days"), "trial_settings": null,
        });
    }
    apply_form(&mut object, form);
    // The link's own fields mean nothing to a session, or are given for each visit.
    let own = |leaf: &Leaf| {
        let name = leaf.names.first().map(String::as_str).unwrap_or_default();
        !matches!(name, "active" | "after_completion" | "expand" | "inactive_message" | "metadata" | "restrictions")
    };
    let form = form.with(own, &[("mode", mode)]);
    let link = StoredLink { object: object.clone(), items, form };
    call.state.payment_links.put(&name, link);
    call.state.emit("payment_link.created", object.clone());
    Ok(object)
}

/// What the prices are for: a plan if any of them recurs.
fn mode(call: &ApiCall<'_>) -> &'static str {
    let price = |path: &String| call.state.prices.get(call.form.text(&format!("{path}.price"))?);
    let recurs = |path: &String| price(path).is_some_and(|price| !price["recurring"].is_null());
    if call.form.items("line_items").iter().any(recurs) { "subscription" } else { "payment" }
}

fn hosted(message: Option<&str>) -> Value {
    json!({ "hosted_confirmation": { "custom_message": message }, "type": "hosted_confirmation" })
}

fn apply_form(object: &mut Value, form: &RequestForm) {
    change(object, texts(form, &["inactive_message"]));
    if let Some(active) = form.flag("active") {
        object["active"] = json!(active);
    }
    if form.has("after_completion") {
        object["after_completion"] = match form.text("after_completion.redirect.url") {
            Some(url) => json!({ "redirect": { "url": url }, "type": "redirect" }),
            None => hosted(form.text("after_completion.hosted_confirmation.custom_message")),
        };
    }
    if let Some(limit) = form.integer("restrictions.completed_sessions.limit") {
        object["restrictions"] = json!({ "completed_sessions": { "count": 0, "limit": limit } });
    }
    object["metadata"] = merged_metadata(&object["metadata"], form);
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let rows = call.state.payment_links.newest().map(|link| &link.object);
    filtered_page(&call.form, "/v1/payment_links", rows, &["active"])
}

fn find(call: &ApiCall<'_>) -> Result<StoredLink, ApiError> {
    let found = call.state.payment_links.newest().find(|link| link.object["id"] == call.id()).cloned();
    found.ok_or_else(|| ApiError::not_found("payment link", call.id(), "payment_link"))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    find(call).map(|link| link.object)
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut link = find(call)?;
    apply_form(&mut link.object, &call.form);
    let object = link.object.clone();
    if let Some(name) = word(&object, "url").rsplit('/').next() {
        call.state.payment_links.put(name, link);
    }
    call.state.emit("payment_link.updated", object.clone());
    Ok(object)
}

fn line_items(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let link = find(call)?;
    page(&call.form, &format!("/v1/payment_links/{}/line_items", call.id()), link.items.iter())
}

/// Makes the session of a visit. `visit` is the query of the visitor's URL. Returns the URL of the session's page.
pub fn visit(state: &mut State, name: &str, visit: &RequestForm) -> Result<String, ApiError> {
    let missing = || ApiError::invalid("There is no such payment link. Ask the shop for the right one.").status(404);
    let link = state.payment_links.get(name).cloned().ok_or_else(missing)?;
    if !is_open(state, &link.object) {
        let message = link.object["inactive_message"].as_str().unwrap_or("This payment link is not active any more.");
        return Err(ApiError::invalid(message).status(410));
    }
    let redirect = word(&link.object["after_completion"]["redirect"], "url");
    let done = format!("{}/buy/{name}/done", state.base_url);
    let mut more = vec![("success_url", if redirect.is_empty() { done.as_str() } else { redirect })];
    more.extend(
        visit.filled("client_reference_id").filter(|id| is_reference(id)).map(|id| ("client_reference_id", id)),
    );
    more.extend(visit.filled("prefilled_email").map(|email| ("customer_email", email)));
    let form = link.form.with(|_| true, &more);
    let at = state.now();
    let mut call = ApiCall { state, names: Vec::new(), form, at };
    let session = checkout_create::create(&mut call)?;
    let id = word(&session, "id");
    if let Some(session) = state.sessions.get_mut(id) {
        change(&mut session.object, json!({ "payment_link": link.object["id"], "metadata": link.object["metadata"] }));
    }
    Ok(word(&session, "url").to_owned())
}

/// Whether Stripe takes this as a reference. Others are dropped without a word, and the page works.
fn is_reference(id: &str) -> bool {
    id.len() <= REFERENCE_LIMIT && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whether the link is active and its limit of completed sessions is not reached.
fn is_open(state: &State, link: &Value) -> bool {
    let limit = link["restrictions"]["completed_sessions"]["limit"].as_i64();
    let completed = state
        .sessions
        .oldest()
        .filter(|row| row.object["payment_link"] == link["id"] && row.object["status"] == "complete");
    link["active"] == true && limit.is_none_or(|limit| i64::try_from(completed.count()).unwrap_or(limit) < limit)
}
