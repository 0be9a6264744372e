//! `subscription`: starting one through the API, asking about them, ending one. Changing one is `subscription_update`;
//! what happens in its life is `billing`.

use serde_json::{Value, json};

use super::subscription_update;
use super::{change, customers, metadata, payment_methods, texts};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::billing::lifecycle::{self, FirstPayment, Start};
use crate::sandbox::billing::outcome;
use crate::sandbox::billing::{modify, subscription};
use crate::sandbox::collect::Presence;
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, boolean, integer, map, name_of, one_of, text};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::shape::{self, integer as number};

const DAY: i64 = 24 * 60 * 60;
const ITEMS_LIMIT: usize = 20;

/// What starting and changing a subscription both take.
pub const FIELDS: &[Rule] = &[
    text("items.#.price"),
    integer("items.#.quantity"),
    map("items.#.metadata"),
    text("default_payment_method"),
    boolean("cancel_at_period_end"),
    one_of("collection_method", &["charge_automatically"]),
    text("discounts.#.coupon"),
    text("discounts.#.promotion_code"),
    map("metadata"),
    boolean("off_session"),
    one_of("payment_behavior", &["allow_incomplete", "default_incomplete", "error_if_incomplete"]),
    one_of("payment_settings.save_default_payment_method", &["off", "on_subscription"]),
    one_of("proration_behavior", &["always_invoice", "create_prorations", "none"]),
    text("trial_end"),
    one_of("trial_settings.end_behavior.missing_payment_method", &["cancel", "create_invoice", "pause"]),
];
const NEW: &[Rule] = &[
    text("customer").required(),
    text("description"),
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
/// What Stripe takes as well.
pub const NOT_BUILT: &[&str] = &[
    "add_invoice_items",
    "application_fee_percent",
    "automatic_tax",
    "backdate_start_date",
    "billing_cycle_anchor",
    "billing_cycle_anchor_config",
    "billing_mode",
    "billing_schedules",
    "billing_thresholds",
    "current_period_end",
    "current_period_start",
    "customer_account",
    "days_until_due",
    "default_source",
    "default_tax_rates",
    "invoice_settings",
    "items.#.billing_thresholds",
    "items.#.clear_usage",
    "items.#.discounts",
    "items.#.price_data",
    "items.#.tax_rates",
    "on_behalf_of",
    "payment_settings",
    "pending_invoice_item_interval",
    "transfer_data",
    "trial_from_plan",
];

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/v1/subscriptions", rules: &[FIELDS, NEW], not_built: NOT_BUILT, handler: create },
    Route { method: "GET", path: "/v1/subscriptions", rules: &[LIST, FILTERS], not_built: NOT_BUILT, handler: list },
    Route { method: "GET", path: "/v1/subscriptions/{}", rules: &[], not_built: &[], handler: retrieve },
    Route {
        method: "POST",
        path: "/v1/subscriptions/{}",
        rules: &[FIELDS, subscription_update::MORE],
        not_built: NOT_BUILT,
        handler: subscription_update::update,
    },
    Route {
        method: "DELETE",
        path: "/v1/subscriptions/{}",
        rules: &[&[
            boolean("prorate"),
            boolean("invoice_now"),
            text("cancellation_details.comment"),
            text("cancellation_details.feedback"),
        ]],
        not_built: &[],
        handler: cancel,
    },
    Route {
        method: "POST",
        path: "/v1/subscriptions/{}/resume",
        rules: &[&[
            one_of("billing_cycle_anchor", &["now"]),
            one_of("proration_behavior", &["always_invoice", "create_prorations", "none"]),
        ]],
        not_built: &["proration_date"],
        handler: resume,
    },
    Route {
        method: "GET",
        path: "/v1/customers/{}/subscriptions",
        rules: &[LIST],
        not_built: &[],
        handler: of_customer,
    },
];

