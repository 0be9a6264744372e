//! What is for sale, as cards: packs and plans with price, price per unit, and the button or why there is none.

use super::UnitWords;
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
pub struct PackView {
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

impl PackView {
    /// All packs in the catalogue's order. Only those that can be bought are compared.
    pub fn shelf(offers: &[PackOffer], words: &UnitWords) -> Vec<PackView> {
        let sold: Vec<&PackOffer> = offers.iter().filter(|offer| offer.is_for_sale).collect();
        let compared: Vec<(Money, i64)> = sold.iter().map(|offer| (offer.price, offer.units)).collect();
        let best = best_value(&compared).map(|index| &sold[index].key);
        let mark = if sold.len() > 2 { "Best value" } else { "Better value" };
        let card = |offer: &PackOffer| PackView {
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

/// A plan as a card.
#[derive(Clone, Debug)]
pub struct PlanOffer {
    /// The catalogue's key: `starter`.
    pub key: String,
    /// `Starter`.
    pub name: String,
    /// `$9`, `$0`.
    pub price: String,
    /// `a month`, `a year`; empty for a plan that costs nothing.
    pub every: &'static str,
    /// `100 pictures every month`.
    pub allotment: String,
    /// `9¢ per picture`.
    pub per_unit: Option<String>,
    /// What else it brings, in words.
    pub features: Vec<String>,
    /// What the card offers.
    pub state: PlanState,
}

impl PlanOffer {
    /// A card for a plan: `units` are those of one month, `features` the catalogue's words for them.
    #[expect(
        clippy::too_many_arguments,
        reason = "the catalogue's own columns, each named at the call by its variable"
    )]
    pub fn new(
        key: &str,
        name: &str,
        price: Money,
        interval: Interval,
        units: i64,
        features: &[String],
        state: PlanState,
        words: &UnitWords,
    ) -> PlanOffer {
        let months = if interval == Interval::Year { 12 } else { 1 };
        PlanOffer {
            key: key.to_owned(),
            name: name.to_owned(),
            price: price.to_string(),
            every: match interval {
                _ if price.amount == 0 => "",
                Interval::Month => "a month",
                Interval::Year => "a year",
            },
            allotment: match units {
                0 => format!("No {} included; packs can be added", words.many),
                _ => format!("{} every month", words.count(units)),
            },
            per_unit: per_unit(price, units.saturating_mul(months), words),
            features: features.iter().map(|feature| feature_words(feature)).collect(),
            state,
        }
    }
}

fn per_unit(price: Money, units: i64, words: &UnitWords) -> Option<String> {
    price.per_unit(units).map(|amount| format!("{amount} per {}", words.one))
}

/// A feature's name as a line on the card; those of the built-in catalogue have a sentence.
fn feature_words(feature: &str) -> String {
    match feature {
        "byok" => "Bring your own key".to_owned(),
        _ => feature.replace('_', " "),
    }
}
