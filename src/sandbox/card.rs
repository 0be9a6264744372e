//! The test cards that the stand-in knows, with Stripe's published numbers and names. Other numbers are refused, so
//! that a real card never has an effect here. Only the last four digits are stored; they determine what the card does.
//! Source: Stripe, "Testing".

use serde_json::{Value, json};

use crate::clock::{self, Timestamp};
use crate::sandbox::api_error::ApiError;

/// What a card does when it is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardBehaviour {
    Pays,
    /// It is declined, and cannot be attached to a customer.
    IsDeclined,
    /// It can be attached, and is declined when charged.
    FailsWhenCharged,
    LacksFunds,
    /// It pays after its owner has authenticated. It cannot pay while the owner is away.
    NeedsAuthentication,
    /// It pays, and the owner disputes the charge.
    IsDisputed,
    /// It pays, and the owner's bank opens an inquiry.
    IsInquired,
    /// It pays. Its refunds succeed, and fail later.
    RefundFails,
    /// It pays. Its refunds are pending at first.
    RefundPends,
}

/// Number, test payment methods, behaviour.
const CARDS: &[(&str, &[&str], CardBehaviour)] = &[
    ("4242424242424242", &["pm_card_visa"], CardBehaviour::Pays),
    ("4000000000000002", &["pm_card_chargeDeclined", "pm_card_visa_chargeDeclined"], CardBehaviour::IsDeclined),
    ("4000000000000341", &["pm_card_chargeCustomerFail"], CardBehaviour::FailsWhenCharged),
    (
        "4000000000009995",
        &["pm_card_chargeDeclinedInsufficientFunds", "pm_card_visa_chargeDeclinedInsufficientFunds"],
        CardBehaviour::LacksFunds,
    ),
    ("4000000000003220", &["pm_card_threeDSecure2Required"], CardBehaviour::NeedsAuthentication),
    ("4000000000000259", &["pm_card_createDispute"], CardBehaviour::IsDisputed),
    ("4000000000001976", &["pm_card_createDisputeInquiry"], CardBehaviour::IsInquired),
    ("4000000000005126", &["pm_card_refundFail"], CardBehaviour::RefundFails),
    ("4000000000007726", &["pm_card_pendingRefund"], CardBehaviour::RefundPends),
];

/// The message for any other card number.
pub const ACCEPTED: &str = "This is a test: only Stripe's test cards are accepted here. 4242 4242 4242 4242 pays; \
                            4000 0000 0000 0002 is declined; 4000 0000 0000 0259 pays and is disputed.";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    last4: &'static str,
    month: i64,
    year: i64,
}

impl Card {
    /// Reads number (`4242 4242 4242 4242`), expiry (`MM/YY`) and security code. Expiry and code are optional.
    pub fn read(number: &str, expiry: &str, code: &str, at: Timestamp) -> Result<Card, ApiError> {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        if digits.is_empty() {
            return Err(ApiError::invalid("Enter the card number.").code("incomplete_number").param("card"));
        }
        let Some((number, ..)) = CARDS.iter().find(|(number, ..)| *number == digits) else {
            return Err(ApiError::invalid(ACCEPTED).code("incorrect_number").param("card"));
        };
        let (month, year) = if expiry.trim().is_empty() { (12, 2099) } else { read_expiry(expiry, at)? };
        if !(matches!(code.len(), 0 | 3 | 4) && code.bytes().all(|byte| byte.is_ascii_digit())) {
            let message = "The security code has three digits. Any three will do here.";
            return Err(ApiError::invalid(message).code("invalid_cvc").param("cvc"));
        }
        Ok(Card { last4: &number[12..], month, year })
    }

    /// The card of a test payment method such as `pm_card_visa`.
    pub fn named(name: &str) -> Option<Card> {
        let (number, ..) = CARDS.iter().find(|(_, names, _)| names.contains(&name))?;
        Some(Card { last4: &number[12..], month: 12, year: 2099 })
    }

