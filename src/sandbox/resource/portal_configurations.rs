//! `billing_portal.configuration`: what customers may do on the portal page. The default one exists from the start.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::fields::{kept, merged_metadata, texts};
use crate::sandbox::form::RequestForm;
use crate::sandbox::list::filtered_page;
use crate::sandbox::params::{LIST, Rule, boolean, clearable, integer, map, one_of, text, url};
use crate::sandbox::shape::change;
use crate::sandbox::state::State;

const LIMIT: usize = 100;
const PRORATIONS: &[&str] = &["always_invoice", "create_prorations", "none"];
const FIELDS: &[Rule] = &[
    clearable("business_profile.headline"),
    url("business_profile.privacy_policy_url"),
    url("business_profile.terms_of_service_url"),
    clearable("default_return_url"),
    clearable("name"),
    boolean("features.customer_update.enabled"),
    text("features.customer_update.allowed_updates.#"),
    boolean("features.invoice_history.enabled"),
    boolean("features.payment_method_update.enabled"),
    boolean("features.subscription_cancel.enabled"),
    one_of("features.subscription_cancel.mode", &["at_period_end", "immediately"]),
    one_of("features.subscription_cancel.proration_behavior", PRORATIONS),
    boolean("features.subscription_update.enabled"),
    text("features.subscription_update.default_allowed_updates.#"),
    one_of("features.subscription_update.proration_behavior", PRORATIONS),
    clearable("features.subscription_update.products"),
    boolean("features.subscription_update.products.#.adjustable_quantity.enabled"),
    integer("features.subscription_update.products.#.adjustable_quantity.maximum"),
    integer("features.subscription_update.products.#.adjustable_quantity.minimum"),
    text("features.subscription_update.products.#.product"),
    text("features.subscription_update.products.#.prices.#"),
    map("metadata"),
];
/// What is only kept and shown of the features, except for `schedule_at_period_end`, which the portal page follows.
const KEPT: &[Rule] = &[
    boolean("features.subscription_cancel.cancellation_reason.enabled"),
    text("features.subscription_cancel.cancellation_reason.options.#"),
    one_of("features.subscription_update.billing_cycle_anchor", &["unchanged"]),
    clearable("features.subscription_update.schedule_at_period_end.conditions"),
    one_of(
        "features.subscription_update.schedule_at_period_end.conditions.#.type",
        &["decreasing_item_amount", "shortening_interval"],
    ),
    one_of("features.subscription_update.trial_update_behavior", &["end_trial"]),
];
const NOT_BUILT: &[&str] = &["features", "login_page"];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/billing_portal/configurations", create).takes(&[FIELDS, KEPT]).not_built(NOT_BUILT),
    Route::get("/v1/billing_portal/configurations", list).takes(&[LIST, &[boolean("active"), boolean("is_default")]]),
    Route::get("/v1/billing_portal/configurations/{}", retrieve),
    Route::post("/v1/billing_portal/configurations/{}", update)
        .takes(&[FIELDS, KEPT, &[boolean("active")]])
        .not_built(NOT_BUILT),
];

/// Makes a configuration. The default one allows everything that the page can do, and puts downgrades to the end of the
/// period.
pub fn add(state: &mut State, is_default: bool, fields: Value) -> Value {
    let id = state.new_id("bpc_1", 24);
    let now = state.now();
    let conditions = match is_default {
        true => json!([{ "type": "decreasing_item_amount" }, { "type": "shortening_interval" }]),
        false => json!([]),
    };
    let mut object = json!({
        "id": id, "object": "billing_portal.configuration", "active": true, "application": null,
        "business_profile": { "headline": null, "privacy_policy_url": null, "terms_of_service_url": null },
        "created": now, "default_return_url": null, "is_default": is_default, "livemode": false,
        "login_page": { "enabled": false, "url": null }, "metadata": {}, "name": null, "updated": now,
        "features": {
            "customer_update": { "allowed_updates": [], "enabled": false },
            "invoice_history": { "enabled": is_default },
            "payment_method_update": { "enabled": is_default, "payment_method_configuration": null },
            "subscription_cancel": {
                "cancellation_reason": { "enabled": false, "options": [] }, "enabled": is_default,
                "mode": "at_period_end", "proration_behavior": "none",
            },
            "subscription_update": {
                "billing_cycle_anchor": null, "default_allowed_updates": ["price"], "enabled": is_default, "products": [],
                "proration_behavior": "create_prorations", "schedule_at_period_end": { "conditions": conditions },
                "trial_update_behavior": "end_trial",
            },
        },
    });
    change(&mut object, fields);
    state.portal_configurations.put(&id, object.clone());
    state.emit("billing_portal.configuration.created", object.clone());
    object
}

