//! Making a `checkout.session`, and what Stripe checks first. Source: Stripe, "Create a Checkout Session".

use serde_json::{Value, json};

use super::checkout_params::{KEPT, KEPT_IN_INTENT};
use super::checkout_plan::{plan_fields, trial};
use super::checkout_terms::{adjustable_quantity, check_terms, term_fields};
use super::discounts;
use super::prices::{check_active, recurring};
use super::products;
use crate::clock::DAY_SECONDS;
use crate::sandbox::amount::{checked_amount, checked_currency};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::customer;
use crate::sandbox::billing::price::{check_customers_currency, is_exclusive, unit_in};
use crate::sandbox::call::ApiCall;
use crate::sandbox::fields::{kept, metadata, texts};
use crate::sandbox::form::RequestForm;
use crate::sandbox::model::session::{StoredSession, customer_details};
use crate::sandbox::params::name_of;
use crate::sandbox::shape::{CHECKOUT_SESSION, PRICE, change, filled, integer as number, text as word};

const HALF_HOUR: i64 = 30 * 60;
const ITEMS_LIMIT: usize = 100;
const QUANTITY_LIMIT: i64 = 999_999;

/// `POST /v1/checkout/sessions`.
pub fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mode = call.form.text("mode").unwrap_or_default().to_owned();
    check_words(call, &mode)?;
    let expires_at = expires_at(call)?;
    let customer = customer(call)?;
    check_terms(&call.form, &mode, customer.as_ref())?;
    let (currency, items) = items(call, &mode)?;
    if let Some(customer) = &customer {
        check_customers_currency(call.state, word(customer, "id"), &currency)?;
    }
    let (coupon, discounts) = discounts::read(call)?;

    let id = call.state.new_id("cs_test_a1", 52);
    let fields = fields(call, &id, &mode, &currency, customer, expires_at);
    let mut session = StoredSession {
        object: filled(CHECKOUT_SESSION, fields),
        units: items.iter().map(|item| number(item, "amount_subtotal") / number(item, "quantity").max(1)).collect(),
        exclusive: items.iter().map(|item| is_exclusive(call.state, &item["price"], &currency)).collect(),
        saves_name: call.form.text("customer_update.name") == Some("auto"),
        saves_address: call.form.text("customer_update.address") == Some("auto"),
        items,
        coupon,
        intent: intent_fields(&call.form),
        plan: plan_fields(&call.form),
        trial: trial(call)?,
        failed_at: None,
    };
    session.object["discounts"] = discounts;
    session.total();
    let total = number(&session.object, "amount_total");
    if mode == "payment" && (1..50).contains(&total) {
        let message =
            "The Checkout Session's total amount due must add up to at least 50 cents (or be nothing at all).";
        return Err(ApiError::invalid(message).code("amount_too_small"));
    }
    let object = session.object.clone();
    call.state.sessions.put(&id, session);
    call.state.agenda.add("", expires_at, &id);
    Ok(object)
}

fn check_words(call: &ApiCall<'_>, mode: &str) -> Result<(), ApiError> {
    let form = &call.form;
    if mode == "setup" {
        return Err(ApiError::not_built("`setup` mode").param("mode"));
    }
    if !form.has("success_url") {
        return Err(ApiError::missing("success_url"));
    }
    if form.text("client_reference_id").is_some_and(|text| text.chars().count() > 200) {
        let message = "Invalid string: client_reference_id must be at most 200 characters.";
        return Err(ApiError::invalid(message).param("client_reference_id"));
    }
    for (field, other) in [("payment_intent_data", "subscription"), ("subscription_data", "payment")] {
        if mode == other && form.has(field) {
            return Err(ApiError::invalid(format!("You can not pass `{field}` in `{mode}` mode.")).param(field));
        }
    }
    if mode == "subscription" && form.has("customer_creation") {
        let message = "`customer_creation` can only be used in `payment` and `setup` mode.";
        return Err(ApiError::invalid(message).param("customer_creation"));
    }
    for (one, other) in
        [("customer", "customer_email"), ("customer", "customer_creation"), ("allow_promotion_codes", "discounts")]
    {
        if form.has(one) && form.has(other) {
            let message = format!("You may only specify one of these parameters: {one}, {other}.");
            return Err(ApiError::invalid(message).param(other));
        }
    }
    Ok(())
}

