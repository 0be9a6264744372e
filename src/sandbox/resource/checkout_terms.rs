//! What a checkout asks for beside the money: an invoice, a tax id, the tax, an address, a quantity. Source: Stripe,
//! "Create a Checkout Session".

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::fields::metadata;
use crate::sandbox::form::RequestForm;
use crate::sandbox::params::name_of;
use crate::sandbox::shape::text;

const QUANTITY_LIMIT: i64 = 999_999;

/// Refuses what does not go together.
pub fn check_terms(form: &RequestForm, mode: &str, customer: Option<&Value>) -> Result<(), ApiError> {
    let is_on = |name: &str| form.flag(&format!("{name}.enabled")) == Some(true);
    let saves = |part: &str| form.text(&format!("customer_update.{part}")) == Some("auto");
    let refused = |message: &str, param: &str| Err(ApiError::invalid(message).param(param));
    if mode == "subscription" && form.has("invoice_creation") {
        return refused("You can not pass `invoice_creation` in `subscription` mode.", "invoice_creation");
    }
    let Some(customer) = customer else {
        return match form.has("customer_update") {
            true => refused("`customer_update` can only be used with `customer`.", "customer_update"),
            false => Ok(()),
        };
    };
    if is_on("tax_id_collection") && !saves("name") {
        return refused(
            "Tax ID collection requires updating business name on the customer. To enable tax ID collection for an \
             existing customer, please set `customer_update[name]` to `auto`.",
            "tax_id_collection",
        );
    }
    let has_address = !text(&customer["address"], "country").is_empty();
    if is_on("automatic_tax") && !has_address && !saves("address") && !saves("shipping") {
        return refused(
            "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid address to the \
             Customer or set either `customer_update[address]` to 'auto' or `customer_update[shipping]` to 'auto' to save \
             the address entered in Checkout to the Customer.",
            "automatic_tax",
        );
    }
    Ok(())
}

/// The fields of the session that say what was asked for.
pub fn term_fields(form: &RequestForm, mode: &str) -> Value {
    let mut fields = json!({});
    if form.flag("automatic_tax.enabled") == Some(true) {
        fields["automatic_tax"] = json!({
            "enabled": true, "liability": { "type": "self" }, "provider": "stripe", "status": "requires_location_inputs",
        });
    }
    if form.flag("tax_id_collection.enabled") == Some(true) {
        let required = form.text("tax_id_collection.required").unwrap_or("never");
        fields["tax_id_collection"] = json!({ "enabled": true, "required": required });
    }
    if let Some(word) = form.text("billing_address_collection") {
        fields["billing_address_collection"] = json!(word);
    }
    if mode == "payment" && form.has("invoice_creation") {
        let data = |name: &str| form.text(&format!("invoice_creation.invoice_data.{name}"));
        fields["invoice_creation"] = json!({
            "enabled": form.flag("invoice_creation.enabled"),
            "invoice_data": {
                "account_tax_ids": null, "custom_fields": null, "description": data("description"),
                "footer": data("footer"), "issuer": null, "rendering_options": null,
                "metadata": metadata(form, "invoice_creation.invoice_data.metadata"),
            },
        });
    }
    fields
}

/// Whether the payer may change an item's quantity, and within which bounds.
pub fn adjustable_quantity(form: &RequestForm, path: &str) -> Result<Value, ApiError> {
    let at = |name: &str| format!("{path}.adjustable_quantity.{name}");
    if form.flag(&at("enabled")) != Some(true) {
        return Ok(Value::Null);
    }
    let (least, most) = (form.integer(&at("minimum")).unwrap_or(0), form.integer(&at("maximum")).unwrap_or(99));
    if !(0..=most).contains(&least) || most > QUANTITY_LIMIT {
        let message = "A minimum is at least 0 and at most the maximum, and the maximum is at most 999999.";
        return Err(ApiError::invalid(message).param(name_of(&at("maximum"))));
    }
    Ok(json!({ "enabled": true, "maximum": most, "minimum": least }))
}