/// The configuration of sessions that name none.
pub fn default(state: &State) -> Option<&Value> {
    state.portal_configurations.oldest().find(|row| row["is_default"] == true)
}

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    if !call.form.has("features") {
        return Err(ApiError::missing("features"));
    }
    if call.state.portal_configurations.oldest().count() >= LIMIT {
        return Err(ApiError::invalid(format!("You have reached the maximum of {LIMIT} portal configurations.")));
    }
    check_products(call)?;
    let mut object = add(call.state, false, json!({}));
    apply_form(&mut object, &call.form);
    store(call.state, &object);
    Ok(object)
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    filtered_page(
        &call.form,
        "/v1/billing_portal/configurations",
        call.state.portal_configurations.newest(),
        &["active", "is_default"],
    )
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.portal_configurations.required("configuration", call.id(), "configuration").cloned()
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut object = retrieve(call)?;
    check_products(call)?;
    apply_form(&mut object, &call.form);
    if let Some(active) = call.form.flag("active") {
        object["active"] = json!(active);
    }
    object["updated"] = json!(call.at);
    store(call.state, &object);
    call.state.emit("billing_portal.configuration.updated", object.clone());
    Ok(object)
}

fn store(state: &mut State, object: &Value) {
    if let Some(id) = object["id"].as_str() {
        state.portal_configurations.put(id, object.clone());
    }
}

fn check_products(call: &ApiCall<'_>) -> Result<(), ApiError> {
    for path in call.form.items("features.subscription_update.products") {
        for price in call.form.list(&format!("{path}.prices")) {
            if call.state.prices.get(&price).is_none_or(|price| price["recurring"].is_null()) {
                return Err(ApiError::no_such("recurring price", &price, "features[subscription_update][products]"));
            }
        }
    }
    Ok(())
}

fn apply_form(object: &mut Value, form: &RequestForm) {
    change(object, texts(form, &["default_return_url", "name"]));
    object["metadata"] = merged_metadata(&object["metadata"], form);
    for field in ["headline", "privacy_policy_url", "terms_of_service_url"] {
        if form.has(&format!("business_profile.{field}")) {
            object["business_profile"][field] = json!(form.filled(&format!("business_profile.{field}")));
        }
    }
    for feature in
        ["customer_update", "invoice_history", "payment_method_update", "subscription_cancel", "subscription_update"]
    {
        let at = |field: &str| format!("features.{feature}.{field}");
        let own = &mut object["features"][feature];
        if let Some(enabled) = form.flag(&at("enabled")) {
            own["enabled"] = json!(enabled);
        }
        for field in ["mode", "proration_behavior"] {
            if let Some(word) = form.filled(&at(field)) {
                own[field] = json!(word);
            }
        }
        for field in ["allowed_updates", "default_allowed_updates"] {
            if form.has(&at(field)) {
                own[field] = json!(form.list(&at(field)));
            }
        }
    }
    let kept = kept(object, form, KEPT);
    change(object, kept);
    let conditions = &mut object["features"]["subscription_update"]["schedule_at_period_end"]["conditions"];
    if conditions.is_null() {
        *conditions = json!([]);
    }
    let path = "features.subscription_update.products";
    if form.has(path) {
        let product = |path: &String| {
            json!({
                "adjustable_quantity": {
                    "enabled": form.flag(&format!("{path}.adjustable_quantity.enabled")).unwrap_or(false),
                    "maximum": form.integer(&format!("{path}.adjustable_quantity.maximum")),
                    "minimum": form.integer(&format!("{path}.adjustable_quantity.minimum")).unwrap_or(1),
                },
                "prices": form.list(&format!("{path}.prices")), "product": form.text(&format!("{path}.product")),
            })
        };
        let products: Vec<Value> = form.items(path).iter().map(product).collect();
        object["features"]["subscription_update"]["products"] = json!(products);
    }
}