fn expires_at(call: &ApiCall<'_>) -> Result<i64, ApiError> {
    let Some(at) = call.form.integer("expires_at") else { return Ok(call.at + DAY_SECONDS) };
    // Allows for clocks that differ and for the time on the way. Stripe is not exact to the second either.
    let (least, most) = (call.at + HALF_HOUR - 60, call.at + DAY_SECONDS + 60);
    let message = match at {
        _ if at < least => "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
        _ if at > most => "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
        _ => return Ok(at),
    };
    Err(ApiError::invalid(message).param("expires_at"))
}

fn customer(call: &ApiCall<'_>) -> Result<Option<Value>, ApiError> {
    let Some(id) = call.form.text("customer") else { return Ok(None) };
    customer::check_live(call.state, id)?;
    Ok(call.state.customers.get(id).cloned())
}

/// The session's currency and its line items. The currency is the request's, or else that of the first price.
pub fn items(call: &mut ApiCall<'_>, mode: &str) -> Result<(String, Vec<Value>), ApiError> {
    let paths = call.form.items("line_items");
    if paths.is_empty() {
        return Err(ApiError::missing("line_items"));
    }
    if paths.len() > ITEMS_LIMIT {
        let message = format!("A Checkout Session can have at most {ITEMS_LIMIT} line items.");
        return Err(ApiError::invalid(message).param("line_items"));
    }
    let prices = paths.iter().map(|path| price(call, path)).collect::<Result<Vec<Value>, ApiError>>()?;
    let wanted = call.form.text("currency").unwrap_or_else(|| word(&prices[0], "currency"));
    let currency = checked_currency(wanted, "currency")?;
    let rows = paths.iter().zip(prices);
    let items =
        rows.map(|(path, price)| item(call, path, mode, price, &currency)).collect::<Result<Vec<Value>, ApiError>>()?;
    if mode == "subscription" && items.iter().all(|item| item["price"]["recurring"].is_null()) {
        let message = "You must provide at least one recurring price in `subscription` mode when using prices.";
        return Err(ApiError::invalid(message).param("line_items"));
    }
    Ok((currency, items))
}

fn item(call: &mut ApiCall<'_>, path: &str, mode: &str, price: Value, currency: &str) -> Result<Value, ApiError> {
    if mode == "payment" && !price["recurring"].is_null() {
        let message = "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or \
                       use only one-time prices.";
        return Err(ApiError::invalid(message).param(name_of(path)));
    }
    let Some(unit) = unit_in(call.state, &price, currency) else {
        let message = format!(
            "You cannot combine currencies on a single Checkout Session. The price is not sold in `{currency}`; add it to \
             the price's `currency_options`."
        );
        return Err(ApiError::invalid(message).param("line_items"));
    };
    let quantity_path = format!("{path}.quantity");
    let quantity = call.form.integer(&quantity_path).ok_or_else(|| ApiError::missing(&name_of(&quantity_path)))?;
    if !(1..=QUANTITY_LIMIT).contains(&quantity) {
        let message = "Invalid integer: a quantity must be from 1 to 999999.";
        return Err(ApiError::invalid(message).code("parameter_invalid_integer").param(name_of(&quantity_path)));
    }
    let amount = unit.saturating_mul(quantity);
    checked_amount(Some(amount), &name_of(&quantity_path))?;
    let product = call.state.products.get(word(&price, "product"));
    let description = product.map(|product| product["name"].clone()).unwrap_or_default();
    let adjustable = adjustable_quantity(&call.form, path)?;
    let id = call.state.new_id("li_1", 24);
    Ok(json!({
        "id": id, "object": "item", "adjustable_quantity": adjustable, "amount_discount": 0, "amount_subtotal": amount,
        "amount_tax": 0, "amount_total": amount, "currency": currency, "description": description,
        "metadata": {}, "price": price, "quantity": quantity,
    }))
}

fn price(call: &mut ApiCall<'_>, path: &str) -> Result<Value, ApiError> {
    let param = format!("{path}.price");
    let Some(id) = call.form.text(&param) else { return price_made_here(call, path) };
    let price = call.state.prices.get(id).ok_or_else(|| ApiError::no_such("price", id, name_of(&param)))?;
    check_active(call.state, price, &param)?;
    Ok(price.clone())
}

