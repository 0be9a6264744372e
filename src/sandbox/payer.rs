//! What a payer enters on the checkout page, and what of it is kept: on the session always, on the customer as the
//! session's `customer_update` says.

use serde_json::{Value, json};

use crate::sandbox::billing::customer;
use crate::sandbox::model::session::{StoredSession, customer_details};
use crate::sandbox::shape::text;
use crate::sandbox::state::State;

#[derive(Clone, Debug, Default)]
pub struct Payer {
    /// The session's own address when `None`.
    pub email: Option<String>,
    pub name: Option<String>,
    pub has_authenticated: bool,
    /// A postal address, as Stripe's objects have it.
    pub address: Option<Value>,
    pub business: Option<Business>,
}

/// A payer who buys for a business.
#[derive(Clone, Debug)]
pub struct Business {
    pub name: String,
    /// Such as `DE123456789`.
    pub tax_id: String,
}

/// A German address, which the page fills in and which counts where a form has none.
pub fn sample_address() -> Value {
    json!({
        "city": "Berlin", "country": "DE", "line1": "Chausseestraße 1", "line2": null, "postal_code": "10115",
        "state": null,
    })
}

/// Records the payer on the session, whose totals follow, and on the customer, who is made if the session asks for one.
pub fn record(state: &mut State, id: &str, payer: &Payer) {
    let Some(mut session) = state.sessions.get(id).cloned() else { return };
    let known = session.object["customer_details"].clone();
    let email = payer.email.as_ref().map_or_else(|| known["email"].clone(), |email| json!(email));
    let name = payer.name.as_ref().map_or_else(|| known["name"].clone(), |name| json!(name));
    let address = payer.address.clone().unwrap_or_else(|| known["address"].clone());
    let mut details = customer_details(&email, &name);
    details["address"] = address.clone();
    if let Some(business) = &payer.business {
        details["business_name"] = json!(business.name);
        details["tax_ids"] = json!([{ "type": tax_id_type(&business.tax_id), "value": business.tax_id }]);
    }
    session.object["customer_details"] = details;
    if session.object["customer"].is_null() && wants_customer(&session) {
        let fields = json!({ "email": email, "name": name });
        session.object["customer"] = customer::add(state, fields)["id"].take();
        (session.saves_name, session.saves_address) = (true, true);
    }
    let owner = text(&session.object, "customer").to_owned();
    if !owner.is_empty() {
        save(state, &owner, &session, payer);
    }
    session.total();
    state.sessions.put(id, session);
}

/// Records an address alone, so that the page can show the tax.
pub fn record_address(state: &mut State, id: &str, address: Value) {
    let Some(session) = state.sessions.get_mut(id) else { return };
    if session.object["customer_details"].is_null() {
        session.object["customer_details"] = customer_details(&Value::Null, &Value::Null);
    }
    session.object["customer_details"]["address"] = address;
    session.total();
}

fn wants_customer(session: &StoredSession) -> bool {
    session.object["customer_creation"] == "always"
        || session.object["mode"] == "subscription"
        || session.makes_invoice()
}

fn save(state: &mut State, owner: &str, session: &StoredSession, payer: &Payer) {
    let mut fields = json!({});
    if let Some(address) = payer.address.as_ref().filter(|_| session.saves_address) {
        fields["address"] = address.clone();
    }
    if let Some(business) = payer.business.as_ref().filter(|_| session.saves_name) {
        fields["name"] = json!(business.name);
        customer::add_tax_id(state, owner, tax_id_type(&business.tax_id), &business.tax_id);
    }
    customer::update(state, owner, fields);
}

/// Stripe's word for a tax id, by the country that it begins with.
pub fn tax_id_type(tax_id: &str) -> &'static str {
    const UNION: &[&str] = &[
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "HR", "HU", "IE", "IT", "LT", "LU",
        "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "XI",
    ];
    match tax_id.get(..2) {
        Some("GB") => "gb_vat",
        Some("NO") => "no_vat",
        Some(country) if UNION.contains(&country) => "eu_vat",
        _ => "unknown",
    }
}
