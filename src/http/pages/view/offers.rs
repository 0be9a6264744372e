//! What is for sale, as cards: packs and plans with price, price per unit, and the button or why there is none.

use super::UnitWords;
use super::words::capitalised;
use crate::money::{Money, best_value};

/// A pack of the catalogue.
#[derive(Clone, Debug)]
pub struct PackOffer {
    /// The catalogue's key, which goes into the form: `topup_100`.
    pub key: String,
    /// Units it buys.
    pub units: i64,
    /// What it costs.
    pub price: Money,
    /// Whether it has a price at Stripe. Without one it is shown, but cannot be bought.
    pub is_for_sale: bool,
}

/// A pack as a card.
#[derive(Clone, Debug)]
pub struct PackCard {
    /// See [`PackOffer::key`].
    pub key: String,
    /// `100 pictures`.
    pub units: String,
    /// `$9`.
    pub price: String,
    /// `9¢ per picture`.
    pub per_unit: Option<String>,
    /// `Better value` of two, `Best value` of more; on one pack at most, and only when it is strictly cheaper per unit.
    pub mark: Option<&'static str>,
    /// See [`PackOffer::is_for_sale`].
    pub is_for_sale: bool,
}

impl PackCard {
    /// All packs in the catalogue's order. Only those that can be bought are compared.
    pub fn shelf(offers: &[PackOffer], words: &UnitWords) -> Vec<PackCard> {
        let sold: Vec<&PackOffer> = offers.iter().filter(|offer| offer.is_for_sale).collect();
        let compared: Vec<(Money, i64)> = sold.iter().map(|offer| (offer.price, offer.units)).collect();
        let best = best_value(&compared).map(|index| &sold[index].key);
        let mark = if sold.len() > 2 { "Best value" } else { "Better value" };
        let card = |offer: &PackOffer| PackCard {
            key: offer.key.clone(),
            units: words.count(offer.units),
            price: offer.price.to_string(),
            per_unit: per_unit(offer.price, offer.units, words),
            mark: (Some(&offer.key) == best).then_some(mark),
            is_for_sale: offer.is_for_sale,
        };
        offers.iter().map(card).collect()
    }
}

/// How often a plan is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// Every month.
    Month,
    /// Every year; its units are allotted month by month all the same.
    Year,
}

/// What a user can do about a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanState {
    /// It can be bought: a form to the checkout, or the hint to sign in.
    ForSale,
    /// It is the user's plan.
    Current,
    /// The user has another subscription, so a change is made in the customer portal.
    InPortal,
    /// It costs nothing and needs no button.
    Free,
    /// It has no price at Stripe.
    NotAvailable,
}

/// A plan of the catalogue, and what this user can do about it.
#[derive(Clone, Debug)]
pub struct PlanOffer {
    /// The catalogue's key, which goes into the form: `starter`.
    pub key: String,
    /// `Starter`.
    pub name: String,
    /// What one interval costs.
    pub price: Money,
    /// How often that is paid.
    pub interval: Interval,
    /// Units allotted each month.
    pub units: i64,
    /// The catalogue's words for what else it brings: `byok`.
    pub features: Vec<String>,
    /// What the card offers.
    pub state: PlanState,
}

/// A plan as a card.
#[derive(Clone, Debug)]
pub struct PlanCard {
    /// See [`PlanOffer::key`].
    pub key: String,
    /// See [`PlanOffer::name`].
    pub name: String,
    /// `$9`, `$0`.
    pub price: String,
    /// `a month`, `a year`; empty for a plan that costs nothing.
    pub every: &'static str,
    /// `100 pictures every month`.
    pub allotment: String,
    /// `9¢ per picture`.
    pub per_unit: Option<String>,
    /// What else it brings, in sentences.
    pub features: Vec<String>,
    /// See [`PlanOffer::state`].
    pub state: PlanState,
}

impl PlanCard {
    /// The card for a plan.
    pub fn of(offer: &PlanOffer, words: &UnitWords) -> PlanCard {
        let (every, months) = match offer.interval {
            Interval::Month => ("a month", 1),
            Interval::Year => ("a year", 12),
        };
        PlanCard {
            key: offer.key.clone(),
            name: offer.name.clone(),
            price: offer.price.to_string(),
            every: if offer.price.amount == 0 { "" } else { every },
            allotment: allotment(offer.units, words),
            per_unit: per_unit(offer.price, offer.units.saturating_mul(months), words),
            features: offer.features.iter().map(|feature| feature_words(feature)).collect(),
            state: offer.state,
        }
    }
}

/// What a plan brings each month: `100 pictures every month`.
pub fn allotment(units: i64, words: &UnitWords) -> String {
    match units {
        0 => format!("No {} included", words.many),
        _ => format!("{} every month", words.count(units)),
    }
}

fn per_unit(price: Money, units: i64, words: &UnitWords) -> Option<String> {
    price.per_unit(units).map(|amount| format!("{amount} per {}", words.one))
}

/// A feature as a line on the card. The built-in catalogue's have a sentence; others are read as they are written.
fn feature_words(feature: &str) -> String {
    match feature {
        "byok" => "Bring your own key".to_owned(),
        _ => capitalised(&feature.replace('_', " ")),
    }
}
