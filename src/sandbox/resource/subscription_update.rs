//! Changing a `subscription` through the API. Source: Stripe, "Update a subscription".

use serde_json::{Value, json};

use super::discounts;
use super::subscription_params::{KEPT, automatic_tax, default_method, find, price_at, quantity_at};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::change::{self as billing_change, ItemChange, Proration, SubscriptionChange};
use crate::sandbox::billing::{discount, start, subscription};
use crate::sandbox::call::ApiCall;
use crate::sandbox::fields::{kept, merged_metadata, metadata};
use crate::sandbox::model::subscription::StoredSubscription;
use crate::sandbox::params::{Rule, boolean, clearable, integer, one_of, text};
use crate::sandbox::shape::change;

/// Parameters in addition to those of `subscription_params`.
pub const MORE: &[Rule] = &[
    text("items.#.id"),
    boolean("items.#.deleted"),
    clearable("cancel_at"),
    one_of("billing_cycle_anchor", &["now", "unchanged"]),
    integer("proration_date"),
    clearable("pause_collection"),
    one_of("pause_collection.behavior", &["keep_as_draft", "mark_uncollectible", "void"]),
    integer("pause_collection.resumes_at"),
    text("cancellation_details.comment"),
    text("cancellation_details.feedback"),
];

/// `POST /v1/subscriptions/{id}`.
pub fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let row = find(call, call.id())?;
    if row.has_ended() {
        return annotate(call, &row);
    }
    let id = call.id().to_owned();
    call.state.follow_clock_of(row.customer());
    let items = item_changes(call, "items")?;
    let mut fields = fields(call, &row)?;
    if let Some(method) = default_method(call, row.customer())? {
        fields["default_payment_method"] = method["id"].clone();
    }
    if call.form.has("discounts") {
        change_discount(call, &id)?;
    }
    let wanted = SubscriptionChange {
        items,
        proration: Proration::read(call.form.text("proration_behavior")),
        at: call.form.integer("proration_date"),
        requires_payment: call.form.text("payment_behavior") == Some("error_if_incomplete"),
        restarts_period: call.form.text("billing_cycle_anchor") == Some("now"),
        fields,
    };
    billing_change::apply(call.state, &id, wanted)?;
    if call.form.text("trial_end") == Some("now") && row.status() == "trialing" {
        start::end_trial(call.state, &id);
    }
    find(call, &id).map(|row| row.object)
}

/// Changes what Stripe lets change of a subscription that has ended.
fn annotate(call: &mut ApiCall<'_>, row: &StoredSubscription) -> Result<Value, ApiError> {
    let names = call.form.leaves().iter().filter_map(|leaf| leaf.names.first());
    if !names.into_iter().all(|name| matches!(name.as_str(), "cancellation_details" | "expand" | "metadata")) {
        let message = "A canceled subscription can only update its cancellation_details and metadata.";
        return Err(ApiError::invalid(message));
    }
    let id = call.id().to_owned();
    call.state.follow_clock_of(row.customer());
    let fields = json!({
        "cancellation_details": said_details(call, row), "metadata": merged_metadata(&row.object["metadata"], &call.form),
    });
    subscription::update(call.state, &id, fields);
    find(call, &id).map(|row| row.object)
}

/// `cancellation_details` with what the request says.
fn said_details(call: &ApiCall<'_>, row: &StoredSubscription) -> Value {
    let mut details = row.object["cancellation_details"].clone();
    for field in ["comment", "feedback"] {
        if let Some(words) = call.form.text(&format!("cancellation_details.{field}")) {
            details[field] = json!(words);
        }
    }
    details
}

/// The item changes that the request has at `path`.
pub fn item_changes(call: &ApiCall<'_>, path: &str) -> Result<Vec<ItemChange>, ApiError> {
    let change = |path: &String| {
        let has_metadata = call.form.has(&format!("{path}.metadata"));
        Ok(ItemChange {
            id: call.form.text(&format!("{path}.id")).map(str::to_owned),
            price: price_at(call, &format!("{path}.price"))?,
            quantity: quantity_at(call, path)?,
            metadata: has_metadata.then(|| metadata(&call.form, &format!("{path}.metadata"))),
            is_deleted: call.form.flag(&format!("{path}.deleted")) == Some(true),
        })
    };
    call.form.items(path).iter().map(change).collect()
}

/// Fields that end a subscription at the end of its period, or let it go on.
fn ending(row: &StoredSubscription, at_end: bool, now: i64) -> Value {
    let details = row.cancellation_details(at_end.then_some("cancellation_requested"));
    json!({
        "cancel_at_period_end": at_end, "cancel_at": at_end.then(|| row.period().1), "canceled_at": at_end.then_some(now),
        "cancellation_details": details,
    })
}

/// Sets fields, even to null.
fn set(fields: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (fields, more) {
        fields.extend(more);
    }
}

fn fields(call: &ApiCall<'_>, row: &StoredSubscription) -> Result<Value, ApiError> {
    let (form, now) = (&call.form, call.state.now());
    let mut fields = kept(&row.object, form, KEPT);
    if let Some(enabled) = form.flag("automatic_tax.enabled") {
        fields["automatic_tax"] = automatic_tax(enabled);
    }
    fields["metadata"] = merged_metadata(&row.object["metadata"], form);
    if form.has("cancellation_details") {
        fields["cancellation_details"] = said_details(call, row);
    }
    if let Some(at_end) = form.flag("cancel_at_period_end") {
        set(&mut fields, ending(row, at_end, now));
    }
    match form.text("cancel_at") {
        None => {}
        Some("") => set(&mut fields, ending(row, false, now)),
        Some(text) => {
            let at: i64 = match text {
                "max_period_end" | "min_period_end" => row.period().1,
                text => text.parse().map_err(|_| ApiError::invalid("Invalid timestamp").param("cancel_at"))?,
            };
            if at <= now {
                return Err(ApiError::invalid("Invalid timestamp: must be an integer Unix timestamp in the future")
                    .param("cancel_at"));
            }
            set(&mut fields, ending(row, true, now));
            set(&mut fields, json!({ "cancel_at": at, "cancel_at_period_end": false }));
        }
    }
    if form.text("pause_collection") == Some("") {
        fields["pause_collection"] = Value::Null;
    } else if let Some(behavior) = form.text("pause_collection.behavior") {
        let resumes_at = form.integer("pause_collection.resumes_at");
        fields["pause_collection"] = json!({ "behavior": behavior, "resumes_at": resumes_at });
    }
    if let Some(at) = form.text("trial_end").and_then(|text| text.parse::<i64>().ok()) {
        if at <= now {
            return Err(ApiError::invalid("Invalid timestamp: a trial ends in the future.").param("trial_end"));
        }
        let start = row.object["trial_start"].as_i64().unwrap_or(now);
        let more = json!({
            "trial_end": at, "trial_start": start, "status": "trialing", "billing_cycle_anchor": at,
            "items": row.items_in_period(start, at),
        });
        change(&mut fields, more);
    }
    Ok(fields)
}

fn change_discount(call: &mut ApiCall<'_>, id: &str) -> Result<(), ApiError> {
    let coupon = discounts::coupon(call)?;
    discount::set(call.state, id, coupon.as_ref());
    Ok(())
}
