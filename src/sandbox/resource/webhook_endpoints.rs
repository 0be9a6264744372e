//! `webhook_endpoint`: where events are posted to. Its secret is shown once, when it is made.

use serde_json::{Value, json};

use super::{metadata, texts};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::list::page;
use crate::sandbox::params::{LIST, Rule, boolean, clearable, map, text, url};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::shape::{self, WEBHOOK_ENDPOINT, filled};
use crate::sandbox::state::State;
use crate::secret::Secret;

/// Every event type of the API version, one a line, from Stripe's OpenAPI description.
const EVENT_TYPES: &str = include_str!("../shapes/event_types.txt");
const ENDPOINTS_LIMIT: usize = 16;
const FIELDS: &[Rule] = &[clearable("description"), map("metadata")];

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/v1/webhook_endpoints",
        rules: &[FIELDS, &[url("url").required(), text("enabled_events.#"), text("api_version")]],
        not_built: &["connect"],
        handler: create,
    },
    Route { method: "GET", path: "/v1/webhook_endpoints", rules: &[LIST], not_built: &[], handler: list },
    Route { method: "GET", path: "/v1/webhook_endpoints/{}", rules: &[], not_built: &[], handler: retrieve },
    Route {
        method: "POST",
        path: "/v1/webhook_endpoints/{}",
        rules: &[FIELDS, &[url("url"), text("enabled_events.#"), boolean("disabled")]],
        not_built: &[],
        handler: update,
    },
    Route { method: "DELETE", path: "/v1/webhook_endpoints/{}", rules: &[], not_built: &[], handler: delete },
];

/// An endpoint with its secret, which is not in the object.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The object, without the secret.
    pub object: Value,
    /// `whsec_…`.
    pub secret: Secret,
}

impl Endpoint {
    /// `we_…`.
    pub fn id(&self) -> String {
        shape::text(&self.object, "id").to_owned()
    }

    /// Whether it is enabled and asked for events of this type.
    pub fn wants(&self, kind: &str) -> bool {
        let asked = |event: &Value| event == "*" || event == kind;
        self.object["status"] == "enabled"
            && self.object["enabled_events"].as_array().is_some_and(|all| all.iter().any(asked))
    }
}

/// Adds an endpoint with these fields and this secret.
pub fn add(state: &mut State, fields: Value, secret: Secret) -> Value {
    let id = state.new_id("we_1", 24);
    let mut object = filled(WEBHOOK_ENDPOINT, fields);
    object["id"] = json!(id);
    object["created"] = json!(state.now());
    state.webhook_endpoints.put(&id, Endpoint { object: object.clone(), secret });
    object
}

fn create(call: &mut Call<'_>) -> Result<Value, Refusal> {
    if call.state.webhook_endpoints.oldest().count() >= ENDPOINTS_LIMIT {
        return Err(Refusal::invalid(format!(
            "You have reached the maximum of {ENDPOINTS_LIMIT} test webhook endpoints."
        )));
    }
    let events = enabled_events(call)?.ok_or_else(|| Refusal::missing("enabled_events"))?;
    let mut fields = texts(&call.form, &["url", "description", "api_version"]);
    fields["enabled_events"] = events;
    fields["metadata"] = metadata(&json!({}), &call.form, "metadata");
    let secret = call.state.new_id("whsec_", 32);
    let mut shown = add(call.state, fields, Secret::new(secret.clone()));
    shown["secret"] = json!(secret);
    Ok(shown)
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    page(&call.form, "/v1/webhook_endpoints", call.state.webhook_endpoints.newest().map(|endpoint| &endpoint.object))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    found(call).map(|endpoint| endpoint.object)
}

fn update(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let Endpoint { mut object, secret } = found(call)?;
    let id = call.id().to_owned();
    super::change(&mut object, texts(&call.form, &["url", "description"]));
    if let Some(events) = enabled_events(call)? {
        object["enabled_events"] = events;
    }
    if let Some(disabled) = call.form.flag("disabled") {
        object["status"] = json!(if disabled { "disabled" } else { "enabled" });
    }
    object["metadata"] = metadata(&object["metadata"], &call.form, "metadata");
    call.state.webhook_endpoints.put(&id, Endpoint { object: object.clone(), secret });
    Ok(object)
}

fn delete(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let id = found(call)?.id();
    call.state.webhook_endpoints.remove(&id);
    Ok(json!({ "id": id, "object": "webhook_endpoint", "deleted": true }))
}

fn found(call: &Call<'_>) -> Result<Endpoint, Refusal> {
    let endpoint = call.state.webhook_endpoints.get(call.id()).cloned();
    endpoint.ok_or_else(|| Refusal::not_found("webhook endpoint", call.id(), "webhook_endpoint"))
}

fn enabled_events(call: &Call<'_>) -> Result<Option<Value>, Refusal> {
    if !call.form.has("enabled_events") {
        return Ok(None);
    }
    let events = call.form.list("enabled_events");
    if events.is_empty() || events.len() > 1 && events.iter().any(|name| name == "*") {
        let message = "Name event types in `enabled_events`, or `*` alone for all of them.";
        return Err(Refusal::invalid(message).param("enabled_events"));
    }
    let is_event = |name: &String| name == "*" || EVENT_TYPES.lines().any(|known| known == name);
    match events.iter().find(|name| !is_event(name)) {
        Some(wrong) => {
            let message = format!("Invalid enabled_events: {wrong} is not an event type, nor `*`.");
            Err(Refusal::invalid(message).param("enabled_events"))
        }
        None => Ok(Some(json!(events))),
    }
}
