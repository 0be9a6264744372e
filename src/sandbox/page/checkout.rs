//! The checkout page, `/c/pay/{session}`: what a buyer sees where Stripe Checkout would be.
//!
//! `POST` takes a plain form:
//!
//! | field | meaning |
//! | --- | --- |
//! | `action` | `pay` (the default), or `apply` to take a promotion code and show the page again |
//! | `method` | `card` (the default) or `bank_debit`, which settles later, from the control page |
//! | `card`, `exp`, `cvc` | `4242 4242 4242 4242` pays, `4000 0000 0000 0002` is declined, others in `card`; `exp` (`MM/YY`) and `cvc` may be left out |
//! | `authenticated` | `true`: the payer has authenticated, which `4000 0000 0000 3220` asks for |
//! | `email`, `name` | who pays; may be left out |
//! | `promotion_code` | taken before paying; only where the session has `allow_promotion_codes`, as at Stripe |
//!
//! Paid: `303` to the success URL, `{CHECKOUT_SESSION_ID}` replaced. Declined: `402` and the page again. Wrong input:
//! `400` and the page again. Expired or paid already: `409`.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::{OwnForm, page, refused, see_other};
use crate::sandbox::amount::money;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::card::Card;
use crate::sandbox::checkout::{self, Method, Payer};
use crate::sandbox::form::Form;
use crate::sandbox::model::session::Session;
use crate::sandbox::shape::{integer, text};
use crate::sandbox::shared::Shared;
use crate::sandbox::state;

#[derive(Template)]
#[template(path = "sandbox/checkout.html")]
struct Page {
    id: String,
    status: String,
    lines: Vec<Line>,
    subtotal: String,
    discount: Option<String>,
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

struct Line {
    name: String,
    quantity: i64,
    amount: String,
    rhythm: String,
}

/// `GET /c/pay/{session}`.
pub async fn show(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    render(&shared, &id, &Form::default(), None)
}

/// `POST /c/pay/{session}`.
pub async fn submit(State(shared): State<Arc<Shared>>, Path(id): Path<String>, OwnForm(form): OwnForm) -> Response {
    match shared.with(|state| act(state, &id, &form)) {
        Ok(Some(url)) => see_other(&url),
        Ok(None) => render(&shared, &id, &form, None),
        Err(error) => render(&shared, &id, &form, Some(&error)),
    }
}

/// Does what the form says; answers where to go next, or nothing to show the page again.
fn act(state: &mut state::State, id: &str, form: &Form) -> Result<Option<String>, ApiError> {
    if let Some(code) = form.filled("promotion_code") {
        checkout::apply_promotion(state, id, code.trim())?;
    }
    match form.text("action").unwrap_or("pay") {
        "apply" => return Ok(None),
        "pay" => {}
        other => return Err(ApiError::invalid(format!("`{other}` is not an action: use `pay` or `apply`."))),
    }
    let session = state.sessions.get(id).ok_or_else(|| ApiError::not_found("checkout.session", id, "session"))?;
    let (is_free, success_url) = (is_free(session), landing(session));
    let method = match form.filled("method").unwrap_or("card") {
        "bank_debit" if takes_debit(session) => Method::BankDebit,
        "bank_debit" => return Err(ApiError::invalid("This session does not take bank debits. Pay by card.")),
        // Nothing is to be paid, so no card is asked for; the method does not matter.
        "card" if is_free => Method::BankDebit,
        "card" => {
            let field = |name| form.text(name).unwrap_or_default();
            Method::Card(Card::read(field("card"), field("exp"), field("cvc"), state.own_time())?)
        }
        other => return Err(ApiError::invalid(format!("`{other}` is not a method: use `card` or `bank_debit`."))),
    };
    let typed = |name| form.filled(name).map(|value: &str| value.trim().to_owned());
    let has_authenticated = form.flag("authenticated") == Some(true);
    let payer = Payer { email: typed("email"), name: typed("name"), has_authenticated };
    checkout::pay(state, id, &payer, &method)?;
    Ok(Some(success_url))
}

fn is_free(session: &Session) -> bool {
    !checkout::needs_card(session)
}

fn takes_debit(session: &Session) -> bool {
    let types = session.object["payment_method_types"].as_array();
    session.object["mode"] == "payment" && types.is_some_and(|types| types.iter().any(|kind| kind == "us_bank_account"))
}

/// The success URL with the session's id in it, as it goes into a header.
fn landing(session: &Session) -> String {
    let url = text(&session.object, "success_url").replace("{CHECKOUT_SESSION_ID}", text(&session.object, "id"));
    url::Url::parse(&url).map(String::from).unwrap_or_default()
}

fn render(shared: &Shared, id: &str, form: &Form, error: Option<&ApiError>) -> Response {
    let Some(session) = shared.with(|state| state.sessions.get(id).cloned()) else {
        return refused(&ApiError::invalid("There is no such checkout page. Start again from the shop.").status(404));
    };
    let status = error.map_or(200, |error| error.status);
    // Chromium holds the redirect after a form against `form-action` too, so the shop's origin must be in it.
    let shop = url::Url::parse(&landing(&session)).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    page(status, &described(&session, form, error), &format!("'self' {shop}"))
}

fn described(session: &Session, form: &Form, error: Option<&ApiError>) -> Page {
    let object = &session.object;
    let currency = text(object, "currency");
    let off = integer(&object["total_details"], "amount_discount");
    let email = form.text("email").or_else(|| object["customer_details"]["email"].as_str());
    let code = form.text("promotion_code").filter(|_| off == 0);
    Page {
        id: text(object, "id").to_owned(),
        status: text(object, "status").to_owned(),
        lines: session.items.iter().map(|item| line(item, currency)).collect(),
        subtotal: money(integer(object, "amount_subtotal"), currency),
        discount: (off > 0).then(|| money(-off, currency)),
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
        success_url: landing(session),
        problem: error.filter(|_| session.is_open()).map(|error| error.message().to_owned()),
    }
}

fn line(item: &serde_json::Value, currency: &str) -> Line {
    let recurring = &item["price"]["recurring"];
    let rhythm = match (integer(recurring, "interval_count"), text(recurring, "interval")) {
        (_, "") => String::new(),
        (1, interval) => format!("every {interval}"),
        (count, interval) => format!("every {count} {interval}s"),
    };
    Line {
        name: text(item, "description").to_owned(),
        quantity: integer(item, "quantity"),
        amount: money(integer(item, "amount_subtotal"), currency),
        rhythm,
    }
}
