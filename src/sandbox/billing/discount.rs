//! A subscription's discount. A coupon gives it, directly or by a promotion code, and invoices use it up.

use serde_json::{Value, json};

use super::calendar::months_after;
use super::subscription::update;
use crate::sandbox::model::coupon::Discount;
use crate::sandbox::model::subscription::StoredSubscription;
use crate::sandbox::state::State;

/// The active promotion code with these letters, ignoring case, as at Stripe.
pub fn find_promotion<'s>(state: &'s State, code: &str) -> Option<&'s Value> {
    let is_it =
        |row: &&Value| row["active"] == true && row["code"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(code));
    state.promotion_codes.newest().find(is_it)
}

pub fn add(state: &mut State, id: &str, customer: &str, coupon: &(Value, Value)) -> Discount {
    let (coupon, promotion) = coupon;
    let (discount, now) = (state.new_id("di_1", 24), state.now());
    let months = coupon["duration_in_months"].as_i64().filter(|_| coupon["duration"] == "repeating");
    let row = json!({
        "id": discount, "object": "discount", "checkout_session": null, "customer": customer, "customer_account": null,
        "end": months.map(|months| months_after(now, months)), "invoice": null, "invoice_item": null,
        "promotion_code": promotion, "source": { "coupon": coupon["id"], "type": "coupon" }, "start": now,
        "subscription": id, "subscription_item": null,
    });
    state.discounts.put(&discount, row);
    Discount { id: discount, coupon: coupon.clone() }
}

/// Sets a subscription's discount, or removes it.
pub fn set(state: &mut State, id: &str, coupon: Option<&(Value, Value)>) {
    let Some(customer) = state.subscriptions.get(id).map(|row| row.customer().to_owned()) else { return };
    let discount = coupon.map(|coupon| add(state, id, &customer, coupon));
    let shown: Vec<String> = discount.iter().map(|discount| discount.id.clone()).collect();
    if let Some(row) = state.subscriptions.get_mut(id) {
        row.discount = discount;
    }
    update(state, id, json!({ "discounts": shown }));
}

pub fn usable(state: &State, row: &StoredSubscription, at: i64) -> Option<Discount> {
    let discount = row.discount.clone()?;
    let end = state.discounts.get(&discount.id).and_then(|row| row["end"].as_i64());
    end.is_none_or(|end| end > at).then_some(discount)
}

/// Removes a discount that counts only once, after an invoice.
pub fn use_up(state: &mut State, id: &str) {
    if let Some(row) = state.subscriptions.get_mut(id)
        && row.discount.as_ref().is_some_and(|discount| discount.coupon["duration"] == "once")
    {
        row.discount = None;
        row.object["discounts"] = json!([]);
    }
}