/// The price that a parameter names, which must be recurring and for sale.
pub fn price_at(call: &Call<'_>, param: &str) -> Result<Option<Value>, Refusal> {
    let Some(id) = call.form.text(param) else { return Ok(None) };
    let price = call.state.prices.get(id).ok_or_else(|| Refusal::no_such("price", id, name_of(param)))?;
    if price["recurring"].is_null() {
        let message = format!(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`. ({id})"
        );
        return Err(Refusal::invalid(message).param(name_of(param)));
    }
    if price["active"] != true {
        let message = format!("The price specified is inactive. This field only accepts active prices. ({id})");
        return Err(Refusal::invalid(message).param(name_of(param)));
    }
    Ok(Some(price.clone()))
}

/// The coupon of `discounts[0]`, and the promotion code that gave it.
pub fn coupon(call: &Call<'_>) -> Result<Option<(Value, Value)>, Refusal> {
    let (coupon, discounts) = super::checkout_create::discount(call)?;
    Ok(coupon.map(|coupon| (coupon, discounts[0]["promotion_code"].clone())))
}

/// The payment method that the request names, attached to the customer.
pub fn method(call: &mut Call<'_>, customer: &str) -> Result<Option<Value>, Refusal> {
    const PARAM: &str = "default_payment_method";
    let Some(id) = call.form.filled(PARAM).map(str::to_owned) else { return Ok(None) };
    let method = payment_methods::named(call.state, &id, PARAM)?;
    if method["customer"].is_null() && crate::sandbox::card::Card::named(&id).is_some() {
        return payment_methods::attach(call.state, &method, customer).map(Some);
    }
    if method["customer"] != customer {
        let message = format!("The customer does not have a payment method with the ID {id}.");
        return Err(Refusal::invalid(message).code("resource_missing").param(PARAM));
    }
    Ok(Some(method))
}

fn create(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let customer = call.form.text("customer").unwrap_or_default().to_owned();
    if !customers::is_live(call.state, &customer) {
        return Err(Refusal::no_such("customer", &customer, "customer"));
    }
    call.state.live_by(&customer);
    let items = items(call)?;
    let coupon = coupon(call)?;
    let trial_end = trial_end(call)?;
    let method = method(call, &customer)?;
    let form = &call.form;
    let payment = match form.text("payment_behavior") {
        Some("default_incomplete") => FirstPayment::Later,
        Some("error_if_incomplete") => FirstPayment::OrNothing,
        _ => FirstPayment::Allowed,
    };
    let mut fields = texts(form, &["description"]);
    let more = json!({
        "metadata": metadata(&json!({}), form, "metadata"), "default_payment_method": method.map(|mut row| row["id"].take()),
        "cancel_at_period_end": form.flag("cancel_at_period_end").unwrap_or(false), "cancel_at": form.integer("cancel_at"),
    });
    change(&mut fields, more);
    if let Some(word) = form.text("trial_settings.end_behavior.missing_payment_method") {
        fields["trial_settings"] = json!({ "end_behavior": { "missing_payment_method": word } });
    }
    let wish = Start {
        presence: if form.flag("off_session") == Some(true) { Presence::Away } else { Presence::Present },
        customer,
        items,
        purchases: Vec::new(),
        trial_end,
        coupon,
        payment,
        fields,
    };
    if payment == FirstPayment::Allowed && wish.trial_end.is_none() {
        check_method(call, &wish)?;
    }
    let id = lifecycle::start(call.state, wish)?;
    found(call, &id).map(|row| row.object)
}

fn check_method(call: &Call<'_>, wish: &Start) -> Result<(), Refusal> {
    let object = json!({
        "customer": wish.customer, "default_payment_method": wish.fields["default_payment_method"],
    });
    let costs = wish.items.iter().any(|(price, quantity, _)| number(price, "unit_amount") * quantity > 0);
    let is_free = wish.coupon.as_ref().is_some_and(|(coupon, _)| coupon["percent_off"] == 100);
    if costs && !is_free && subscription::payment_method(call.state, &object).is_none() {
        let message = "This customer has no attached payment source or default payment method. Please consider adding a \
                       default payment method.";
        return Err(Refusal::invalid(message).code("resource_missing"));
    }
    Ok(())
}

fn items(call: &Call<'_>) -> Result<Vec<(Value, i64, Value)>, Refusal> {
    let paths = call.form.items("items");
    if paths.is_empty() {
        return Err(Refusal::missing("items"));
    }
    if paths.len() > ITEMS_LIMIT {
        let message = format!("A subscription can have at most {ITEMS_LIMIT} items.");
        return Err(Refusal::invalid(message).param("items"));
    }
    let mut items = Vec::new();
    for path in paths {
        let param = format!("{path}.price");
        let price = price_at(call, &param)?.ok_or_else(|| Refusal::missing(&name_of(&param)))?;
        let quantity = quantity_at(call, &path)?.unwrap_or(1);
        let metadata = metadata(&json!({}), &call.form, &format!("{path}.metadata"));
        items.push((price, quantity, metadata));
    }
    let (first, ..) = &items[0];
    if items.iter().any(|(price, ..)| price["currency"] != first["currency"]) {
        return Err(Refusal::invalid("All prices on a subscription must have the same currency.").param("items"));
    }
    if items.iter().any(|(price, ..)| price["recurring"] != first["recurring"]) {
        return Err(Refusal::not_built("subscriptions whose items have different intervals"));
    }
    Ok(items)
}

/// The quantity of an item in the request.
pub fn quantity_at(call: &Call<'_>, path: &str) -> Result<Option<i64>, Refusal> {
    let param = format!("{path}.quantity");
    match call.form.integer(&param) {
        Some(quantity) if !(0..=999_999).contains(&quantity) => {
            let message = "Invalid integer: a quantity must be from 0 to 999999.";
            Err(Refusal::invalid(message).code("parameter_invalid_integer").param(name_of(&param)))
        }
        quantity => Ok(quantity),
    }
}

fn trial_end(call: &Call<'_>) -> Result<Option<i64>, Refusal> {
    let now = call.state.now();
    if let Some(days) = call.form.integer("trial_period_days") {
        if !(0..=730).contains(&days) {
            let message = "Invalid trial_period_days: a trial has at most 730 days.";
            return Err(Refusal::invalid(message).param("trial_period_days"));
        }
        return Ok((days > 0).then_some(now + days * DAY));
    }
    match call.form.filled("trial_end") {
        None | Some("now") => Ok(None),
        Some(text) => match text.parse::<i64>() {
            Ok(at) if (now..=now + 2 * 366 * DAY).contains(&at) => Ok(Some(at).filter(|at| *at > now)),
            _ => {
                let message = "Invalid timestamp: a trial's end is in the future, and at most two years away.";
                Err(Refusal::invalid(message).param("trial_end"))
            }
        },
    }
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let form = &call.form;
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
            && ["customer", "test_clock", "collection_method"].iter().all(|field| matches(form, row, field))
            && form.filled("price").is_none_or(has_price)
    };
    page(form, "/v1/subscriptions", call.state.subscriptions.newest().map(|row| &row.object).filter(wanted))
}

fn of_customer(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let id = call.id();
    let rows = call.state.subscriptions.newest().filter(|row| row.customer() == id && row.status() != "canceled");
    page(&call.form, &format!("/v1/customers/{id}/subscriptions"), rows.map(|row| &row.object))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    found(call, call.id()).map(|row| row.object)
}

/// A subscription by its id.
pub fn found(call: &Call<'_>, id: &str) -> Result<subscription::Subscription, Refusal> {
    call.state.subscriptions.get(id).cloned().ok_or_else(|| Refusal::not_found("subscription", id, "id"))
}

fn cancel(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let row = found(call, call.id())?;
    if row.has_ended() {
        return Err(Refusal::not_found("subscription", call.id(), "id"));
    }
    let id = call.id().to_owned();
    call.state.live_by(row.customer());
    if let Some(row) = call.state.subscriptions.get_mut(&id) {
        for field in ["comment", "feedback"] {
            if let Some(words) = call.form.text(&format!("cancellation_details.{field}")) {
                row.object["cancellation_details"][field] = json!(words);
            }
        }
    }
    if call.form.flag("prorate") == Some(true) && row.status() != "trialing" {
        modify::credit_rest(call.state, &id);
    }
    if call.form.flag("invoice_now") == Some(true) {
        modify::invoice_waiting(call.state, &id);
    }
    outcome::cancel(call.state, &id, "cancellation_requested");
    found(call, &id).map(|row| row.object)
}

fn resume(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let row = found(call, call.id())?;
    if row.status() != "paused" {
        let message = format!("You can only resume subscriptions with status `paused`, not `{}`.", row.status());
        return Err(Refusal::invalid(message));
    }
    let id = call.id().to_owned();
    call.state.live_by(row.customer());
    lifecycle::resume(call.state, &id);
    found(call, &id).map(|row| row.object)
}
