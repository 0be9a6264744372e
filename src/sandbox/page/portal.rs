//! The portal page, `/p/session/{secret}`, in place of Stripe's customer portal.
//!
//! `POST` takes a plain form and answers `303` to the page:
//!
//! | `action` | further fields | what it does |
//! | --- | --- | --- |
//! | `change` | `subscription`, `price` | changes the plan, prorated as the configuration says, or at the end of the period (`subscription_schedule`) if a condition of its `schedule_at_period_end` holds |
//! | `cancel` | `subscription` | cancels at the end of the period (`cancel_at`), or at once if the configuration says so |
//! | `resume` | `subscription` | undoes that |
//! | `keep` | `subscription` | undoes a change that waits for the end of the period |
//! | `card` | `card`, `exp`, `cvc` | changes the card of all subscriptions |
//! | `pay` | `invoice` | pays an open invoice |

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::{SameSiteForm, error_page, page, see_other};
use crate::sandbox::amount::money;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::calendar::{day_in_words, next_after};
use crate::sandbox::billing::change::{self, ItemChange, Proration, SubscriptionChange};
use crate::sandbox::billing::price::unit_in;
use crate::sandbox::billing::{customer, cycle, schedule, subscription};
use crate::sandbox::card::Card;
use crate::sandbox::collect::attempt::Presence;
use crate::sandbox::collect::payment_method;
use crate::sandbox::form::RequestForm;
use crate::sandbox::model::subscription::StoredSubscription;
use crate::sandbox::shape::{integer, text};
use crate::sandbox::shared::Shared;
use crate::sandbox::state::State as Store;

const ROWS_LIMIT: usize = 20;

#[derive(Template)]
#[template(path = "sandbox/portal.html")]
struct PortalPage {
    secret: String,
    who: String,
    return_url: String,
    card: String,
    can_cancel: bool,
    can_change: bool,
    can_change_card: bool,
    plans: Vec<SubscriptionRow>,
    invoices: Vec<InvoiceRow>,
    problem: Option<String>,
}

struct SubscriptionRow {
    id: String,
    name: String,
    cost: String,
    status: String,
    ends: String,
    until: String,
    is_ending: bool,
    /// What it changes to at the end of the period.
    next: Option<String>,
    choices: Vec<PriceChoice>,
}

struct PriceChoice {
    price: String,
    words: String,
}

struct InvoiceRow {
    id: String,
    at: String,
    amount: String,
    status: String,
    is_open: bool,
}

/// `GET /p/session/{secret}`.
pub async fn show(State(shared): State<Arc<Shared>>, Path(secret): Path<String>) -> Response {
    render(&shared, &secret, None)
}

/// `POST /p/session/{secret}`.
pub async fn submit(
    State(shared): State<Arc<Shared>>,
    Path(secret): Path<String>,
    SameSiteForm(form): SameSiteForm,
) -> Response {
    match shared.with(|state| act(state, &secret, &form)) {
        Ok(()) => see_other(&format!("/p/session/{secret}")),
        Err(error) => render(&shared, &secret, Some(&error)),
    }
}

fn no_such_page() -> ApiError {
    ApiError::invalid("There is no such portal page. Open it from the shop again.").status(404)
}

fn act(state: &mut Store, secret: &str, form: &RequestForm) -> Result<(), ApiError> {
    let session = state.portal_sessions.get(secret).cloned().ok_or_else(no_such_page)?;
    let customer = text(&session, "customer").to_owned();
    let features = state
        .portal_configurations
        .get(text(&session, "configuration"))
        .map(|row| row["features"].clone())
        .unwrap_or_default();
    state.follow_clock_of(&customer);
    match form.text("action").unwrap_or_default() {
        "change" => {
            let row = own_subscription(state, &customer, form, &features["subscription_update"])?;
            change_plan(state, &row, form, &features)
        }
        "cancel" => {
            let row = own_subscription(state, &customer, form, &features["subscription_cancel"])?;
            cancel(state, &row, &features["subscription_cancel"]);
            Ok(())
        }
        "resume" => {
            let row = own_subscription(state, &customer, form, &features["subscription_cancel"])?;
            let fields = json!({
                "cancel_at": null, "cancel_at_period_end": false, "canceled_at": null,
                "cancellation_details": row.cancellation_details(None),
            });
            subscription::update(state, text(&row.object, "id"), fields);
            Ok(())
        }
        "keep" => {
            let row = own_subscription(state, &customer, form, &features["subscription_update"])?;
            subscription::release_schedule(state, text(&row.object, "id"));
            Ok(())
        }
        "card" if features["payment_method_update"]["enabled"] == true => change_card(state, &customer, form),
        "pay" => {
            let invoice = form.text("invoice").unwrap_or_default();
            if state.invoices.get(invoice).is_none_or(|row| row.object["customer"] != customer.as_str()) {
                return Err(ApiError::no_such("invoice", invoice, "invoice"));
            }
            cycle::pay(state, invoice, None, Presence::Authenticated)
        }
        other => Err(ApiError::invalid(format!("`{other}` is not an action that this page allows."))),
    }
}

