//! What plans and packs are called where the catalogue does not say, and the variables that are named after their keys.

use super::UnitWords;

/// The variable that names the Stripe price of the entry with this key.
pub fn price_id_variable(key: &str) -> String {
    format!("SPRITE_STRIPE_{}_PRICE_ID", key.to_ascii_uppercase())
}

/// The variable that sets the units of the entry with this key.
pub fn units_variable(key: &str) -> String {
    format!("SPRITE_{}_UNITS", key.to_ascii_uppercase())
}

/// A plan's name where none is given: `starter` is "Starter", `team_large` is "Team large".
pub(super) fn plan_name(key: &str) -> String {
    let words = key.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// A pack's name where none is given: "100 pictures".
pub(super) fn pack_name(units: i64, unit: &UnitWords) -> String {
    format!("{units} {}", if units == 1 { &unit.singular } else { &unit.plural }.as_str())
}
