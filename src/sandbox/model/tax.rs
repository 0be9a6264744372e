//! The tax that the stand-in computes: 19 % wherever the payer lives. Source of the words: Stripe, "Tax behavior".

use serde_json::{Value, json};

const PERCENT: i64 = 19;
const RATE: &str = "txr_1standin19percent";

/// Whether tax comes on top of a price. A price that does not say follows its currency, as by default at Stripe: on top
/// in US and Canadian dollars, contained in all others.
pub fn is_exclusive(tax_behavior: &str, currency: &str) -> bool {
    match tax_behavior {
        "exclusive" => true,
        "inclusive" => false,
        _ => matches!(currency, "usd" | "cad"),
    }
}

/// The tax on an amount, or in it, in the minor unit and rounded half away from zero.
pub fn tax(amount: i64, is_exclusive: bool) -> i64 {
    let whole = if is_exclusive { 100 } else { 100 + PERCENT };
    let share = amount.saturating_abs().saturating_mul(PERCENT).saturating_mul(2).saturating_add(whole) / (whole * 2);
    share * amount.signum()
}

/// The `tax_rate` that is computed with.
pub fn rate(is_exclusive: bool) -> Value {
    json!({
        "id": RATE, "object": "tax_rate", "active": false, "country": null, "created": 1_234_567_890,
        "description": null, "display_name": "VAT", "effective_percentage": PERCENT, "flat_amount": null,
        "inclusive": !is_exclusive, "jurisdiction": null, "jurisdiction_level": null, "livemode": false, "metadata": {},
        "percentage": PERCENT, "rate_type": "percentage", "state": null, "tax_type": "vat",
    })
}

/// An entry of `taxes` or `total_taxes` of an invoice.
pub fn entry(taxable: i64, tax: i64, is_exclusive: bool) -> Value {
    json!({
        "amount": tax, "tax_behavior": if is_exclusive { "exclusive" } else { "inclusive" },
        "tax_rate_details": { "tax_rate": RATE }, "taxability_reason": "standard_rated",
        "taxable_amount": if is_exclusive { taxable } else { taxable - tax }, "type": "tax_rate_details",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tax_is_added_or_contained_and_rounded() {
        for (amount, is_exclusive, expected) in
            [(900, true, 171), (900, false, 144), (1, true, 0), (3, true, 1), (-900, true, -171), (0, false, 0)]
        {
            assert_eq!(tax(amount, is_exclusive), expected, "{amount} {is_exclusive}");
        }
        assert!(is_exclusive("unspecified", "usd") && !is_exclusive("unspecified", "eur"));
    }
}
