//! The test cards that the stand-in knows. Their numbers are Stripe's published ones; nothing else is taken, so that
//! nobody's real card is ever typed in with effect, and no number is kept but its last four digits.

use serde_json::{Value, json};

use super::refusal::Refusal;
use crate::clock::{self, Timestamp};

const PAYS: &str = "4242424242424242";
const IS_DECLINED: &str = "4000000000000002";

/// What a card number other than those two is answered with.
pub const ACCEPTED: &str = "This is a test: only two card numbers are taken here. 4242 4242 4242 4242 pays; \
                            4000 0000 0000 0002 is declined.";

/// A card that was typed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    is_declined: bool,
    month: u32,
    year: u32,
}

impl Card {
    /// Reads number (`4242 4242 4242 4242`), expiry (`MM/YY`) and security code. Expiry and code may be left out.
    pub fn read(number: &str, expiry: &str, code: &str, at: Timestamp) -> Result<Card, Refusal> {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let is_declined = match digits.as_str() {
            PAYS => false,
            IS_DECLINED => true,
            "" => return Err(Refusal::invalid("Enter the card number.").code("incomplete_number").param("card")),
            _ => return Err(Refusal::invalid(ACCEPTED).code("incorrect_number").param("card")),
        };
        let (month, year) = if expiry.trim().is_empty() { (12, 2099) } else { read_expiry(expiry, at)? };
        if !(matches!(code.len(), 0 | 3 | 4) && code.bytes().all(|byte| byte.is_ascii_digit())) {
            let message = "The security code has three digits. Any three will do here.";
            return Err(Refusal::invalid(message).code("invalid_cvc").param("cvc"));
        }
        Ok(Card { is_declined, month, year })
    }

    /// Whether the bank says no.
    pub fn is_declined(&self) -> bool {
        self.is_declined
    }

    /// `payment_method_details` of a charge of this card.
    pub fn details(&self, authorized: i64) -> Value {
        let last4 = if self.is_declined { &IS_DECLINED[12..] } else { &PAYS[12..] };
        json!({
            "type": "card",
            "card": {
                "amount_authorized": (authorized > 0).then_some(authorized), "authorization_code": null, "brand": "visa",
                "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
                "country": "US", "exp_month": self.month, "exp_year": self.year, "fingerprint": "standin0000000",
                "funding": "credit", "installments": null, "last4": last4, "mandate": null, "network": "visa",
                "three_d_secure": null, "wallet": null,
            },
        })
    }
}

fn read_expiry(text: &str, at: Timestamp) -> Result<(u32, u32), Refusal> {
    let wrong = |message: &str| Refusal::invalid(message).code("invalid_expiry_month").param("exp");
    let expected = "The expiry date is two digits for the month and two for the year, such as 12/34.";
    let (month, year) = text.split_once('/').ok_or_else(|| wrong(expected))?;
    let month: u32 = month.trim().parse().map_err(|_| wrong(expected))?;
    let year: u32 = year.trim().parse().map_err(|_| wrong(expected))?;
    let year = if year < 100 { year + 2_000 } else { year };
    if !(1..=12).contains(&month) || year > 2_099 {
        return Err(wrong(expected));
    }
    // Times are written YYYY-MM-…, so their beginnings compare as dates do.
    if format!("{year:04}-{month:02}").as_str() < clock::rfc3339(at).get(..7).unwrap_or_default() {
        return Err(wrong("The card has expired. Enter an expiry date in the future."));
    }
    Ok((month, year))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_are_taken_and_anything_else_is_explained() {
        let at = Timestamp::from_seconds(1_790_000_000); // 2026-09
        for (number, expiry, code, expected) in [
            ("4242 4242 4242 4242", "12/34", "123", Ok(false)),
            ("4242424242424242", "09/26", "", Ok(false)),
            ("4000-0000-0000-0002", "", "1234", Ok(true)),
            ("4242424242424242", "08/26", "123", Err("invalid_expiry_month")),
            ("4242424242424242", "13/34", "123", Err("invalid_expiry_month")),
            ("4242424242424242", "soon", "123", Err("invalid_expiry_month")),
            ("4242424242424242", "12/34", "12", Err("invalid_cvc")),
            ("5555555555554444", "12/34", "123", Err("incorrect_number")),
            ("", "12/34", "123", Err("incomplete_number")),
        ] {
            let outcome = Card::read(number, expiry, code, at).map(|card| card.is_declined());
            let outcome = outcome.map_err(|refusal| refusal.body()["error"]["code"].as_str().unwrap_or("").to_owned());
            assert_eq!(outcome, expected.map_err(str::to_owned), "{number} {expiry} {code}");
        }
    }
}