/// The customer's subscription that the form names, if the feature is allowed.
fn own_subscription(
    state: &Store,
    customer: &str,
    form: &RequestForm,
    feature: &Value,
) -> Result<StoredSubscription, ApiError> {
    let id = form.text("subscription").unwrap_or_default();
    if feature["enabled"] != true {
        return Err(ApiError::invalid("The shop does not allow this here. Ask the shop to do it."));
    }
    let row = state.subscriptions.get(id).filter(|row| row.is_running_for(customer)).cloned();
    row.ok_or_else(|| ApiError::no_such("subscription", id, "subscription"))
}

fn change_plan(
    state: &mut Store,
    row: &StoredSubscription,
    form: &RequestForm,
    features: &Value,
) -> Result<(), ApiError> {
    let wanted = form.text("price").unwrap_or_default();
    let Some(price) = choices(state, row, features).into_iter().find(|price| price["id"] == wanted) else {
        return Err(ApiError::invalid("This plan is not offered here. Choose one that the page shows.").param("price"));
    };
    let Some(item) = row.items().first() else { return Err(ApiError::invalid("This subscription has no plan.")) };
    let id = text(&row.object, "id");
    if waits(state, row, item, &price, &features["subscription_update"]) {
        let mut next = item.clone();
        next["price"] = price;
        subscription::schedule_items(state, id, &[next]);
        return Ok(());
    }
    subscription::release_schedule(state, id);
    let wanted = SubscriptionChange {
        items: vec![ItemChange { id: Some(text(item, "id").to_owned()), price: Some(price), ..ItemChange::default() }],
        proration: Proration::read(features["subscription_update"]["proration_behavior"].as_str()),
        at: None,
        requires_payment: true,
        restarts_period: false,
        fields: json!({}),
    };
    change::apply(state, id, wanted)
}

/// Whether the configuration puts this change to the end of the period. During a trial nothing is paid for, so a change
/// is made at once.
fn waits(state: &Store, row: &StoredSubscription, item: &Value, price: &Value, feature: &Value) -> bool {
    let currency = text(&row.object, "currency");
    let amount = |price: &Value| unit_in(state, price, currency).unwrap_or_default();
    let length = |price: &Value| next_after(0, &price["recurring"], 0);
    let conditions = feature["schedule_at_period_end"]["conditions"].as_array();
    let holds = |condition: &Value| match text(condition, "type") {
        "decreasing_item_amount" => amount(price) < amount(&item["price"]),
        "shortening_interval" => length(price) < length(&item["price"]),
        _ => false,
    };
    row.status() != "trialing" && conditions.is_some_and(|all| all.iter().any(holds))
}

fn cancel(state: &mut Store, row: &StoredSubscription, feature: &Value) {
    let id = text(&row.object, "id");
    subscription::release_schedule(state, id);
    if feature["mode"] == "immediately" {
        let proration = Proration::read(feature["proration_behavior"].as_str());
        return change::cancel(state, id, proration != Proration::None, proration == Proration::AtOnce);
    }
    // As at Stripe in flexible billing mode, the portal sets the time and leaves `cancel_at_period_end` as it is.
    let details = row.cancellation_details(Some("cancellation_requested"));
    let fields = json!({ "cancel_at": row.period().1, "canceled_at": state.now(), "cancellation_details": details });
    subscription::update(state, id, fields);
}

fn change_card(state: &mut Store, customer: &str, form: &RequestForm) -> Result<(), ApiError> {
    let field = |name| form.text(name).unwrap_or_default();
    let card = Card::read(field("card"), field("exp"), field("cvc"), state.own_time())?;
    let method = payment_method::add_card(state, &card);
    let method = payment_method::attach(state, &method, customer)?;
    customer::prefer_method(state, customer, &method);
    let ids: Vec<String> = subscriptions_of(state, customer).map(|row| text(&row.object, "id").to_owned()).collect();
    for id in ids {
        subscription::update(state, &id, json!({ "default_payment_method": method["id"] }));
    }
    Ok(())
}

fn subscriptions_of<'s>(state: &'s Store, customer: &'s str) -> impl Iterator<Item = &'s StoredSubscription> {
    state.subscriptions.newest().filter(move |row| row.is_running_for(customer))
}

