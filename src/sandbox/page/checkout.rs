//! The checkout page, `/c/pay/{session}`, in place of Stripe Checkout.
//!
//! `POST` takes a plain form:
//!
//! | field | meaning |
//! | --- | --- |
//! | `action` | `pay` (the default), or `apply` to apply a promotion code, quantity and address and show the page again |
//! | `method` | `card` (the default) or `bank_debit`, which settles later, from the control page |
//! | `card`, `exp`, `cvc` | `4242 4242 4242 4242` pays, `4000 0000 0000 0002` is declined, others are in `card`; `exp` (`MM/YY`) and `cvc` are optional |
//! | `authenticated` | `true`: the payer has authenticated, which `4000 0000 0000 3220` requires |
//! | `email`, `name` | who pays; optional |
//! | `country`, `line1`, `postal_code`, `city` | the address, where the session needs one. A form without `country` has the address that the page fills in; an empty `country` is refused |
//! | `business_name`, `tax_id` | who buys for a business, where the session has `tax_id_collection` |
//! | `quantity` | of the first item, where its quantity is adjustable |
//! | `promotion_code` | applied before paying; only if the session has `allow_promotion_codes`, as at Stripe |
//!
//! Paid: `303` to the success URL, with `{CHECKOUT_SESSION_ID}` replaced. Declined: `402` and the page again. Wrong
//! input: `400` and the page again. Expired, or paid already: `409`.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::{SameSiteForm, error_page, page, see_other};
use crate::sandbox::amount::money;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::card::Card;
use crate::sandbox::checkout::{self, PaymentChoice};
use crate::sandbox::form::RequestForm;
use crate::sandbox::model::session::StoredSession;
use crate::sandbox::payer::{self, Business, Payer};
use crate::sandbox::shape::{integer, text};
use crate::sandbox::shared::Shared;
use crate::sandbox::state;

