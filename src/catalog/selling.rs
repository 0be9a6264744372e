//! How offers are sold: what a checkout asks the buyer for, whether a pack has an invoice, and how long a plan's units
//! outlive its period. The table `[selling]` of the catalogue's file.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use crate::clock::DAY_SECONDS;
use crate::ledger::{GRACE_LIMIT_DAYS, UNITS_LIMIT};

/// The terms of every sale. What a buyer is credited with never depends on them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selling {
    /// Whether a pack has an invoice. A plan always has.
    pub invoices: bool,
    /// Whether a checkout takes a business's tax id (VAT number).
    pub tax_ids: bool,
    /// Whether Stripe Tax computes the tax.
    pub automatic_tax: bool,
    /// Whether a checkout asks for the whole billing address.
    pub billing_address: bool,
    /// How many days a plan's units outlive their period while the plan is kept and its renewal is not paid yet.
    #[serde(rename = "grace", deserialize_with = "days")]
    pub grace_days: u32,
    /// Units that a person gets once, when their e-mail address is verified.
    #[serde(deserialize_with = "welcome")]
    pub welcome_units: i64,
}

impl Default for Selling {
    fn default() -> Selling {
        Selling {
            invoices: true,
            tax_ids: false,
            automatic_tax: false,
            billing_address: false,
            grace_days: 3,
            welcome_units: 0,
        }
    }
}

impl Selling {
    /// How long a kept plan's lot lives beyond its period while the next one is still to come (`docs/rules.md`, rule 9).
    pub fn grace_seconds(&self) -> i64 {
        i64::from(self.grace_days) * DAY_SECONDS
    }
}

struct DaysVisitor;

impl de::Visitor<'_> for DaysVisitor {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number of days from 0 to {GRACE_LIMIT_DAYS} and the letter d, such as \"3d\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u32, E> {
        let number = text.strip_suffix('d').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let days = number.and_then(|digits| digits.parse().ok()).filter(|days| *days <= GRACE_LIMIT_DAYS);
        days.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    deserializer.deserialize_str(DaysVisitor)
}

struct UnitsVisitor;

impl de::Visitor<'_> for UnitsVisitor {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number of units from 0 to {UNITS_LIMIT}")
    }

    fn visit_i64<E: de::Error>(self, units: i64) -> Result<i64, E> {
        let is_sound = (0..=UNITS_LIMIT).contains(&units);
        if is_sound { Ok(units) } else { Err(E::invalid_value(de::Unexpected::Signed(units), &self)) }
    }
}

fn welcome<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    deserializer.deserialize_i64(UnitsVisitor)
}