    /// `card` of a `payment_method`.
    pub fn object(&self) -> Value {
        json!({
            "brand": "visa",
            "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
            "country": "US", "display_brand": "visa", "exp_month": self.month, "exp_year": self.year,
            "fingerprint": "standin0000000", "funding": "credit", "generated_from": null, "last4": self.last4,
            "networks": { "available": ["visa"], "preferred": null }, "regulated_status": "unregulated",
            "three_d_secure_usage": { "supported": true }, "wallet": null,
        })
    }
}

/// What a payment method does, by the last digits of its card. Bank accounts pay.
pub fn behaviour(method: &Value) -> CardBehaviour {
    let last4 = method["card"]["last4"].as_str().unwrap_or_default();
    let found = CARDS.iter().find(|(number, ..)| &number[12..] == last4);
    found.map_or(CardBehaviour::Pays, |(.., behaviour)| *behaviour)
}

/// `payment_method_details` of a charge of this payment method.
pub fn details(method: &Value, authorized: Option<i64>) -> Value {
    if method["type"] == "us_bank_account" {
        let account = &method["us_bank_account"];
        return json!({ "type": "us_bank_account", "us_bank_account": {
            "account_holder_type": account["account_holder_type"], "account_type": account["account_type"],
            "bank_name": account["bank_name"], "fingerprint": null, "last4": account["last4"],
            "payment_reference": null, "routing_number": account["routing_number"],
        } });
    }
    let card = &method["card"];
    json!({ "type": "card", "card": {
        "amount_authorized": authorized, "authorization_code": null, "brand": card["brand"], "checks": card["checks"],
        "country": card["country"], "exp_month": card["exp_month"], "exp_year": card["exp_year"],
        "fingerprint": card["fingerprint"], "funding": card["funding"], "installments": null, "last4": card["last4"],
        "mandate": null, "network": "visa", "three_d_secure": null, "wallet": null,
    } })
}

fn read_expiry(text: &str, at: Timestamp) -> Result<(i64, i64), ApiError> {
    let wrong = |message: &str| ApiError::invalid(message).code("invalid_expiry_month").param("exp");
    let expected = "The expiry date is two digits for the month and two for the year, such as 12/34.";
    let (month, year) = text.split_once('/').ok_or_else(|| wrong(expected))?;
    let month: i64 = month.trim().parse().map_err(|_| wrong(expected))?;
    let year: i64 = year.trim().parse().map_err(|_| wrong(expected))?;
    let year = if year < 100 { year + 2_000 } else { year };
    if !(1..=12).contains(&month) || !(1_970..=2_099).contains(&year) {
        return Err(wrong(expected));
    }
    // Both are written YYYY-MM, so they compare as text in the order of time.
    if format!("{year:04}-{month:02}").as_str() < clock::rfc3339(at).get(..7).unwrap_or_default() {
        return Err(wrong("The card has expired. Enter an expiry date in the future."));
    }
    Ok((month, year))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_cards_are_taken_and_anything_else_is_explained() {
        let at = Timestamp::from_seconds(1_790_000_000); // 2026-09
        for (number, expiry, code, expected) in [
            ("4242 4242 4242 4242", "12/34", "123", Ok(CardBehaviour::Pays)),
            ("4242424242424242", "09/26", "", Ok(CardBehaviour::Pays)),
            ("4000-0000-0000-0002", "", "1234", Ok(CardBehaviour::IsDeclined)),
            ("4000000000000259", "12/2034", "", Ok(CardBehaviour::IsDisputed)),
            ("4242424242424242", "08/26", "123", Err("invalid_expiry_month")),
            ("4242424242424242", "13/34", "123", Err("invalid_expiry_month")),
            ("4242424242424242", "soon", "123", Err("invalid_expiry_month")),
            ("4242424242424242", "12/34", "12", Err("invalid_cvc")),
            ("5555555555554444", "12/34", "123", Err("incorrect_number")),
            ("", "12/34", "123", Err("incomplete_number")),
        ] {
            let read = Card::read(number, expiry, code, at).map(|card| behaviour(&json!({ "card": card.object() })));
            let read = read.map_err(|error| error.body()["error"]["code"].as_str().unwrap_or("").to_owned());
            assert_eq!(read, expected.map_err(str::to_owned), "{number} {expiry} {code}");
        }
        assert!(Card::named("pm_card_threeDSecure2Required").is_some() && Card::named("pm_card_none").is_none());
    }
}
