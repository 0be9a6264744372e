//! Amounts in a currency's minor unit: what a request may ask for, and how people read them.

use crate::money::{CURRENCIES, plain_amount};
use crate::sandbox::api_error::ApiError;

/// Stripe's limit on an amount.
pub const AMOUNT_LIMIT: i64 = 99_999_999;

/// Checks an amount that a request asks for. `param` is what the error names.
pub fn checked_amount(amount: Option<i64>, param: &str) -> Result<i64, ApiError> {
    let amount = amount.ok_or_else(|| ApiError::missing(param))?;
    if amount < 0 {
        return Err(ApiError::invalid("Invalid non-negative integer").code("parameter_invalid_integer").param(param));
    }
    if amount > AMOUNT_LIMIT {
        return Err(ApiError::invalid("Amount must be no more than $999,999.99").code("amount_too_large").param(param));
    }
    Ok(amount)
}

/// Checks a currency. Returns it in lower case.
pub fn checked_currency(currency: &str, param: &str) -> Result<String, ApiError> {
    let lower = currency.to_ascii_lowercase();
    match CURRENCIES.split(' ').any(|known| known == lower) {
        true => Ok(lower),
        false => {
            let known = CURRENCIES.replace(' ', ", ");
            let message = format!("Invalid currency: {currency}. Stripe currently supports these currencies: {known}");
            Err(ApiError::invalid(message).param(param))
        }
    }
}

/// An amount as people read it: `$9.00`, `¥900`, `9.000 KWD`.
pub fn money(amount: i64, currency: &str) -> String {
    let written = plain_amount(amount, currency);
    let (sign, digits) = written.strip_prefix('-').map_or(("", written.as_str()), |digits| ("−", digits));
    match currency {
        "usd" => format!("{sign}${digits}"),
        "eur" => format!("{sign}€{digits}"),
        "gbp" => format!("{sign}£{digits}"),
        "jpy" => format!("{sign}¥{digits}"),
        _ => format!("{sign}{digits} {}", currency.to_ascii_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_one_that_stripe_has() {
        for (currency, expected) in
            [("usd", Some("usd")), ("EUR", Some("eur")), ("zmw", Some("zmw")), ("xxx", None), ("us", None), ("", None)]
        {
            assert_eq!(checked_currency(currency, "currency").ok().as_deref(), expected, "{currency}");
        }
    }

    #[test]
    fn amounts_are_written_with_their_currencys_decimals() {
        for (amount, currency, expected) in [
            (900, "usd", "$9.00"),
            (-5, "eur", "−€0.05"),
            (900, "jpy", "¥900"),
            (9_000, "kwd", "9.000 KWD"),
            (1_234, "chf", "12.34 CHF"),
            (500, "ugx", "5.00 UGX"),
        ] {
            assert_eq!(money(amount, currency), expected);
        }
    }
}