#[derive(Template)]
#[template(path = "sandbox/checkout.html")]
struct CheckoutPage {
    id: String,
    status: String,
    lines: Vec<LineRow>,
    subtotal: String,
    discount: Option<String>,
    /// Its name and amount.
    tax: Option<(&'static str, String)>,
    /// What the page fills in, where an address is needed.
    address: Option<AddressFields>,
    takes_tax_ids: bool,
    adjustable: Option<i64>,
    total: String,
    is_free: bool,
    is_subscription: bool,
    is_pending: bool,
    has_failed: bool,
    takes_codes: bool,
    takes_debit: bool,
    by_debit: bool,
    email: String,
    code: String,
    cancel_url: String,
    success_url: String,
    problem: Option<String>,
}

struct AddressFields {
    line1: String,
    postal_code: String,
    city: String,
    country: String,
}

struct LineRow {
    name: String,
    quantity: i64,
    amount: String,
    interval: String,
}

/// `GET /c/pay/{session}`.
pub async fn show(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    render(&shared, &id, &RequestForm::default(), None)
}

/// `POST /c/pay/{session}`.
pub async fn submit(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    SameSiteForm(form): SameSiteForm,
) -> Response {
    match shared.with(|state| act(state, &id, &form)) {
        Ok(Some(url)) => see_other(&url),
        Ok(None) => render(&shared, &id, &form, None),
        Err(error) => render(&shared, &id, &form, Some(&error)),
    }
}

/// Does what the form asks for. Returns where to go next; `None` shows the page again.
fn act(state: &mut state::State, id: &str, form: &RequestForm) -> Result<Option<String>, ApiError> {
    if let Some(code) = form.filled("promotion_code") {
        checkout::apply_promotion(state, id, code.trim())?;
    }
    if let Some(quantity) = form.integer("quantity") {
        checkout::change_quantity(state, id, 0, quantity)?;
    }
    let session = state.sessions.required("checkout.session", id, "session")?;
    let address = address(session, form);
    if let Some(address) = address.as_ref().filter(|_| session.is_open()) {
        payer::record_address(state, id, address.clone());
    }
    match form.text("action").unwrap_or("pay") {
        "apply" => return Ok(None),
        "pay" => {}
        other => return Err(ApiError::invalid(format!("`{other}` is not an action: use `pay` or `apply`."))),
    }
    let session = state.sessions.required("checkout.session", id, "session")?;
    let (is_free, success_url) = (is_free(session), success_url(session));
    let takes_tax_ids = session.object["tax_id_collection"]["enabled"] == true;
    let method = match form.filled("method").unwrap_or("card") {
        "bank_debit" if takes_debit(session) => PaymentChoice::BankDebit,
        "bank_debit" => return Err(ApiError::invalid("This session does not take bank debits. Pay by card.")),
        // Nothing is due, so the method does not matter.
        "card" if is_free => PaymentChoice::BankDebit,
        "card" => {
            let field = |name| form.text(name).unwrap_or_default();
            PaymentChoice::Card(Card::read(field("card"), field("exp"), field("cvc"), state.own_time())?)
        }
        other => return Err(ApiError::invalid(format!("`{other}` is not a method: use `card` or `bank_debit`."))),
    };
    let typed = |name| form.filled(name).map(|value: &str| value.trim().to_owned());
    let has_authenticated = form.flag("authenticated") == Some(true);
    let business = typed("tax_id")
        .filter(|_| takes_tax_ids)
        .map(|tax_id| Business { name: typed("business_name").unwrap_or_default(), tax_id: tax_id.replace(' ', "") });
    let payer = Payer { email: typed("email"), name: typed("name"), has_authenticated, address, business };
    checkout::pay(state, id, &payer, &method)?;
    Ok(Some(success_url))
}

/// The address that the form has, or the one that the page fills in. `None`: the session needs none, or knows one.
fn address(session: &StoredSession, form: &RequestForm) -> Option<Value> {
    if !session.needs_address() {
        return None;
    }
    let known = &session.object["customer_details"]["address"];
    let Some(country) = form.text("country") else {
        return known["country"].is_null().then(payer::sample_address);
    };
    let mut address = payer::sample_address();
    address["country"] = json!(Some(country.trim().to_ascii_uppercase()).filter(|code| code.len() == 2));
    for part in ["line1", "postal_code", "city"] {
        address[part] = json!(form.filled(part));
    }
    Some(address)
}

fn is_free(session: &StoredSession) -> bool {
    !checkout::needs_card(session)
}

fn takes_debit(session: &StoredSession) -> bool {
    let types = session.object["payment_method_types"].as_array();
    session.object["mode"] == "payment" && types.is_some_and(|types| types.iter().any(|kind| kind == "us_bank_account"))
}

/// The success URL with the session's id in it, encoded for a header.
fn success_url(session: &StoredSession) -> String {
    let url = text(&session.object, "success_url").replace("{CHECKOUT_SESSION_ID}", text(&session.object, "id"));
    url::Url::parse(&url).map(String::from).unwrap_or_default()
}

fn render(shared: &Shared, id: &str, form: &RequestForm, error: Option<&ApiError>) -> Response {
    let Some(session) = shared.with(|state| state.sessions.get(id).cloned()) else {
        return error_page(
            &ApiError::invalid("There is no such checkout page. Start again from the shop.").status(404),
        );
    };
    let status = error.map_or(200, |error| error.status);
    // Chromium checks the redirect after a form against `form-action` too, so the policy must name the shop's origin.
    let shop =
        url::Url::parse(&success_url(&session)).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    page(status, &build(&session, form, error), &format!("'self' {shop}"))
}

fn build(session: &StoredSession, form: &RequestForm, error: Option<&ApiError>) -> CheckoutPage {
    let object = &session.object;
    let currency = text(object, "currency");
    let off = integer(&object["total_details"], "amount_discount");
    let email = form.text("email").or_else(|| object["customer_details"]["email"].as_str());
    let code = form.text("promotion_code").filter(|_| off == 0);
    CheckoutPage {
        id: text(object, "id").to_owned(),
        status: text(object, "status").to_owned(),
        lines: session.items.iter().map(|item| line(item, currency)).collect(),
        subtotal: money(integer(object, "amount_subtotal"), currency),
        discount: (off > 0).then(|| money(-off, currency)),
        tax: tax_row(session, currency),
        address: session.needs_address().then(|| address_fields(session)),
        takes_tax_ids: object["tax_id_collection"]["enabled"] == true,
        adjustable: session
            .items
            .first()
            .filter(|item| item["adjustable_quantity"]["enabled"] == true)
            .map(|item| integer(item, "quantity")),
        total: money(integer(object, "amount_total"), currency),
        is_free: is_free(session),
        is_subscription: object["mode"] == "subscription",
        is_pending: session.is_pending(),
        has_failed: session.failed_at.is_some(),
        takes_codes: object["allow_promotion_codes"] == true,
        takes_debit: takes_debit(session),
        by_debit: form.text("method") == Some("bank_debit"),
        email: email.unwrap_or_default().to_owned(),
        code: code.unwrap_or_default().to_owned(),
        cancel_url: text(object, "cancel_url").to_owned(),
        success_url: success_url(session),
        problem: error.filter(|_| session.is_open()).map(|error| error.message().to_owned()),
    }
}

fn tax_row(session: &StoredSession, currency: &str) -> Option<(&'static str, String)> {
    let tax = integer(&session.object["total_details"], "amount_tax");
    let is_on_top = session.exclusive.iter().any(|is_exclusive| *is_exclusive);
    let name = if is_on_top { "VAT, 19 %" } else { "VAT, 19 %, contained" };
    (session.object["automatic_tax"]["status"] == "complete").then(|| (name, money(tax, currency)))
}

fn address_fields(session: &StoredSession) -> AddressFields {
    let known = &session.object["customer_details"]["address"];
    let address = if known["country"].is_string() { known.clone() } else { payer::sample_address() };
    let field = |name: &str| text(&address, name).to_owned();
    AddressFields {
        line1: field("line1"),
        postal_code: field("postal_code"),
        city: field("city"),
        country: field("country"),
    }
}

fn line(item: &Value, currency: &str) -> LineRow {
    let recurring = &item["price"]["recurring"];
    let interval = match (integer(recurring, "interval_count"), text(recurring, "interval")) {
        (_, "") => String::new(),
        (1, interval) => format!("every {interval}"),
        (count, interval) => format!("every {count} {interval}s"),
    };
    LineRow {
        name: text(item, "description").to_owned(),
        quantity: integer(item, "quantity"),
        amount: money(integer(item, "amount_subtotal"), currency),
        interval,
    }
}
