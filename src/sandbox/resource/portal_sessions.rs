//! `billing_portal.session`: gives one customer access to the portal page (`page::portal`).

use serde_json::{Value, json};

use super::portal_configurations;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::customer;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::params::{Rule, text, url};

const NEW: &[Rule] = &[text("customer").required(), text("configuration"), url("return_url"), text("locale")];

pub const ROUTES: &[Route] = &[Route::post("/v1/billing_portal/sessions", create).takes(&[NEW]).not_built(&[
    "customer_account",
    "flow_data",
    "on_behalf_of",
])];

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let customer = form.text("customer").unwrap_or_default();
    customer::check_live(call.state, customer)?;
    let configuration = match form.text("configuration") {
        Some(id) => {
            let found = call.state.portal_configurations.get(id).filter(|row| row["active"] == true);
            found.ok_or_else(|| ApiError::no_such("configuration", id, "configuration"))?
        }
        None => portal_configurations::default(call.state).ok_or_else(|| {
            ApiError::invalid(
                "No configuration provided and your test mode default configuration has not been created.",
            )
        })?,
    };
    let return_url = form.text("return_url").or(configuration["default_return_url"].as_str());
    let (configuration, return_url) = (configuration["id"].clone(), json!(return_url));
    let (customer, locale) = (json!(customer), json!(form.text("locale")));
    let id = call.state.new_id("bps_1", 24);
    let secret = call.state.new_id("test_", 40);
    let session = json!({
        "id": id, "object": "billing_portal.session", "configuration": configuration, "created": call.at,
        "customer": customer, "customer_account": null, "flow": null, "livemode": false, "locale": locale,
        "on_behalf_of": null, "return_url": return_url,
        "url": format!("{}/p/session/{secret}", call.state.base_url),
    });
    // Stored by the secret in its URL, because the page has only that.
    call.state.portal_sessions.put(&secret, session.clone());
    call.state.emit("billing_portal.session.created", session.clone());
    Ok(session)
}
