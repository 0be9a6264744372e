//! `subscription`: starting, reading, canceling, resuming. Changing one is in `subscription_update`; what happens later
//! is in `billing`.

use serde_json::{Value, json};

use super::subscription_params::{FIELDS, KEPT, NOT_BUILT, automatic_tax, default_method, find, price_at, quantity_at};
use super::{discounts, subscription_update};
use crate::clock::DAY_SECONDS;
use crate::sandbox::amount::checked_currency;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::customer;
use crate::sandbox::billing::start::{self, FirstPayment, SubscriptionRequest};
use crate::sandbox::billing::{change, price, subscription};
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::collect::attempt::Presence;
use crate::sandbox::fields::{kept, metadata};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, boolean, integer, name_of, one_of, text};
use crate::sandbox::shape::{self, change, integer as number};

const ITEMS_LIMIT: usize = 20;

const NEW: &[Rule] = &[
    text("customer").required(),
    integer("trial_period_days"),
    integer("cancel_at"),
    one_of("billing_mode.type", &["flexible"]),
    text("currency"),
];
const FILTERS: &[Rule] = &[
    text("customer"),
    text("price"),
    text("test_clock"),
    one_of("collection_method", &["charge_automatically", "send_invoice"]),
    one_of(
        "status",
        &[
            "active",
            "all",
            "canceled",
            "ended",
            "incomplete",
            "incomplete_expired",
            "past_due",
            "paused",
            "trialing",
            "unpaid",
        ],
    ),
];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/subscriptions", create).takes(&[FIELDS, KEPT, NEW]).not_built(NOT_BUILT),
    Route::get("/v1/subscriptions", list).takes(&[LIST, FILTERS]).not_built(NOT_BUILT),
    Route::get("/v1/subscriptions/{}", retrieve),
    Route::post("/v1/subscriptions/{}", subscription_update::update)
        .takes(&[FIELDS, KEPT, subscription_update::MORE])
        .not_built(NOT_BUILT),
    Route::delete("/v1/subscriptions/{}", cancel).takes(&[&[
        boolean("prorate"),
        boolean("invoice_now"),
        text("cancellation_details.comment"),
        text("cancellation_details.feedback"),
    ]]),
    Route::post("/v1/subscriptions/{}/resume", resume)
        .takes(&[&[
            one_of("billing_cycle_anchor", &["now"]),
            one_of("proration_behavior", &["always_invoice", "create_prorations", "none"]),
        ]])
        .not_built(&["proration_date"]),
    Route::get("/v1/customers/{}/subscriptions", of_customer).takes(&[LIST]),
];

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let customer = call.form.text("customer").unwrap_or_default().to_owned();
    customer::check_live(call.state, &customer)?;
    call.state.follow_clock_of(&customer);
    let items = items(call)?;
    let currency = currency(call, &customer, &items)?;
    let coupon = discounts::coupon(call)?;
    let trial_end = trial_end(call)?;
    let method = default_method(call, &customer)?;
    let form = &call.form;
    let payment = match form.text("payment_behavior") {
        Some("default_incomplete") => FirstPayment::Later,
        Some("error_if_incomplete") => FirstPayment::OrNothing,
        _ => FirstPayment::Allowed,
    };
    let mut fields = kept(&shape::filled(shape::SUBSCRIPTION, Value::Null), form, KEPT);
    if let Some(enabled) = form.flag("automatic_tax.enabled") {
        fields["automatic_tax"] = automatic_tax(enabled);
    }
    let more = json!({
        "metadata": metadata(form, "metadata"), "default_payment_method": method.map(|mut row| row["id"].take()),
        "cancel_at_period_end": form.flag("cancel_at_period_end").unwrap_or(false), "cancel_at": form.integer("cancel_at"),
    });
    change(&mut fields, more);
    if let Some(word) = form.text("trial_settings.end_behavior.missing_payment_method") {
        fields["trial_settings"] = json!({ "end_behavior": { "missing_payment_method": word } });
    }
    let request = SubscriptionRequest {
        presence: if form.flag("off_session") == Some(true) { Presence::Away } else { Presence::Present },
        customer,
        currency,
        items,
        purchases: Vec::new(),
        trial_end,
        coupon,
        payment,
        fields,
    };
    if payment == FirstPayment::Allowed && request.trial_end.is_none() {
        check_method(call, &request)?;
    }
    let id = start::start(call.state, request)?;
    find(call, &id).map(|row| row.object)
}

fn check_method(call: &ApiCall<'_>, request: &SubscriptionRequest) -> Result<(), ApiError> {
    let object = json!({
        "customer": request.customer, "default_payment_method": request.fields["default_payment_method"],
    });
    let costs = request.items.iter().any(|(price, quantity, _)| number(price, "unit_amount") * quantity > 0);
    let is_free = request.coupon.as_ref().is_some_and(|(coupon, _)| coupon["percent_off"] == 100);
    if costs && !is_free && subscription::payment_method(call.state, &object).is_none() {
        let message = "This customer has no attached payment source or default payment method. Please consider adding a \
                       default payment method.";
        return Err(ApiError::invalid(message).code("resource_missing"));
    }
    Ok(())
}

