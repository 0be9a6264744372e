//! `webhook_endpoint`: where webhooks go. The secret is shown once, when the endpoint is made.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::fields::{merged_metadata, metadata, texts};
use crate::sandbox::list::page;
use crate::sandbox::model::webhook_endpoint::StoredEndpoint;
use crate::sandbox::params::{LIST, Rule, boolean, clearable, map, text, url};
use crate::sandbox::shape::{WEBHOOK_ENDPOINT, change, deleted, filled};
use crate::sandbox::state::State;
use crate::sandbox::version::ApiVersion;
use crate::secret::Secret;

/// Every event type of the API version, one per line, from Stripe's OpenAPI description.
const EVENT_TYPES: &str = include_str!("../shapes/event_types.txt");
const ENDPOINTS_LIMIT: usize = 16;
const FIELDS: &[Rule] = &[clearable("description"), map("metadata")];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/webhook_endpoints", create)
        .takes(&[FIELDS, &[url("url").required(), text("enabled_events.#"), text("api_version")]])
        .not_built(&["connect"]),
    Route::get("/v1/webhook_endpoints", list).takes(&[LIST]),
    Route::get("/v1/webhook_endpoints/{}", retrieve),
    Route::post("/v1/webhook_endpoints/{}", update)
        .takes(&[FIELDS, &[url("url"), text("enabled_events.#"), boolean("disabled")]]),
    Route::delete("/v1/webhook_endpoints/{}", delete),
];

pub fn add(state: &mut State, fields: Value, secret: Secret) -> Value {
    let id = state.new_id("we_1", 24);
    let mut object = filled(WEBHOOK_ENDPOINT, fields);
    object["id"] = json!(id);
    object["created"] = json!(state.now());
    state.webhook_endpoints.put(&id, StoredEndpoint { object: object.clone(), secret });
    object
}

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    if call.state.webhook_endpoints.oldest().count() >= ENDPOINTS_LIMIT {
        return Err(ApiError::invalid(format!(
            "You have reached the maximum of {ENDPOINTS_LIMIT} test webhook endpoints."
        )));
    }
    let events = enabled_events(call)?.ok_or_else(|| ApiError::missing("enabled_events"))?;
    if let Some(version) = call.form.text("api_version") {
        ApiVersion::read(version).map_err(|error| error.param("api_version"))?;
    }
    let mut fields = texts(&call.form, &["url", "description", "api_version"]);
    fields["enabled_events"] = events;
    fields["metadata"] = metadata(&call.form, "metadata");
    let secret = call.state.new_id("whsec_", 32);
    let mut shown = add(call.state, fields, Secret::new(secret.clone()));
    shown["secret"] = json!(secret);
    Ok(shown)
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    page(&call.form, "/v1/webhook_endpoints", call.state.webhook_endpoints.newest().map(|endpoint| &endpoint.object))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    find(call).map(|endpoint| endpoint.object)
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let StoredEndpoint { mut object, secret } = find(call)?;
    let id = call.id().to_owned();
    change(&mut object, texts(&call.form, &["url", "description"]));
    if let Some(events) = enabled_events(call)? {
        object["enabled_events"] = events;
    }
    if let Some(disabled) = call.form.flag("disabled") {
        object["status"] = json!(if disabled { "disabled" } else { "enabled" });
    }
    object["metadata"] = merged_metadata(&object["metadata"], &call.form);
    call.state.webhook_endpoints.put(&id, StoredEndpoint { object: object.clone(), secret });
    Ok(object)
}

fn delete(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = find(call)?.id();
    call.state.webhook_endpoints.remove(&id);
    Ok(deleted("webhook_endpoint", &id))
}

fn find(call: &ApiCall<'_>) -> Result<StoredEndpoint, ApiError> {
    call.state.webhook_endpoints.required("webhook endpoint", call.id(), "webhook_endpoint").cloned()
}

fn enabled_events(call: &ApiCall<'_>) -> Result<Option<Value>, ApiError> {
    if !call.form.has("enabled_events") {
        return Ok(None);
    }
    let events = call.form.list("enabled_events");
    if events.is_empty() || events.len() > 1 && events.iter().any(|name| name == "*") {
        let message = "Name event types in `enabled_events`, or `*` alone for all of them.";
        return Err(ApiError::invalid(message).param("enabled_events"));
    }
    let is_event = |name: &String| name == "*" || EVENT_TYPES.lines().any(|known| known == name);
    match events.iter().find(|name| !is_event(name)) {
        Some(wrong) => {
            let message = format!("Invalid enabled_events: {wrong} is not an event type, nor `*`.");
            Err(ApiError::invalid(message).param("enabled_events"))
        }
        None => Ok(Some(json!(events))),
    }
}