/// The prices that a subscription can change to: those of the configuration, or all if it names none.
fn choices(state: &Store, row: &StoredSubscription, features: &Value) -> Vec<Value> {
    let products = features["subscription_update"]["products"].as_array().filter(|rows| !rows.is_empty());
    let is_offered = |price: &Value| match products {
        Some(products) => {
            products.iter().any(|row| row["prices"].as_array().is_some_and(|prices| prices.contains(&price["id"])))
        }
        None => true,
    };
    let current = row.items().first().map(|item| item["price"]["id"].clone()).unwrap_or_default();
    let is_choice = |price: &&Value| {
        price["active"] == true
            && !price["recurring"].is_null()
            && unit_in(state, price, text(&row.object, "currency")).is_some()
            && price["id"] != current
            && is_offered(price)
    };
    state.prices.oldest().filter(is_choice).take(ROWS_LIMIT).cloned().collect()
}

fn render(shared: &Shared, secret: &str, error: Option<&ApiError>) -> Response {
    let Some(view) = shared.with(|state| build(state, secret, error)) else { return error_page(&no_such_page()) };
    page(error.map_or(200, |error| error.status), &view, "'self'")
}

fn build(state: &mut Store, secret: &str, error: Option<&ApiError>) -> Option<PortalPage> {
    let session = state.portal_sessions.get(secret)?.clone();
    let id = text(&session, "customer");
    let customer = state.customers.get(id)?.clone();
    let features = state.portal_configurations.get(text(&session, "configuration"))?["features"].clone();
    let rows: Vec<&StoredSubscription> = subscriptions_of(state, id).take(ROWS_LIMIT).collect();
    let method = rows.first().map_or(&customer, |row| &row.object);
    let method = subscription::payment_method(state, method).or_else(|| subscription::payment_method(state, &customer));
    let preferred = customer["invoice_settings"]["default_payment_method"].as_str().map(str::to_owned);
    let card = method.or(preferred).and_then(|id| state.payment_methods.get(&id));
    let is_its = |invoice: &&Value| invoice["customer"] == id && invoice["status"] != "draft";
    let invoices = state.invoices.newest().map(|row| &row.object).filter(is_its).take(ROWS_LIMIT);
    Some(PortalPage {
        secret: secret.to_owned(),
        who: customer["email"].as_str().or(customer["name"].as_str()).unwrap_or(id).to_owned(),
        return_url: text(&session, "return_url").to_owned(),
        card: card.map(|card| text(&card["card"], "last4").to_owned()).unwrap_or_default(),
        can_cancel: features["subscription_cancel"]["enabled"] == true,
        can_change: features["subscription_update"]["enabled"] == true,
        can_change_card: features["payment_method_update"]["enabled"] == true,
        plans: rows.iter().map(|row| plan(state, row, &features)).collect(),
        invoices: invoices.map(invoice_row).collect(),
        problem: error.map(|error| error.message().to_owned()),
    })
}

fn plan(state: &Store, row: &StoredSubscription, features: &Value) -> SubscriptionRow {
    let price = row.items().first().map(|item| item["price"].clone()).unwrap_or_default();
    let currency = text(&row.object, "currency");
    let choice = |price: Value| PriceChoice {
        words: format!("{}, {}", name(state, &price), cost(state, &price, currency)),
        price: text(&price, "id").to_owned(),
    };
    SubscriptionRow {
        id: text(&row.object, "id").to_owned(),
        name: name(state, &price),
        cost: cost(state, &price, currency),
        status: row.status().replace('_', " "),
        ends: row.object["cancel_at"].as_i64().map(day_in_words).unwrap_or_default(),
        until: day_in_words(row.period().1),
        is_ending: row.object["cancel_at"].is_i64(),
        next: schedule::items_from(state, row, row.period().1)
            .and_then(|items| Some(name(state, &items.first()?["price"]))),
        choices: choices(state, row, features).into_iter().map(choice).collect(),
    }
}

fn name(state: &Store, price: &Value) -> String {
    state.products.get(text(price, "product")).map(|product| text(product, "name").to_owned()).unwrap_or_default()
}

fn cost(state: &Store, price: &Value, currency: &str) -> String {
    let amount = money(unit_in(state, price, currency).unwrap_or_default(), currency);
    format!("{amount} a {}", text(&price["recurring"], "interval"))
}

fn invoice_row(invoice: &Value) -> InvoiceRow {
    InvoiceRow {
        id: text(invoice, "id").to_owned(),
        at: day_in_words(integer(invoice, "created")),
        amount: money(integer(invoice, "total"), text(invoice, "currency")),
        status: text(invoice, "status").to_owned(),
        is_open: invoice["status"] == "open",
    }
}
