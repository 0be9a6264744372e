//! `coupon`, and what it takes off. Percentages are kept as Stripe sends them and computed in hundredths of a percent.

use serde_json::{Value, json};

use super::prices::{checked_amount, checked_currency};
use super::{metadata, texts};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::list::page;
use crate::sandbox::params::{LIST, Rule, decimal, hundredths, integer, map, one_of, text};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::shape::{self, COUPON, filled};
use crate::sandbox::state::State;

const NEW: &[Rule] = &[
    text("id"),
    text("name"),
    decimal("percent_off"),
    integer("amount_off"),
    text("currency"),
    one_of("duration", &["once", "forever", "repeating"]),
    integer("duration_in_months"),
    map("metadata"),
];
const NOT_BUILT: &[&str] = &["applies_to", "currency_options", "max_redemptions", "redeem_by"];

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/v1/coupons", rules: &[NEW], not_built: NOT_BUILT, handler: create },
    Route { method: "GET", path: "/v1/coupons", rules: &[LIST], not_built: &[], handler: list },
    Route { method: "GET", path: "/v1/coupons/{}", rules: &[], not_built: &[], handler: retrieve },
    Route { method: "DELETE", path: "/v1/coupons/{}", rules: &[], not_built: &[], handler: delete },
];

/// Makes a coupon from fields of its object.
pub fn add(state: &mut State, id: Option<&str>, fields: Value) -> Value {
    let id = id.map_or_else(|| state.new_id("", 8), str::to_owned);
    let mut coupon = filled(COUPON, fields);
    coupon["id"] = json!(id);
    coupon["created"] = json!(state.now());
    state.coupons.put(&id, coupon.clone());
    state.emit("coupon.created", coupon.clone());
    coupon
}

/// What the coupon takes off these amounts, one for each, in the minor unit of `currency`. A percentage is rounded half
/// up on each amount; a fixed sum is shared out in proportion, the last amount taking the rest.
pub fn taken_off(coupon: &Value, amounts: &[i64], currency: &str) -> Vec<i64> {
    let sum: i64 = amounts.iter().sum();
    if let Some(percent) = hundredths(&coupon["percent_off"].to_string()) {
        let share = |amount: &i64| amount.saturating_mul(percent).saturating_add(5_000) / 10_000;
        return amounts.iter().map(|amount| share(amount).min(*amount)).collect();
    }
    if sum == 0 || shape::text(coupon, "currency") != currency {
        return vec![0; amounts.len()];
    }
    let total = shape::integer(coupon, "amount_off").min(sum);
    let mut shares: Vec<i64> = amounts.iter().map(|amount| total.saturating_mul(*amount) / sum).collect();
    let rest = total - shares.iter().sum::<i64>();
    if let Some(last) = shares.last_mut() {
        *last += rest;
    }
    shares
}

fn create(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let form = &call.form;
    let duration = form.text("duration").unwrap_or("once").to_owned();
    let percent = form.text("percent_off").filter(|text| (1..=10_000).contains(&hundredths(text).unwrap_or_default()));
    let mut fields = texts(form, &["name"]);
    match (percent, form.has("amount_off")) {
        (Some(percent), false) => fields["percent_off"] = serde_json::from_str(percent).unwrap_or_default(),
        (None, true) => {
            let currency = form.text("currency").ok_or_else(|| Refusal::missing("currency"))?;
            fields["amount_off"] = json!(checked_amount(form.integer("amount_off"), "amount_off")?);
            fields["currency"] = json!(checked_currency(currency, "currency")?);
        }
        _ => return Err(Refusal::invalid("Must provide either percent_off (0.01 to 100) or amount_off.")),
    }
    if duration == "repeating" {
        let months = form.integer("duration_in_months").ok_or_else(|| Refusal::missing("duration_in_months"))?;
        fields["duration_in_months"] = json!(months);
    }
    fields["duration"] = json!(duration);
    fields["metadata"] = metadata(&json!({}), form, "metadata");
    let id = form.text("id").map(str::to_owned);
    if id.as_deref().is_some_and(|id| call.state.coupons.get(id).is_some()) {
        return Err(Refusal::invalid("Coupon already exists.").code("resource_already_exists").param("id"));
    }
    Ok(add(call.state, id.as_deref(), fields))
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    page(&call.form, "/v1/coupons", call.state.coupons.newest())
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    call.state.coupons.get(call.id()).cloned().ok_or_else(|| Refusal::not_found("coupon", call.id(), "coupon"))
}

fn delete(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let coupon = retrieve(call)?;
    let id = call.id().to_owned();
    call.state.coupons.remove(&id);
    call.state.emit("coupon.deleted", coupon);
    Ok(json!({ "id": id, "object": "coupon", "deleted": true }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coupon_takes_off_whole_minor_units_and_never_more_than_there_is() {
        for (coupon, amounts, expected) in [
            (json!({"percent_off": 100}), vec![900, 2_000], vec![900, 2_000]),
            (json!({"percent_off": 12.5}), vec![900, 1], vec![113, 0]),
            (json!({"percent_off": null, "amount_off": 100, "currency": "usd"}), vec![200, 100], vec![66, 34]),
            (json!({"percent_off": null, "amount_off": 999, "currency": "usd"}), vec![200, 100], vec![200, 100]),
            (json!({"percent_off": null, "amount_off": 100, "currency": "eur"}), vec![200], vec![0]),
        ] {
            assert_eq!(taken_off(&coupon, &amounts, "usd"), expected, "{coupon}");
        }
    }
}