fn items(call: &ApiCall<'_>) -> Result<Vec<(Value, i64, Value)>, ApiError> {
    let paths = call.form.items("items");
    if paths.is_empty() {
        return Err(ApiError::missing("items"));
    }
    if paths.len() > ITEMS_LIMIT {
        let message = format!("A subscription can have at most {ITEMS_LIMIT} items.");
        return Err(ApiError::invalid(message).param("items"));
    }
    let mut items = Vec::new();
    for path in paths {
        let param = format!("{path}.price");
        let price = price_at(call, &param)?.ok_or_else(|| ApiError::missing(&name_of(&param)))?;
        let quantity = quantity_at(call, &path)?.unwrap_or(1);
        let metadata = metadata(&call.form, &format!("{path}.metadata"));
        items.push((price, quantity, metadata));
    }
    let (first, ..) = &items[0];
    if items.iter().any(|(price, ..)| price["recurring"] != first["recurring"]) {
        return Err(ApiError::not_built("subscriptions whose items have different intervals"));
    }
    Ok(items)
}

/// The currency of the request, or else of the first price. Every price must be sold in it.
fn currency(call: &ApiCall<'_>, customer: &str, items: &[(Value, i64, Value)]) -> Result<String, ApiError> {
    let first = items.first().map(|(price, ..)| shape::text(price, "currency")).unwrap_or_default();
    let currency = checked_currency(call.form.text("currency").unwrap_or(first), "currency")?;
    for (place, (price, ..)) in items.iter().enumerate() {
        price::required_unit(call.state, price, &currency, &format!("items[{place}][price]"))?;
    }
    price::check_customers_currency(call.state, customer, &currency)?;
    Ok(currency)
}

fn trial_end(call: &ApiCall<'_>) -> Result<Option<i64>, ApiError> {
    let now = call.state.now();
    if let Some(days) = call.form.integer("trial_period_days") {
        if !(0..=730).contains(&days) {
            let message = "Invalid trial_period_days: a trial has at most 730 days.";
            return Err(ApiError::invalid(message).param("trial_period_days"));
        }
        return Ok((days > 0).then_some(now + days * DAY_SECONDS));
    }
    match call.form.filled("trial_end") {
        None | Some("now") => Ok(None),
        Some(text) => match text.parse::<i64>() {
            Ok(at) if (now..=now + 2 * 366 * DAY_SECONDS).contains(&at) => Ok(Some(at).filter(|at| *at > now)),
            _ => {
                let message = "Invalid timestamp: a trial's end is in the future, and at most two years away.";
                Err(ApiError::invalid(message).param("trial_end"))
            }
        },
    }
}

/// Subscriptions on test clocks are listed only if the filter names the clock or a customer. Source: Stripe, "List
/// subscriptions", `test_clock`.
fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let form = &call.form;
    let has_clocks = form.has("test_clock") || form.has("customer");
    let wanted = |row: &&Value| {
        let status = shape::text(row, "status");
        let has_status = match form.filled("status") {
            Some("all") => true,
            Some("ended") => matches!(status, "canceled" | "incomplete_expired"),
            Some(wanted) => status == wanted,
            None => status != "canceled",
        };
        let has_price = |price: &str| {
            row["items"]["data"].as_array().is_some_and(|items| items.iter().any(|item| item["price"]["id"] == price))
        };
        has_status
            && (has_clocks || row["test_clock"].is_null())
            && ["customer", "test_clock", "collection_method"].iter().all(|field| matches(form, row, field))
            && form.filled("price").is_none_or(has_price)
    };
    page(form, "/v1/subscriptions", call.state.subscriptions.newest().map(|row| &row.object).filter(wanted))
}

fn of_customer(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.id();
    let rows = call.state.subscriptions.newest().filter(|row| row.customer() == id && row.status() != "canceled");
    page(&call.form, &format!("/v1/customers/{id}/subscriptions"), rows.map(|row| &row.object))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    find(call, call.id()).map(|row| row.object)
}

fn cancel(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let row = find(call, call.id())?;
    if row.has_ended() {
        return Err(ApiError::not_found("subscription", call.id(), "id"));
    }
    let id = call.id().to_owned();
    call.state.follow_clock_of(row.customer());
    if let Some(row) = call.state.subscriptions.get_mut(&id) {
        for field in ["comment", "feedback"] {
            if let Some(words) = call.form.text(&format!("cancellation_details.{field}")) {
                row.object["cancellation_details"][field] = json!(words);
            }
        }
    }
    let credits_rest = call.form.flag("prorate") == Some(true) && row.status() != "trialing";
    let invoices_now = call.form.flag("invoice_now") == Some(true);
    change::cancel(call.state, &id, credits_rest, invoices_now);
    find(call, &id).map(|row| row.object)
}

fn resume(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let row = find(call, call.id())?;
    if row.status() != "paused" {
        let message = format!("You can only resume subscriptions with status `paused`, not `{}`.", row.status());
        return Err(ApiError::invalid(message));
    }
    let id = call.id().to_owned();
    call.state.follow_clock_of(row.customer());
    start::resume(call.state, &id);
    find(call, &id).map(|row| row.object)
}