fn price_made_here(call: &mut ApiCall<'_>, path: &str) -> Result<Value, ApiError> {
    let at = |name: &str| format!("{path}.price_data.{name}");
    let missing = |name: &str| ApiError::missing(&name_of(&format!("{path}.{name}")));
    let currency = call.form.text(&at("currency")).ok_or_else(|| missing("price"))?;
    let currency = checked_currency(currency, &name_of(&at("currency")))?;
    let amount = checked_amount(call.form.integer(&at("unit_amount")), &name_of(&at("unit_amount")))?;
    let product = match (call.form.text(&at("product")), call.form.text(&at("product_data.name"))) {
        (Some(id), _) => {
            let found = call.state.products.get(id).map(|product| product["id"].clone());
            found.ok_or_else(|| ApiError::no_such("product", id, name_of(&at("product"))))?
        }
        (None, Some(name)) => {
            let path = at("product_data");
            let word = |name: &str| json!(call.form.text(&format!("{path}.{name}")));
            let fields = json!({
                "name": name, "description": word("description"), "images": call.form.list(&format!("{path}.images")),
                "metadata": metadata(&call.form, &format!("{path}.metadata")), "tax_code": word("tax_code"),
                "unit_label": word("unit_label"),
            });
            products::add(call.state, None, fields)["id"].take()
        }
        (None, None) => return Err(missing("price_data.product_data")),
    };
    let count = call.form.integer(&at("recurring.interval_count")).unwrap_or(1);
    let recurrence = call.form.text(&at("recurring.interval")).map(|interval| recurring(interval, count));
    let behavior = call.form.text(&at("tax_behavior")).unwrap_or("unspecified").to_owned();
    let id = call.state.new_id("price_1", 24);
    // Stripe keeps such a price inactive, because it is for sale only here.
    Ok(filled(
        PRICE,
        json!({
            "id": id, "active": false, "created": call.at, "currency": currency, "product": product,
            "type": if recurrence.is_some() { "recurring" } else { "one_time" }, "recurring": recurrence,
            "tax_behavior": behavior, "unit_amount": amount, "unit_amount_decimal": amount.to_string(),
        }),
    ))
}

fn intent_fields(form: &RequestForm) -> Value {
    let mut fields = kept(&Value::Null, form, KEPT_IN_INTENT)["payment_intent_data"].take();
    if fields.is_null() {
        fields = json!({});
    }
    fields["metadata"] = metadata(form, "payment_intent_data.metadata");
    fields
}

fn fields(call: &ApiCall<'_>, id: &str, mode: &str, currency: &str, customer: Option<Value>, expires_at: i64) -> Value {
    let form = &call.form;
    let optional = ["cancel_url", "client_reference_id", "customer_email", "customer_creation", "success_url"];
    let mut fields = kept(&filled(CHECKOUT_SESSION, Value::Null), form, KEPT);
    change(&mut fields, texts(form, &optional));
    let types = match form.list("payment_method_types") {
        types if types.is_empty() => vec!["card".to_owned(), "us_bank_account".to_owned()],
        types => types,
    };
    let email = form.text("customer_email").map(|email| json!(email));
    let known = customer.as_ref().map(|customer| (customer["email"].clone(), customer["name"].clone()));
    if let Some((email, name)) = known.or_else(|| email.map(|email| (email, Value::Null))) {
        fields["customer_details"] = customer_details(&email, &name);
        fields["customer_details"]["address"] =
            customer.as_ref().map(|customer| customer["address"].clone()).unwrap_or_default();
    }
    if mode == "payment" && customer.is_none() && !form.has("customer_creation") {
        fields["customer_creation"] = json!("if_required");
    }
    if mode == "subscription" {
        fields["payment_method_collection"] = json!(form.text("payment_method_collection").unwrap_or("always"));
        fields["invoice_creation"] = Value::Null;
    }
    change(&mut fields, term_fields(form, mode));
    let more = json!({
        "id": id, "created": call.at, "currency": currency, "expires_at": expires_at, "mode": mode,
        "allow_promotion_codes": form.flag("allow_promotion_codes"),
        "customer": customer.map(|mut customer| customer["id"].take()),
        "metadata": metadata(form, "metadata"), "payment_intent": null, "payment_method_types": types,
        "payment_status": "unpaid", "url": format!("{}/c/pay/{id}", call.state.base_url),
    });
    change(&mut fields, more);
    fields
}
