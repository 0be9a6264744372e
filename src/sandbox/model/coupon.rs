//! What a coupon takes off. Percentages are stored as Stripe sends them and computed in hundredths of a percent.

use serde_json::Value;

use crate::sandbox::params::hundredths;
use crate::sandbox::shape;

/// The discount that an invoice or a subscription has.
#[derive(Clone, Debug)]
pub struct Discount {
    pub id: String,
    pub coupon: Value,
}

/// What the coupon takes off each of these amounts, in the minor unit of `currency`. A percentage is rounded half up on
/// each amount. A fixed sum is split in proportion, and the last amount takes the rest.
pub fn discounts(coupon: &Value, amounts: &[i64], currency: &str) -> Vec<i64> {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

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
            assert_eq!(discounts(&coupon, &amounts, "usd"), expected, "{coupon}");
        }
    }
}
